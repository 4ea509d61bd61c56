use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;
use worktruck_core::entity::Term;
use worktruck_core::run::{Commit, Lease};
use worktruck_core::store::draft::{Draft, Indexed, Place, Stored};
use worktruck_core::store::{
    Applied, AuditEntry, ChangedEntity, Changes, EntityKey, Provenance, TenantHead, keys, most_with_term,
};
use worktruck_core::temporal::Slice;
use worktruck_core::{EntityId, Error, Period, Result, TenantId, Timestamp};

use crate::error::{Failure, OrFailed as _};
use crate::request;
use crate::rows::{Columns as _, is_kept, number};

use super::index::{from_hex, key_bytes};
use super::write::EntityBatch;

/// What a draft must know of a stored row to replace it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Old {
    pub(super) created_at: i64,
    pub(super) sys_from: i64,
}

/// The drafts of all tenants whose entities a group of commits changes.
#[derive(Debug)]
pub(crate) struct Drafts {
    tenants: BTreeMap<TenantId, Drafting>,
}

#[derive(Debug)]
struct Drafting {
    draft: Draft<Old>,
    was: TenantHead,
}

/// What the commits of one tenant need.
struct Wanted {
    /// Of each entity, the begin of what is touched of its valid time, if it is before the present.
    keys: BTreeMap<EntityKey, Timestamp>,
    terms: BTreeSet<(worktruck_core::entity::Kind, Term)>,
    /// The earliest and the latest present of the commits, unless the floor is later.
    from: Timestamp,
    until: Timestamp,
    commits: i64,
}

impl Drafts {
    /// Loads all that `sets`, each a commit, touch and rest on, and all that has come due.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        sets: &[(TenantId, &Changes, Timestamp)],
    ) -> Result<Self, Failure> {
        let mut wanted: BTreeMap<TenantId, Wanted> = BTreeMap::new();
        for (tenant, changes, now) in sets {
            wanted.entry(*tenant).or_insert_with(Wanted::new).add(changes, *now);
        }
        let mut loaded = read(connection, &wanted).await?;
        let missing: Vec<Uuid> =
            wanted.keys().filter(|tenant| !loaded.heads.contains_key(tenant)).map(|tenant| tenant.as_uuid()).collect();
        if !missing.is_empty() {
            add_tenants(connection, &missing).await?;
            loaded = read(connection, &wanted).await?;
        }
        let more = loaded.lacking(&wanted);
        if !more.is_empty() || !loaded.due.is_empty() {
            add_due(connection, &loaded.due, &mut wanted).await?;
            for (tenant, key) in more {
                wanted.entry(tenant).or_insert_with(Wanted::new).keys.insert(key, FIRST);
            }
            loaded = read(connection, &wanted).await?;
        }
        let tenants = loaded.heads.iter().map(|(tenant, (head, committed_at))| {
            (*tenant, Drafting { draft: Draft::new(*tenant, *head, *committed_at), was: *head })
        });
        let mut drafts = Self { tenants: tenants.collect() };
        for (tenant, stored, _) in loaded.slices {
            drafts.of(tenant)?.add_slice(stored);
        }
        for (tenant, key, version) in loaded.erased {
            drafts.of(tenant)?.add_erased(key, version);
        }
        for (tenant, key, term, valid_to) in loaded.holders {
            drafts.of(tenant)?.add_holder(key, term, valid_to);
        }
        for (tenant, key, record) in request::of_changes(connection, sets).await? {
            drafts.of(tenant)?.add_request(key, record);
        }
        Ok(drafts)
    }

    /// Makes the changes of the steps of a run's commit: all of them, or none and the error says which.
    pub(crate) fn apply_steps(
        &mut self,
        lease: &Lease,
        blueprint: &str,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), (u32, Error)> {
        let changing: Vec<_> = commit.steps.iter().filter(|step| !step.changes.is_empty()).collect();
        let Some(first) = changing.first() else { return Ok(()) };
        let provenance = |seq| Provenance::agent_run(blueprint, lease.run(), seq);
        let commits: Vec<(&Changes, Provenance)> =
            changing.iter().map(|step| (&step.changes, provenance(step.step.seq))).collect();
        let draft = self.of(lease.tenant()).map_err(|error| (first.step.seq, error))?;
        match draft.apply_all(&commits, now) {
            Ok(_) => Ok(()),
            Err(refused) => {
                Err((changing.get(refused.place).map_or(first.step.seq, |step| step.step.seq), refused.error))
            }
        }
    }

    /// Makes changes.
    pub(crate) fn apply(
        &mut self,
        tenant: TenantId,
        changes: &Changes,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Applied> {
        self.of(tenant)?.apply(changes, provenance, now)
    }

    /// Makes a commit that says what was done to an entity outside the drafts.
    pub(super) fn record(
        &mut self,
        tenant: TenantId,
        entity: ChangedEntity,
        provenance: Provenance,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.of(tenant)?.record(entity, provenance, audit, now);
        Ok(())
    }

    /// The rows that all of it comes to.
    pub(crate) fn batch(self) -> Result<EntityBatch> {
        self.batch_without(None)
    }

    /// The rows that all of it comes to, without those of one entity.
    pub(super) fn batch_without(self, left_out: Option<EntityKey>) -> Result<EntityBatch> {
        let mut batch = EntityBatch::default();
        for Drafting { draft, was } in self.tenants.into_values() {
            if let Some(mut rows) = draft.rows() {
                if let Some(key) = left_out {
                    rows.new_heads.retain(|row| row.key != key);
                    rows.old_heads.retain(|row| row.key != key);
                    rows.kept_heads.retain(|row| row.head.key != key);
                    rows.new_slices.retain(|row| row.key != key);
                    rows.ended.retain(|row| row.slice.key != key);
                    rows.unscheduled.retain(|row| row.key != key);
                    rows.promoted.retain(|row| row.key != key);
                    for rows in [&mut rows.old_terms, &mut rows.new_terms, &mut rows.old_sort, &mut rows.new_sort] {
                        rows.retain(|row| row.key != key);
                    }
                }
                batch.push(was, rows)?;
            }
        }
        Ok(batch)
    }

    fn of(&mut self, tenant: TenantId) -> Result<&mut Draft<Old>> {
        let drafting = self.tenants.get_mut(&tenant);
        drafting.map(|drafting| &mut drafting.draft).ok_or_else(|| Error::internal("a tenant was not loaded"))
    }
}

