//! Identifiers: UUIDv7 newtypes, and where new ones come from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::{Error, Result, Timestamp};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// A new id from `ids`, stamped `now`.
            pub fn new(ids: &dyn IdSource, now: Timestamp) -> Self {
                Self(ids.next_uuid(now))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|e| Error::invalid(format!("{text:?} is not a UUID")).with_source(e))
            }
        }
    };
}

id! {
    /// Names an entity: a contact, a merge proposal, an agent config.
    EntityId
}
id! {
    /// Names a part inside an entity: a channel, an address, a date.
    ItemId
}
id! {
    /// Names a message on its way to a webhook.
    DeliveryId
}
id! {
    /// Names a run.
    RunId
}
id! {
    /// Names a journaled step.
    StepId
}
id! {
    /// Names an approval.
    ApprovalId
}
id! {
    /// Names an API key.
    ApiKeyId
}
id! {
    /// Names a tenant. Nothing of one tenant is ever visible to another.
    TenantId
}

/// Where new ids come from.
///
/// # Contract
///
/// - Every UUID is version 7 (RFC 9562), carries `now` in milliseconds, and is returned once.
pub trait IdSource: fmt::Debug + Send + Sync {
    /// A new UUIDv7 stamped `now`.
    fn next_uuid(&self, now: Timestamp) -> Uuid;
}

/// Ids that a tool makes inside a run: the same call makes the same ids when it is run again.
///
/// The random bits are SHA-256 over the run, the step's sequence number and a counter.
///
/// # Examples
///
/// ```
/// use worktruck_core::{DerivedIds, EntityId, RunId, Timestamp};
///
/// let run: RunId = "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d".parse()?;
/// let at = Timestamp::EPOCH;
/// let first = EntityId::new(&DerivedIds::new(run, 4), at);
/// assert_eq!(first, EntityId::new(&DerivedIds::new(run, 4), at));
/// assert_ne!(first, EntityId::new(&DerivedIds::new(run, 5), at));
/// # Ok::<(), worktruck_core::Error>(())
/// ```
#[derive(Debug)]
pub struct DerivedIds {
    run: RunId,
    seq: u32,
    next: std::sync::atomic::AtomicU32,
}

impl DerivedIds {
    /// The ids of the call at `seq` of `run`.
    #[must_use]
    pub const fn new(run: RunId, seq: u32) -> Self {
        Self { run, seq, next: std::sync::atomic::AtomicU32::new(0) }
    }
}

impl IdSource for DerivedIds {
    fn next_uuid(&self, now: Timestamp) -> Uuid {
        let n = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(self.run.as_uuid().as_bytes());
        hash.update(self.seq.to_be_bytes());
        hash.update(n.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
