use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use worktruck_core::journal::{INLINE_PAYLOAD_BYTES, Journal, OpenCall, Snapshot, Step};
use worktruck_core::run::{Commit, Fork};
use worktruck_core::{Digest, Error, Result, RunId, TenantId};

use crate::error::OrFailed as _;
use crate::rows::{Columns as _, IdBytes as _, insert, to_json};

use super::{approval, record};

/// Adds what a commit adds to the journal of a run.
pub(super) async fn extend(tx: &mut SqliteConnection, tenant: TenantId, run: RunId, commit: &Commit) -> Result<()> {
    if let Some(snapshot) = &commit.snapshot {
        pin(tx, tenant, run, snapshot).await?;
    }
    write_steps(tx, tenant, run, commit.steps.iter().map(|step| &step.step)).await?;
    write_calls(tx, tenant, run, &commit.calls).await
}

/// Adds what a fork begins with.
pub(super) async fn begin(tx: &mut SqliteConnection, tenant: TenantId, fork: &Fork) -> Result<()> {
    pin(tx, tenant, fork.run.id, &fork.snapshot).await?;
    write_steps(tx, tenant, fork.run.id, &fork.steps).await?;
    approval::save(tx, tenant, &fork.approvals).await
}

async fn pin(tx: &mut SqliteConnection, tenant: TenantId, run: RunId, snapshot: &Snapshot) -> Result<()> {
    sqlx::query("UPDATE run_content SET snapshot = ?3 WHERE tenant = ?1 AND id = ?2")
        .bind(tenant.bytes())
        .bind(run.bytes())
        .bind(to_json(snapshot)?)
        .execute(tx)
        .await
        .or_failed("write a snapshot")
        .map(drop)
}

async fn write_steps(
    tx: &mut SqliteConnection,
    tenant: TenantId,
    run: RunId,
    new: impl IntoIterator<Item = &Step>,
) -> Result<()> {
    let mut payloads = BTreeMap::new();
    let mut steps = Vec::new();
    for step in new {
        steps.push(StepRow::new(step, &mut payloads)?);
    }
    let payloads: Vec<(Vec<u8>, String)> =
        payloads.into_iter().map(|(digest, body)| (digest.as_bytes().to_vec(), body)).collect();
    insert(
        tx,
        "payload (tenant, digest, body)",
        3,
        " ON CONFLICT (tenant, digest) DO NOTHING",
        &payloads,
        |query, (digest, body)| query.bind(tenant.bytes()).bind(digest.clone()).bind(body.clone()),
    )
    .await
    .or_failed("write a payload")?;
    insert(tx, "step (tenant, run, seq, body, input_ref, output_ref)", 6, "", &steps, |query, step| {
        query
            .bind(tenant.bytes())
            .bind(run.bytes())
            .bind(step.seq)
            .bind(step.body.clone())
            .bind(step.input_ref.clone())
            .bind(step.output_ref.clone())
    })
    .await
    .or_failed("write a step")?;
    let tried: Vec<(u32, &String)> = steps.iter().filter_map(|step| Some((step.seq, step.tried.as_ref()?))).collect();
    insert(tx, "tried (tenant, run, seq, body)", 4, "", &tried, |query, (seq, body)| {
        query.bind(tenant.bytes()).bind(run.bytes()).bind(*seq).bind((*body).clone())
    })
    .await
    .or_failed("write what a step has tried")
}

async fn write_calls(tx: &mut SqliteConnection, tenant: TenantId, run: RunId, calls: &[OpenCall]) -> Result<()> {
    let mut rows = Vec::with_capacity(calls.len());
    for call in calls {
        rows.push((call.seq, to_json(call)?));
    }
    insert(
        tx,
        "open_call (tenant, run, seq, body)",
        4,
        " ON CONFLICT (tenant, run, seq) DO UPDATE SET body = excluded.body",
        &rows,
        |query, (seq, body)| query.bind(tenant.bytes()).bind(run.bytes()).bind(*seq).bind(body.clone()),
    )
    .await
    .or_failed("open calls")
}