const FIRST: Timestamp = Timestamp::from_micros(i64::MIN);

impl Wanted {
    const fn new() -> Self {
        Self { keys: BTreeMap::new(), terms: BTreeSet::new(), from: Timestamp::FOREVER, until: FIRST, commits: 0 }
    }

    fn add(&mut self, changes: &Changes, now: Timestamp) {
        self.from = self.from.min(now);
        self.until = self.until.max(now);
        self.commits += 1;
        for key in keys(changes) {
            self.want(key, Timestamp::FOREVER);
        }
        for change in &changes.writes {
            self.want(change.key, change.write.valid_from.unwrap_or(Timestamp::FOREVER));
        }
        for require in &changes.requires {
            if let Some((kind, term, _)) = most_with_term(require) {
                self.terms.insert((kind, term.clone()));
            }
        }
    }

    fn want(&mut self, key: EntityKey, from: Timestamp) {
        let touched = self.keys.entry(key).or_insert(from);
        *touched = from.min(*touched);
    }
}

#[derive(Default)]
struct Loaded {
    heads: BTreeMap<TenantId, (TenantHead, Option<Timestamp>)>,
    /// Tenants with scheduled slices whose time has come, and until when.
    due: Vec<(TenantId, Timestamp)>,
    /// With each slice the newest version of its entity, as the head has it.
    slices: Vec<(TenantId, Stored<Old>, Option<u64>)>,
    erased: Vec<(TenantId, EntityKey, u64)>,
    holders: Vec<(TenantId, EntityKey, Term, Timestamp)>,
}

impl Loaded {
    /// Entities whose newest version is in a slice that was left out.
    fn lacking(&self, wanted: &BTreeMap<TenantId, Wanted>) -> Vec<(TenantId, EntityKey)> {
        let mut newest: BTreeMap<(TenantId, EntityKey), (u64, u64)> = BTreeMap::new();
        for (tenant, stored, of_head) in &self.slices {
            let (there, known) = newest.entry((*tenant, stored.key)).or_default();
            *there = stored.slice.version.max(*there);
            *known = of_head.unwrap_or(0).max(*known);
        }
        let lacks = newest.into_iter().filter(|(_, (there, known))| there < known).map(|(key, _)| key);
        let is_partial = |(tenant, key): &(TenantId, EntityKey)| {
            wanted.get(tenant).and_then(|wanted| wanted.keys.get(key)).is_some_and(|from| *from != FIRST)
        };
        lacks.filter(is_partial).collect()
    }
}

