use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;
use worktruck_core::run::{ClaimRequest, Claimed, Lease, Renewal};
use worktruck_core::{Result, Timestamp};

use crate::PgStore;
use crate::error::{OrFailed as _, is_transient};
use crate::rows::{Columns as _, number};
use crate::statement::{Statement, columns};

use super::batch::{Batch, Was};
use super::record::{self, records};

/// Takes runs that may be claimed.
pub(super) async fn claim(store: &PgStore, request: &ClaimRequest, now: Timestamp) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    while claimed.len() < request.limit {
        let left = ClaimRequest { limit: request.limit - claimed.len(), ..request.clone() };
        let mut connection = store.readers.acquire().await.or_failed("claim runs")?;
        match claim_once(store, &mut connection, &left, now).await {
            Ok((taken, passed_over)) => {
                claimed.extend(taken);
                // What others were taking at that moment may be more than what there was.
                if !passed_over {
                    break;
                }
            }
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error).or_failed("claim runs"),
        }
    }
    Ok(claimed)
}
