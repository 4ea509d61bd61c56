use serde_json::{Value, json};
use worktruck_core::Timestamp;
use worktruck_core::entity::Kind;

use super::world::{STEPS, World, mix};

/// The entity with this number as its version with this number has it, the first being 0.
pub(super) fn body(world: &World, kind: Kind, n: usize, version: usize) -> Value {
    let mut body = match kind {
        Kind::Deal => deal(world, n, version),
        Kind::Task => task(world, n, version),
        Kind::Event => event(world, n, version),
        Kind::Note => note(world, n, version),
        _ => contact(world, n, version),
    };
    body["metadata"]["edits"] = json!(version);
    body
}

/// What the stage with this number says of its deals.
pub(super) const fn stage_type(stage: usize) -> &'static str {
    match stage % STEPS {
        4 => "won",
        5 => "lost",
        _ => "open",
    }
}

/// What the status with this number means.
pub(super) const fn category(status: usize) -> &'static str {
    match status % STEPS {
        0 => "backlog",
        1 => "todo",
        2 | 3 => "in_progress",
        4 => "done",
        _ => "canceled",
    }
}

/// Labels that thousands, some hundred, and few entities have.
pub(super) fn labels(n: usize, version: usize) -> [String; 3] {
    [
        format!("common-{}", mix(n, 1) % 5),
        format!("some-{}", mix(n, 2) % 40),
        format!("rare-{}", mix(n, 3 + version / 8 * 100) % 600),
    ]
}

/// A day of the years 2024 to 2028, as text.
pub(super) fn day(random: usize) -> String {
    moment(random % DAYS, 0).chars().take("2024-01-01".len()).collect()
}

/// How many days the entities lie in.
pub(super) const DAYS: usize = 5 * 365;

/// So many seconds after the beginning of a day, counted from the first of 2024, as text.
pub(super) fn moment(day: usize, seconds: usize) -> String {
    let seconds = i64::try_from(day * 86_400 + seconds).unwrap_or_default();
    Timestamp::from_micros((1_704_067_200 + seconds) * 1_000_000).to_string()
}

fn contact(world: &World, n: usize, version: usize) -> Value {
    let mut body = world.people[n].clone();
    body["kind"] = json!(if n < world.organizations() { "organization" } else { "person" });
    body["tags"] = json!(labels(n, version));
    body
}

fn deal(world: &World, n: usize, version: usize) -> Value {
    let pipeline = mix(n, 11) % world.pipelines.len();
    let stage = pipeline * STEPS + mix(n, 12 + version / 3 * 100) % STEPS;
    let mut body = json!({
        "name": words(n, 3), "description": words(n + 1, 30), "pipeline_id": world.pipelines[pipeline],
        "stage_id": world.stages[stage], "amount": format!("{}.50", mix(n, 13 + version / 4 * 100) % 100_000),
        "currency": "EUR", "expected_close_date": day(mix(n, 14)),
        "contact_id": world.id(Kind::Contact, mix(n, 15) % world.count),
    });
    if !mix(n, 16).is_multiple_of(5) {
        body["organization_id"] = json!(world.id(Kind::Contact, mix(n, 17) % world.organizations()));
    }
    body
}

fn task(world: &World, n: usize, version: usize) -> Value {
    let project = mix(n, 31) % world.projects.len();
    let status = project * STEPS + mix(n, 32 + version / 3 * 100) % STEPS;
    let mut body = json!({
        "title": words(n, 4), "description": words(n + 1, 25), "project_id": world.projects[project],
        "status_id": world.statuses[status], "status_category": category(status), "priority": mix(n, 33) % 5,
        "assignee_id": world.id(Kind::Contact, mix(n, 34) % 100), "labels": labels(n, version),
        "position": mix(n, 35),
    });
    let due = mix(n, 36 + version / 5 * 100);
    match due % 10 {
        0..=2 => {}
        3..=5 => body["due_date"] = json!(day(mix(due, 1))),
        _ => body["due_at"] = json!(moment(mix(due, 1) % DAYS, mix(due, 2) % 86_400)),
    }
    if n >= world.count / 20 && n.is_multiple_of(4) {
        body["parent_id"] = json!(world.id(Kind::Task, n % (world.count / 20)));
    }
    body
}

fn event(world: &World, n: usize, version: usize) -> Value {
    let (day, seconds) = (mix(n, 41) % DAYS, mix(n, 42) % 82_800);
    let calendar = |n: usize| world.calendars[mix(n, 43) % world.calendars.len()];
    let mut body = json!({
        "title": words(n, 4), "description": words(n + version, 25), "location": words(n, 2), "calendar_id": calendar(n),
        "start_at": moment(day, seconds), "end_at": moment(day, seconds + 3_600), "timezone": "UTC",
        "status": status(mix(n, 44 + version / 6 * 100)),
        "ical_uid": format!("{n}@calendar.example"),
    });
    if n < world.series() {
        body["rrule"] = json!("FREQ=WEEKLY");
    } else if mix(n, 45).is_multiple_of(10) {
        let series = mix(n, 46) % world.series();
        body["calendar_id"] = json!(calendar(series));
        body["series_id"] = json!(world.id(Kind::Event, series));
        body["recurrence_id"] = json!(moment(day, seconds));
    }
    body
}

const fn status(random: usize) -> &'static str {
    match random % 20 {
        0 => "cancelled",
        1 | 2 => "tentative",
        _ => "confirmed",
    }
}

fn note(world: &World, n: usize, version: usize) -> Value {
    let mut body = json!({
        "title": words(n, 3), "body": words(n + version, 120), "is_pinned": mix(n, 51).is_multiple_of(20),
        "is_archived": mix(n, 52 + version / 4 * 100) % 10 < 3, "word_count": 120, "tags": labels(n, version),
    });
    if !mix(n, 53).is_multiple_of(10) {
        body["notebook_id"] = json!(world.notebooks[mix(n, 54) % world.notebooks.len()]);
    }
    body
}

/// So many words.
fn words(n: usize, count: usize) -> String {
    const WORDS: [&str; 24] = [
        "autumn", "bridge", "carbon", "delivery", "engine", "fabric", "garden", "harbour", "invoice", "journey",
        "kitchen", "lantern", "meeting", "notice", "orchard", "painting", "quarter", "review", "station", "timber",
        "update", "valley", "window", "yearly",
    ];
    let word = |at: usize| WORDS[mix(n, 60 + at) % WORDS.len()];
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_those_of_the_calendar() {
        assert_eq!(day(59), "2024-02-29");
        assert_eq!(moment(366, 3_600), "2025-01-01T01:00:00.000000Z");
    }
}
