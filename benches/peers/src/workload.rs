use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::ValueEnum;
use durare::{DurableContext, Param, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;

/// What each step of a run does.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ValueEnum)]
pub(crate) enum Work {
    /// It is recorded.
    Journal,
    /// It is recorded, and a contact is created or changed with it.
    Entity,
}

/// What a run is asked for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Asked {
    pub(crate) work: Work,
    pub(crate) steps: usize,
    /// The size of a step's result.
    pub(crate) bytes: usize,
}

/// How many runs have done their last step.
pub(crate) static DONE: AtomicUsize = AtomicUsize::new(0);
/// When the first step of the last run began.
pub(crate) static BEGAN: Mutex<Option<Instant>> = Mutex::new(None);

#[durare::workflow]
pub(crate) async fn bench(context: DurableContext, asked: Asked) -> Result<()> {
    for seq in 0..asked.steps {
        match asked.work {
            Work::Journal => {
                let result = json!({ "text": "y".repeat(asked.bytes) });
                let first = seq == 0;
                let _: Value = context
                    .step("echo", move || async move {
                        if first {
                            *BEGAN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                        }
                        Ok::<_, durare::Error>(result)
                    })
                    .await?;
            }
            Work::Entity => change(&context, seq, asked.bytes).await?,
        }
    }
    DONE.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// Creates a contact in every other step, and changes it in the step after.
async fn change(context: &DurableContext, seq: usize, bytes: usize) -> Result<()> {
    let id = format!("{}-{}", context.workflow_id(), seq / 2);
    let sql = if seq.is_multiple_of(2) {
        "INSERT INTO contact (body, id, created_at, updated_at) VALUES (CAST(? AS jsonb), ?, now(), now())"
    } else {
        "UPDATE contact SET body = CAST(? AS jsonb), updated_at = now() WHERE id = ?"
    };
    let body = json!({
        "display_name": format!("Ada Byron {seq}"), "given_name": "Ada", "family_name": "Byron",
        "tags": ["fair"], "vcard_uid": id, "nickname": format!("Ad {seq}"),
        "metadata": { "note": "met at the fair, wants to hear from us in spring" }
    });
    let parameters = [Param::Text(body.to_string()), Param::Text(id)];
    let result = json!({ "text": "y".repeat(bytes) });
    let _: Value = context
        .transaction("contact", move |tx| {
            let (parameters, result) = (parameters.clone(), result.clone());
            Box::pin(async move {
                tx.execute(sql, &parameters).await?;
                Ok(result)
            })
        })
        .await?;
    Ok(())
}

/// Makes the table that the entity steps write to, beside durare's own.
pub(crate) async fn prepare(pool: &PgPool) -> Result<()> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS contact (
             id text COLLATE \"C\" PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
             body jsonb NOT NULL);
         CREATE INDEX IF NOT EXISTS contact_created ON contact (created_at, id);",
    )
    .execute(pool)
    .await?;
    Ok(())
}
