-- An entity is a set of slices over system time [sys_from, sys_to) and valid time
-- [valid_from, valid_to); an open end is 9223372036854775807. `head` has the slice that held at the
-- tenant's newest commit, if it has one, and `slice` has all others. Together they are what was
-- ever written.

CREATE TABLE head (
    rid        INTEGER NOT NULL PRIMARY KEY,
    tenant     BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    id         BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    carried    INTEGER NOT NULL,
    tx_id      INTEGER NOT NULL,
    sys_from   INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to   INTEGER NOT NULL CHECK (valid_from < valid_to),
    body       TEXT    NOT NULL,
    -- The index terms as an array of [name, value], the sort keys as an object.
    terms      TEXT    NOT NULL,
    sort       TEXT    NOT NULL,
    UNIQUE (tenant, kind, id)
);

CREATE INDEX head_created ON head (tenant, kind, created_at, id);
CREATE INDEX head_updated ON head (tenant, kind, sys_from, id);

CREATE TABLE slice (
    rid        INTEGER NOT NULL PRIMARY KEY,
    tenant     BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    id         BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    carried    INTEGER NOT NULL,
    tx_id      INTEGER NOT NULL,
    sys_from   INTEGER NOT NULL,
    sys_to     INTEGER NOT NULL CHECK (sys_from < sys_to),
    valid_from INTEGER NOT NULL,
    valid_to   INTEGER NOT NULL CHECK (valid_from < valid_to),
    -- Absent where the slice says that the entity is deleted.
    body       TEXT,
    terms      TEXT,
    sort       TEXT,
    -- Whether it is believed and its time has not come yet.
    scheduled  INTEGER NOT NULL
);

CREATE INDEX slice_of_entity ON slice (tenant, kind, id, sys_from, sys_to, valid_from, valid_to);
-- All bounds are keys, so that what holds at a point is found in the index alone.
CREATE INDEX slice_created ON slice (tenant, kind, created_at, id, sys_from, sys_to, valid_from, valid_to);
CREATE INDEX slice_at ON slice (tenant, kind, sys_from, id, sys_to, valid_from, valid_to);
CREATE UNIQUE INDEX slice_open ON slice (tenant, kind, id, valid_from) WHERE sys_to = 9223372036854775807;
CREATE INDEX slice_due ON slice (tenant, valid_from) WHERE scheduled = 1;

-- Invariant: no two slices of an entity overlap in both times. Slices that are not open any more
-- were open before, so it is enough to look at open ones when one is added.
CREATE TRIGGER slice_overlap BEFORE INSERT ON slice WHEN new.sys_to = 9223372036854775807
BEGIN
    SELECT RAISE(ABORT, 'slices of an entity overlap')
    WHERE EXISTS (
        SELECT 1 FROM slice
        WHERE tenant = new.tenant AND kind = new.kind AND id = new.id AND sys_to = 9223372036854775807
            AND valid_from < new.valid_to AND new.valid_from < valid_to
    ) OR EXISTS (
        SELECT 1 FROM head
        WHERE tenant = new.tenant AND kind = new.kind AND id = new.id
            AND valid_from < new.valid_to AND new.valid_from < valid_to
    );
END;

-- Of `head`: what entities are found by, sorted by and searched for.
CREATE TABLE term (
    tenant BLOB NOT NULL,
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    id     BLOB NOT NULL,
    PRIMARY KEY (tenant, kind, name, value, id)
) WITHOUT ROWID;

CREATE TABLE sort_key (
    tenant BLOB NOT NULL,
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    id     BLOB NOT NULL,
    PRIMARY KEY (tenant, kind, name, value, id)
) WITHOUT ROWID;

-- The text is folded before it comes here, so the tokenizer has nothing to do but split at spaces.
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, prefix = '2 3', tokenize = 'ascii'
);

-- The commits of a tenant, in order; `entities` is what the feed of changes says of each.
CREATE TABLE entity_commit (
    tenant     BLOB    NOT NULL,
    tx_id      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    provenance TEXT    NOT NULL,
    entities   TEXT    NOT NULL,
    PRIMARY KEY (tenant, tx_id)
) WITHOUT ROWID;

-- The commits that name a run.
CREATE INDEX entity_commit_run ON entity_commit (tenant, provenance ->> 'run_id', tx_id)
    WHERE provenance ->> 'run_id' IS NOT NULL;

-- The version that the erasure of an entity took, for those not written since.
CREATE TABLE erased (
    tenant  BLOB    NOT NULL,
    kind    TEXT    NOT NULL,
    id      BLOB    NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) WITHOUT ROWID;
