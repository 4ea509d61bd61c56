//! What is promised of the tables, a statement for each promise. It finds where the promise is broken,
//! among the tenants from `$1` to `$2`.

/// A promise, and where it is broken.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) what: &'static str,
    pub(super) sql: &'static str,
}

/// No two slices of an entity, the head among them, overlap in both times.
///
/// Of two that overlap one begins, in system time, while the other is believed. Few do, so that each
/// slice is compared with few.
const OVERLAPS: Check = Check {
    what: "slices of an entity overlap in both times",
    sql: "SELECT DISTINCT a.tenant, a.kind, a.id FROM slice a CROSS JOIN LATERAL (
              SELECT FROM slice b WHERE b.tenant = a.tenant AND b.kind = a.kind AND b.id = a.id
                  AND b.sys_from >= a.sys_from AND b.sys_from < a.sys_to
                  AND b.valid_from < a.valid_to AND a.valid_from < b.valid_to
                  AND (b.sys_from, b.valid_from, b.sys_to, b.valid_to)
                      <> (a.sys_from, a.valid_from, a.sys_to, a.valid_to)
              LIMIT 1) b
          WHERE a.tenant BETWEEN $1 AND $2
          UNION
          SELECT h.tenant, h.kind, h.id FROM head h CROSS JOIN LATERAL (
              SELECT FROM slice s WHERE s.tenant = h.tenant AND s.kind = h.kind AND s.id = h.id
                  AND s.sys_to > h.sys_from AND s.valid_from < h.valid_to AND h.valid_from < s.valid_to
              LIMIT 1) s
          WHERE h.tenant BETWEEN $1 AND $2",
};

/// A head has begun at its tenant's newest commit. It may have ended since, if nothing follows it.
const EARLY_HEADS: Check = Check {
    what: "a head begins after its tenant's newest commit",
    sql: "SELECT h.tenant, h.kind, h.id FROM head h LEFT JOIN tenant_head t ON t.tenant = h.tenant
          WHERE h.tenant BETWEEN $1 AND $2 AND (t.committed_at IS NULL OR h.valid_from > t.committed_at)",
};

/// What holds at its tenant's newest commit is a head.
const MISSED_HEADS: Check = Check {
    what: "a slice that holds at its tenant's newest commit is no head",
    sql: "SELECT s.tenant, s.kind, s.id FROM slice s JOIN tenant_head t ON t.tenant = s.tenant
          WHERE s.tenant BETWEEN $1 AND $2 AND s.sys_to = 9223372036854775807 AND s.body IS NOT NULL
              AND s.valid_from <= t.committed_at AND t.committed_at < s.valid_to",
};

/// A head knows the newest version of its entity.
const NEWEST: Check = Check {
    what: "a head does not know the newest version of its entity",
    sql: "SELECT h.tenant, h.kind, h.id FROM head h CROSS JOIN LATERAL (
              SELECT max(s.version) AS version FROM slice s
              WHERE s.tenant = h.tenant AND s.kind = h.kind AND s.id = h.id) s
          WHERE h.tenant BETWEEN $1 AND $2 AND h.newest <> greatest(h.version, s.version)",
};

/// A slice is scheduled if it is believed and begins after its tenant's newest commit.
const SCHEDULED: Check = Check {
    what: "a slice is scheduled that is not to come, or the other way round",
    sql: "SELECT DISTINCT s.tenant, s.kind, s.id FROM slice s JOIN tenant_head t ON t.tenant = s.tenant
          WHERE s.tenant BETWEEN $1 AND $2
              AND s.scheduled <> (s.sys_to = 9223372036854775807 AND s.valid_from > t.committed_at)",
};

/// Every slice and head was written by a commit.
const UNCOMMITTED: Check = Check {
    what: "a slice is of a commit that does not exist",
    sql: "SELECT DISTINCT e.tenant, e.kind, e.id FROM (
              SELECT tenant, kind, id, tx_id FROM head UNION ALL SELECT tenant, kind, id, tx_id FROM slice) e
          LEFT JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id
          WHERE e.tenant BETWEEN $1 AND $2 AND c.tenant IS NULL",
};

