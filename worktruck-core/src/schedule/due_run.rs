use std::time::Duration;

use serde_json::{Value, json};
use uuid::Builder;

use crate::run::NewRun;
use crate::{Digest, EntityId, RunId, Timestamp};

/// What a text of a template holds in the place of the due time.
const DUE_AT: &str = "{{due_at}}";

/// The run of the schedule `id` that is due at `due`: the same one, whoever makes it.
///
/// Texts of the template have the due time in the place of `{{due_at}}`.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use worktruck_core::schedule::due_run;
/// use worktruck_core::{EntityId, Timestamp};
///
/// let id: EntityId = "0194a8b3-7e5a-77c1-9d0f-000000000001".parse()?;
/// let due: Timestamp = "2026-04-14T12:00:00Z".parse()?;
/// let run = due_run(id, due, "daily_briefing", Some(&json!({ "until": "{{due_at}}" })));
/// assert_eq!(run.input, json!({ "until": "2026-04-14T12:00:00.000000Z" }));
/// assert_eq!(run, due_run(id, due, "daily_briefing", Some(&json!({ "until": "{{due_at}}" }))));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[must_use]
pub fn due_run(id: EntityId, due: Timestamp, blueprint: &str, template: Option<&Value>) -> NewRun {
    let mut input = template.cloned().unwrap_or_else(|| json!({}));
    fill_in(&mut input, &due.to_string());
    let mut run = NewRun::new(due_run_id(id, due), blueprint, input);
    run.idempotency_key = Some(format!("schedule:{id}:{}", due.as_micros()));
    run.metadata.insert("schedule_id".to_owned(), json!(id));
    run.metadata.insert("due_at".to_owned(), json!(due));
    run
}

/// The id of the run of the schedule `id` that is due at `due`.
#[must_use]
pub fn due_run_id(id: EntityId, due: Timestamp) -> RunId {
    let digest = digest("run", id, due);
    let mut random = [0; 10];
    random.copy_from_slice(&digest.as_bytes()[..10]);
    let millis = u64::try_from(due.as_micros().div_euclid(1_000)).unwrap_or(0);
    RunId::from_uuid(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// How long after `due` a run of the schedule `id` is enqueued: up to `longest_secs`, spread evenly.
#[must_use]
pub fn jitter(id: EntityId, due: Timestamp, longest_secs: u32) -> Duration {
    let digest = digest("jitter", id, due);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    Duration::from_millis(u64::from_be_bytes(bytes) % (u64::from(longest_secs) * 1_000 + 1))
}

fn digest(what: &str, id: EntityId, due: Timestamp) -> Digest {
    Digest::of_bytes(format!("{what}:{id}:{}", due.as_micros()).as_bytes())
}

fn fill_in(value: &mut Value, due_at: &str) {
    match value {
        Value::String(text) if text.contains(DUE_AT) => *text = text.replace(DUE_AT, due_at),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, due_at)),
        Value::Object(members) => members.values_mut().for_each(|member| fill_in(member, due_at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