/// All that is recorded of a run.
pub(super) async fn read(tx: &mut SqliteConnection, tenant: TenantId, run: RunId) -> Result<Option<Journal>> {
    let Some(record) = record::load(tx, tenant, run).await? else {
        return Ok(None);
    };
    let snapshot = sqlx::query("SELECT snapshot FROM run_content WHERE tenant = ? AND id = ?")
        .bind(tenant.bytes())
        .bind(run.bytes())
        .fetch_one(&mut *tx)
        .await
        .or_failed("read a snapshot")?;
    let steps = sqlx::query(
        "SELECT s.body, s.output_ref, i.body AS input, o.body AS output, t.body AS tried FROM step s
         LEFT JOIN payload i ON i.tenant = s.tenant AND i.digest = s.input_ref
         LEFT JOIN payload o ON o.tenant = s.tenant AND o.digest = s.output_ref
         LEFT JOIN tried t ON t.tenant = s.tenant AND t.run = s.run AND t.seq = s.seq
         WHERE s.tenant = ? AND s.run = ? ORDER BY s.seq",
    )
    .bind(tenant.bytes())
    .bind(run.bytes())
    .fetch_all(&mut *tx)
    .await
    .or_failed("read a journal")?;
    let calls = sqlx::query("SELECT body FROM open_call WHERE tenant = ? AND run = ? AND seq > ? ORDER BY seq")
        .bind(tenant.bytes())
        .bind(run.bytes())
        .bind(record.head_seq)
        .fetch_all(&mut *tx)
        .await
        .or_failed("read open calls")?;
    let approvals = approval::of_run(tx, tenant, run).await?;
    Ok(Some(Journal {
        snapshot: snapshot.maybe_json("snapshot")?,
        steps: steps.iter().map(step).collect::<Result<_>>()?,
        calls: calls.iter().map(|row| row.json("body")).collect::<Result<_>>()?,
        approvals,
        commits: record.commits,
        reserved: record.reserved,
        forfeited: record.forfeited,
    }))
}

struct StepRow {
    seq: u32,
    body: String,
    input_ref: Option<Vec<u8>>,
    output_ref: Option<Vec<u8>>,
    tried: Option<String>,
}

impl StepRow {
    /// Splits a step into its row and its long payloads.
    fn new(step: &Step, payloads: &mut BTreeMap<Digest, String>) -> Result<Self> {
        let mut body =
            serde_json::to_value(step).map_err(|e| Error::invalid("step has no JSON form").with_source(e))?;
        let mut refs = [None, None];
        for (place, name) in refs.iter_mut().zip(["input", "output"]) {
            let Some((digest, text)) = body.get(name).map(long_payload).transpose()?.flatten() else { continue };
            if let Some(members) = body.as_object_mut() {
                members.insert(name.to_owned(), Value::Null);
            }
            *place = Some(digest.as_bytes().to_vec());
            payloads.insert(digest, text);
        }
        let [input_ref, output_ref] = refs;
        let tried = body.as_object_mut().and_then(|members| members.remove("tried"));
        let tried = tried.map(|tried| to_json(&tried)).transpose()?;
        Ok(Self { seq: step.seq, body: to_json(&body)?, input_ref, output_ref, tried })
    }
}

/// The digest and the text of a payload that is too long for a row.
///
/// The text is not the canonical one, which has room for fewer numbers than JSON.
fn long_payload(value: &Value) -> Result<Option<(Digest, String)>> {
    let text = to_json(value)?;
    // The canonical form of a number is at most 22 characters, and that of all else is no longer
    // than the text: a text far below the limit needs no closer look.
    if text.len() <= INLINE_PAYLOAD_BYTES / 16 {
        return Ok(None);
    }
    let canonical = serde_json_canonicalizer::to_vec(value)
        .map_err(|e| Error::invalid("payload has no canonical JSON form").with_source(e))?;
    Ok((canonical.len() > INLINE_PAYLOAD_BYTES).then(|| (Digest::of_bytes(&canonical), text)))
}

fn step(row: &SqliteRow) -> Result<Step> {
    let mut step: Step = row.json("body")?;
    if let Some(input) = row.maybe_json("input")? {
        step.input = input;
    }
    step.tried = row.maybe_json("tried")?;
    let output_ref: Option<&[u8]> = row.try_get("output_ref").or_failed("read a journal")?;
    if output_ref.is_some() {
        step.output = row.maybe_json("output")?;
        step.payload_ref = row.maybe_bytes("output_ref")?;
    }
    Ok(step)
}