/// A head has the provenance of its commit.
const PROVENANCE: Check = Check {
    what: "a head has not the provenance of its commit",
    sql: "SELECT h.tenant, h.kind, h.id FROM head h JOIN entity_commit c ON c.tenant = h.tenant AND c.tx_id = h.tx_id
          WHERE h.tenant BETWEEN $1 AND $2 AND h.provenance::text <> c.provenance::text",
};

pub(super) const TERMS: &str = "the rows of term are not those of the head";
/// A head has as many rows of `term` as terms, and nothing else has any.
const TERM_ROWS: Check = Check {
    what: TERMS,
    sql: "SELECT tenant, kind, id FROM (
              SELECT tenant, kind, id, CASE json_typeof(terms) WHEN 'array' THEN json_array_length(terms) END AS n
              FROM head WHERE tenant BETWEEN $1 AND $2) h
          FULL JOIN (
              SELECT tenant, kind, id, count(*) AS n FROM term WHERE tenant BETWEEN $1 AND $2
              GROUP BY tenant, kind, id) t USING (tenant, kind, id)
          WHERE coalesce(h.n, 0) <> coalesce(t.n, 0)",
};

pub(super) const SORT_KEYS: &str = "the rows of sort_key are not those of the head";
/// A head has as many rows of `sort_key` as sort keys and one for its time, and nothing else has any.
const SORT_ROWS: Check = Check {
    what: SORT_KEYS,
    sql: "SELECT tenant, kind, id FROM (
              SELECT tenant, kind, id, 1 + CASE json_typeof(sort) WHEN 'object'
                  THEN (SELECT count(*) FROM json_object_keys(sort)) ELSE 0 END AS n
              FROM head WHERE tenant BETWEEN $1 AND $2) h
          FULL JOIN (
              SELECT tenant, kind, id, count(*) AS n FROM sort_key WHERE tenant BETWEEN $1 AND $2
              GROUP BY tenant, kind, id) k USING (tenant, kind, id)
          WHERE coalesce(h.n, 0) <> coalesce(k.n, 0)",
};

pub(super) const WORDS: &str = "the row of search is not that of the head";
/// A head has a row of `search`, and nothing else has one.
const WORD_ROWS: Check = Check {
    what: WORDS,
    sql: "SELECT tenant, kind, id FROM (
              SELECT tenant, kind, id, TRUE AS is_there FROM head WHERE tenant BETWEEN $1 AND $2) h
          FULL JOIN (
              SELECT tenant, kind, id, TRUE AS is_there FROM search WHERE tenant BETWEEN $1 AND $2) w
          USING (tenant, kind, id)
          WHERE h.is_there IS NULL OR w.is_there IS NULL",
};

/// What is checked of entities.
pub(super) const OF_ENTITIES: [Check; 10] =
    [OVERLAPS, EARLY_HEADS, MISSED_HEADS, NEWEST, SCHEDULED, UNCOMMITTED, PROVENANCE, TERM_ROWS, SORT_ROWS, WORD_ROWS];

/// The newest commit of a tenant is the one that the tenant's head is at, unless that lies before the
/// horizon and may be gone.
const UPPER_END: Check = Check {
    what: "the newest commit is not the one that the tenant's head is at",
    sql: "SELECT tenant FROM (SELECT * FROM tenant_head WHERE tenant BETWEEN $1 AND $2) h
          FULL JOIN (
              SELECT tenant, max(tx_id) AS newest, max(at) AS at FROM entity_commit
              WHERE tenant BETWEEN $1 AND $2 GROUP BY tenant) c USING (tenant)
          WHERE coalesce(h.tx_id, 0) < coalesce(c.newest, 0) OR h.floor < h.committed_at
              OR (h.tx_id = 0 AND h.committed_at IS NOT NULL)
              OR (h.tx_id > h.horizon_tx AND (h.tx_id IS DISTINCT FROM c.newest OR h.committed_at IS DISTINCT FROM c.at))",
};

