use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::{Kind, inner_fields};
use crate::store::{ChangedEntity, EntityKey, TenantCommit, Version};
use crate::temporal::{FieldChange, Stretch, compare, diff};
use crate::{Cursor, Page, PageRequest, Period, Result, RunId, TenantId, Timestamp};

use super::written::entities_of;
use super::{Named, Undo};

/// What one step of a run made of an entity over one stretch of valid time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RunChange {
    /// The entity.
    pub entity: Named,
    /// The step that wrote it.
    pub step_seq: u32,
    /// The commit, counted per tenant.
    pub tx_id: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The version of the entity that it made.
    pub version: u64,
    /// When it begins to hold in the world.
    pub valid_from: Timestamp,
    /// When it ceases to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// The entity before; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The entity after; absent if it was not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// The fields that differ.
    pub diff: Vec<FieldChange>,
    /// Whether the entity was erased since, so that nothing else can be said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_erased: bool,
}

/// How far a list of changes was shown.
#[derive(Default, Deserialize, Serialize)]
struct Place {
    /// The page of the store that it goes on in.
    stored: Option<Cursor>,
    /// The last one: its commit, its place among the entities of the commit, and its place in what was done to that.
    after: Option<(u64, usize, usize)>,
}

impl Undo {
    /// A page of what the steps of a run wrote, in order: a line for each stretch of valid time of each entity that a
    /// step changed. Whether it was undone since does not matter, and what undid it is not shown.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the tenant has no such run.
    /// - `HistoryExpired`: the run began before what the tenant keeps.
    /// - `InvalidCursor`: the cursor is damaged or belongs to another list.
    pub async fn changes(&self, tenant: TenantId, run: RunId, page: PageRequest) -> Result<Page<RunChange>> {
        self.known(tenant, run).await?;
        let scope = ("changes of", tenant, run);
        let Place { mut stored, after } =
            page.cursor().map(|cursor| cursor.open(&scope)).transpose()?.unwrap_or_default();
        let (mut shown, mut last) = (Vec::new(), after);
        loop {
            let commits = self.store.commits_of(tenant, run, PageRequest::largest(stored.clone())).await?;
            for commit in &commits.data {
                for (place, entity) in entities_of(commit).enumerate() {
                    if after.is_some_and(|(tx, of, _)| (commit.tx_id, place) < (tx, of)) {
                        continue;
                    }
                    for (part, change) in self.done(tenant, commit, entity).await?.into_iter().enumerate() {
                        let here = (commit.tx_id, place, part);
                        if after.is_some_and(|after| here <= after) {
                            continue;
                        }
                        if shown.len() == page.limit() {
                            let next = Cursor::seal(&scope, &Place { stored, after: last })?;
                            return Ok(Page::new(shown, Some(next)));
                        }
                        last = Some(here);
                        shown.push(change);
                    }
                }
            }
            stored = commits.next_cursor;
            if stored.is_none() {
                return Ok(Page::new(shown, None));
            }
        }
    }

    /// What a commit did to an entity.
    async fn done(&self, tenant: TenantId, commit: &TenantCommit, entity: &ChangedEntity) -> Result<Vec<RunChange>> {
        let (key, now) = (EntityKey::new(entity.kind, entity.id), self.clock.now());
        let at = commit.committed_at;
        let line = |valid: Period| RunChange {
            entity: key.into(),
            step_seq: commit.provenance.step_seq.unwrap_or_default(),
            tx_id: commit.tx_id,
            at,
            version: entity.version,
            valid_from: valid.from(),
            valid_to: Some(valid.to()).filter(|_| !valid.is_open()),
            before: None,
            after: None,
            diff: Vec::new(),
            is_erased: false,
        };
        // A commit may be stamped later than the clock shows.
        let now = now.max(at);
        let after = self.store.slices(tenant, key, always(), Some(at), now).await?;
        let own = after.iter().filter(|version| version.slice.tx_id == commit.tx_id && !version.slice.carried);
        let Some(over) = own.map(Version::valid).reduce(hull) else {
            return Ok(vec![RunChange { is_erased: true, ..line(Period::starting(at)) }]);
        };
        let before = self.store.slices(tenant, key, over, Some(at.previous()), now).await?;
        let stretches = compare(before.iter().map(|v| &v.slice), after.iter().map(|v| &v.slice), over);
        let change = |Stretch { valid, before, after }: Stretch| {
            let [before, after] = [before, after].map(|body| body.map(|body| without_inner(key.kind, body)));
            RunChange { diff: diff(before.as_ref(), after.as_ref()), before, after, ..line(valid) }
        };
        Ok(stretches.into_iter().map(change).collect())
    }
}

/// All of valid time.
fn always() -> Period {
    Period::starting(Timestamp::from_micros(i64::MIN))
}

/// The least period that has both.
pub(super) fn hull(one: Period, other: Period) -> Period {
    // Invariant: both are periods, so the later end is after the earlier begin.
    Period::new(one.from().min(other.from()), one.to().max(other.to())).unwrap_or(one)
}

fn without_inner(kind: Kind, mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        for field in inner_fields(kind) {
            members.remove(*field);
        }
    }
    body
}