/// All of it is one statement, so that it is about one moment and takes one round trip.
async fn read(connection: &mut PgConnection, wanted: &BTreeMap<TenantId, Wanted>) -> Result<Loaded, Failure> {
    let (mut tenants, mut froms, mut untils, mut commits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut of, mut kinds, mut ids, mut touched) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut term_of, mut term_kinds, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (tenant, wanted) in wanted {
        tenants.push(tenant.as_uuid());
        froms.push(wanted.from.as_micros());
        untils.push(wanted.until.as_micros());
        commits.push(wanted.commits);
        for (key, from) in &wanted.keys {
            of.push(tenant.as_uuid());
            kinds.push(key.kind.as_str());
            ids.push(key.id.as_uuid());
            touched.push(from.as_micros());
        }
        // Nothing has a term of any other name.
        for (kind, term) in wanted.terms.iter().filter(|(_, term)| is_kept(&term.name)) {
            term_of.push(tenant.as_uuid());
            term_kinds.push(kind.as_str());
            names.push(term.name.as_str());
            values.push(key_bytes(&term.value));
        }
    }
    let rows = sqlx::query(
        "WITH k AS (SELECT * FROM unnest($4::uuid[], $5::text[], $6::uuid[], $7::bigint[]) k(tenant, kind, id, touched)),
         held AS MATERIALIZED (
             SELECT k.tenant AS of_tenant, k.kind AS of_kind, k.id AS of_id, k.touched, h.*
             FROM k LEFT JOIN head h ON h.tenant = k.tenant AND h.kind = k.kind AND h.id = k.id),
         w AS MATERIALIZED (
             SELECT h.*, w.commits, greatest(w.from_, h.floor) AS from_, greatest(w.until, h.floor) AS until
             FROM unnest($1::uuid[], $12::bigint[], $2::bigint[], $3::bigint[]) w(tenant, from_, until, commits)
             JOIN tenant_head h ON h.tenant = w.tenant)
         SELECT 't' AS what, h.tenant, NULL::text AS kind, NULL::uuid AS id, h.committed_at AS created_at,
             NULL::bigint AS version, NULL::bigint AS newest, h.tx_id, NULL::bigint AS sys_from,
             h.floor AS valid_from, NULL::bigint AS valid_to, EXISTS (
                 SELECT 1 FROM slice s WHERE s.tenant = h.tenant AND s.scheduled
                     AND s.valid_from <= h.until + h.commits
             ) AS carried, FALSE AS scheduled, NULL AS body, NULL AS terms, NULL AS sort, NULL::text AS name,
             NULL::bytea AS value
         FROM w h
         UNION ALL
         SELECT 'h', tenant, kind, id, created_at, version, newest, tx_id, sys_from, valid_from, valid_to, carried,
             FALSE, body::text, terms::text, sort::text, NULL, NULL
         FROM held WHERE id IS NOT NULL
         UNION ALL
         SELECT 's', s.tenant, s.kind, s.id, s.created_at, s.version, h.newest, s.tx_id, s.sys_from, s.valid_from,
             s.valid_to, s.carried, s.scheduled, s.body::text, s.terms::text, s.sort::text, NULL, NULL
         FROM held h JOIN w ON w.tenant = h.of_tenant
             CROSS JOIN LATERAL (
                 SELECT * FROM slice s WHERE s.tenant = h.of_tenant AND s.kind = h.of_kind AND s.id = h.of_id
                     AND s.sys_to = 9223372036854775807
                     AND s.valid_to > CASE WHEN h.id IS NULL THEN $13 ELSE least(h.touched, w.from_) END
                 OFFSET 0) s
         UNION ALL
         SELECT 'e', e.tenant, e.kind, e.id, NULL, e.version, NULL, NULL, NULL, NULL, NULL, FALSE, FALSE, NULL, NULL,
             NULL, NULL, NULL
         FROM k JOIN erased e ON e.tenant = k.tenant AND e.kind = k.kind AND e.id = k.id
         UNION ALL
         SELECT 'u', t.tenant, t.kind, t.id, NULL, NULL, NULL, NULL, NULL, NULL, h.valid_to, FALSE, FALSE, NULL, NULL,
             NULL, t.name, t.value
         FROM unnest($8::uuid[], $9::text[], $10::text[], $11::bytea[]) u(tenant, kind, name, value)
             JOIN term t ON t.tenant = u.tenant AND t.kind = u.kind AND t.name = u.name AND t.value = u.value
             JOIN head h ON h.tenant = t.tenant AND h.kind = t.kind AND h.id = t.id",
    )
    .bind(tenants)
    .bind(untils)
    .bind(commits)
    .bind(of)
    .bind(kinds)
    .bind(ids)
    .bind(touched)
    .bind(term_of)
    .bind(term_kinds)
    .bind(names)
    .bind(values)
    .bind(froms)
    .bind(FIRST.as_micros())
    .fetch_all(connection)
    .await?;
    let mut loaded = Loaded::default();
    for row in &rows {
        loaded.take(row, wanted)?;
    }
    Ok(loaded)
}