/// Behind the horizon, no number of a commit is left out.
const GAPS: Check = Check {
    what: "a number of a commit is left out",
    sql: "SELECT c.tenant FROM entity_commit c JOIN tenant_head h ON h.tenant = c.tenant
          WHERE c.tenant BETWEEN $1 AND $2 AND c.tx_id > h.horizon_tx
          GROUP BY c.tenant HAVING count(*) <> max(c.tx_id) - min(c.tx_id) + 1",
};

/// What is checked of tenants.
pub(super) const OF_TENANTS: [Check; 2] = [UPPER_END, GAPS];

/// Every row of `queue` is of a run that has not ended.
const QUEUED: Check = Check {
    what: "a row of queue is of a run that has ended or does not exist",
    sql: "SELECT q.tenant, q.run FROM queue q LEFT JOIN run r ON r.tenant = q.tenant AND r.id = q.run
          WHERE q.tenant BETWEEN $1 AND $2 AND (r.id IS NULL OR r.outcome IS NOT NULL)",
};

/// Every row of `queue` has a status that it can have.
const STATUS: Check = Check {
    what: "a row of queue has a status that it cannot have",
    sql: "SELECT tenant, run FROM queue
          WHERE tenant BETWEEN $1 AND $2 AND status NOT IN ('queued', 'running', 'waiting')",
};

/// Every run that has not ended is in `queue`.
const LOST: Check = Check {
    what: "a run that has not ended is not in queue",
    sql: "SELECT r.tenant, r.id AS run FROM run r LEFT JOIN queue q ON q.tenant = r.tenant AND q.run = r.id
          WHERE r.tenant BETWEEN $1 AND $2 AND r.outcome IS NULL AND q.run IS NULL",
};

/// The steps of a run are numbered from 1 to its head, and every step is of a run.
const STEPS: Check = Check {
    what: "the steps of a run are not numbered from 1 to its head",
    sql: "SELECT tenant, run FROM (
              SELECT r.tenant, r.id AS run, TRUE AS is_there, coalesce(q.head_seq, r.head_seq) AS head
              FROM run r LEFT JOIN queue q ON q.tenant = r.tenant AND q.run = r.id
              WHERE r.tenant BETWEEN $1 AND $2) r
          FULL JOIN (
              SELECT tenant, run, count(*) AS n, min(seq) AS first, max(seq) AS last FROM step
              WHERE tenant BETWEEN $1 AND $2 GROUP BY tenant, run) s USING (tenant, run)
          WHERE r.is_there IS NULL OR coalesce(s.n, 0) <> r.head OR coalesce(s.last, 0) <> r.head OR s.first <> 1",
};

/// Every payload that a step names is there.
const PAYLOADS: Check = Check {
    what: "a step names a payload that does not exist",
    sql:
        "SELECT DISTINCT s.tenant, s.run FROM step s CROSS JOIN LATERAL (VALUES (s.input_ref), (s.output_ref)) d(digest)
          LEFT JOIN payload p ON p.tenant = s.tenant AND p.digest = d.digest
          WHERE s.tenant BETWEEN $1 AND $2 AND d.digest IS NOT NULL AND p.tenant IS NULL",
};

/// A run that has ended leaves no call open at or below its head, and every open call is of a run.
const OPEN_CALLS: Check = Check {
    what: "a call is open in a run that has ended or does not exist",
    sql: "SELECT DISTINCT o.tenant, o.run FROM open_call o LEFT JOIN run r ON r.tenant = o.tenant AND r.id = o.run
          WHERE o.tenant BETWEEN $1 AND $2 AND (r.id IS NULL OR r.outcome IS NOT NULL AND o.seq <= r.head_seq)",
};

/// What is checked of runs.
pub(super) const OF_RUNS: [Check; 6] = [QUEUED, STATUS, LOST, STEPS, PAYLOADS, OPEN_CALLS];

/// What is found of a head that is not what it was written as.
pub(super) const UNREADABLE: &str = "the head cannot be read";
/// What is found of a journal that is not what was recorded.
pub(super) const CHAIN: &str = "the journal is not what was recorded";