impl Loaded {
    fn take(&mut self, row: &PgRow, wanted: &BTreeMap<TenantId, Wanted>) -> Result<()> {
        let tenant = TenantId::from_uuid(row.id("tenant")?);
        match row.text("what")? {
            "t" => {
                // What is written does not go by the horizon.
                let head =
                    TenantHead { tx_id: row.number("tx_id")?, floor: row.time("valid_from")?, ..TenantHead::default() };
                self.heads.insert(tenant, (head, row.maybe_time("created_at")?));
                if row.flag("carried")?
                    && let Some(wanted) = wanted.get(&tenant)
                {
                    let until = wanted.until.max(head.floor).as_micros().saturating_add(wanted.commits);
                    self.due.push((tenant, Timestamp::from_micros(until)));
                }
            }
            "e" => self.erased.push((tenant, key(row)?, row.number("version")?)),
            "u" => {
                let value: Vec<u8> = row.try_get("value").or_failed("look for a term")?;
                let asked = wanted.get(&tenant).and_then(|wanted| {
                    let named = wanted.terms.iter().map(|(_, term)| term);
                    named.into_iter().find(|term| {
                        row.text("name").is_ok_and(|name| name == term.name) && key_bytes(&term.value) == value
                    })
                });
                if let Some(term) = asked {
                    self.holders.push((tenant, key(row)?, term.clone(), row.time("valid_to")?));
                }
            }
            what => {
                let newest = row.maybe_number("newest")?;
                self.slices.push((tenant, stored(row, what == "h")?, newest));
            }
        }
        Ok(())
    }
}

pub(super) fn stored(row: &PgRow, in_head: bool) -> Result<Stored<Old>> {
    let created_at = row.time("created_at")?;
    let sys_from = row.time("sys_from")?;
    let old = Old { created_at: created_at.as_micros(), sys_from: sys_from.as_micros() };
    let index = match (row.maybe_json::<Vec<(String, String)>>("terms")?, row.maybe_json("sort")?) {
        (Some(terms), Some(sort)) => Some(Indexed {
            terms: terms.into_iter().map(|(name, value)| Term::new(name, value)).collect(),
            sort: from_hex(sort)?,
            words: None,
        }),
        _ => None,
    };
    Ok(Stored {
        key: key(row)?,
        created_at,
        slice: Slice {
            version: row.number("version")?,
            body: row.maybe_json("body")?,
            sys: Period::starting(sys_from),
            valid: Period::new(row.time("valid_from")?, row.time("valid_to")?)?,
            carried: row.flag("carried")?,
            tx_id: row.number("tx_id")?,
        },
        index,
        place: if in_head { Place::Head(old) } else { Place::Slice { row: old, scheduled: row.flag("scheduled")? } },
    })
}

/// The entity that a row with `kind` and `id` is about.
pub(super) fn key(row: &PgRow) -> Result<EntityKey> {
    Ok(EntityKey::new(row.text("kind")?.parse()?, EntityId::from_uuid(row.id("id")?)))
}

/// Lets tenants have a row to be locked before their first commit.
async fn add_tenants(connection: &mut PgConnection, tenants: &[Uuid]) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO tenant_head (tenant, tx_id, floor) SELECT tenant, 0, $2 FROM unnest($1::uuid[]) w(tenant)
         ORDER BY tenant ON CONFLICT (tenant) DO NOTHING",
    )
    .bind(tenants)
    .bind(number(TenantHead::default().floor.as_micros())?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds the entities with slices whose time has come.
async fn add_due(
    connection: &mut PgConnection,
    due: &[(TenantId, Timestamp)],
    wanted: &mut BTreeMap<TenantId, Wanted>,
) -> Result<(), Failure> {
    for (tenant, until) in due {
        let rows = sqlx::query("SELECT kind, id FROM slice WHERE tenant = $1 AND scheduled AND valid_from <= $2")
            .bind(tenant.as_uuid())
            .bind(until.as_micros())
            .fetch_all(&mut *connection)
            .await?;
        let wanted = wanted.entry(*tenant).or_insert_with(Wanted::new);
        for row in &rows {
            wanted.want(key(row)?, FIRST);
        }
    }
    Ok(())
}
