-- An entity is a set of slices over system time [sys_from, sys_to) and valid time
-- [valid_from, valid_to); an open end is 9223372036854775807. `head` has the slice that held at the
-- tenant's newest commit, if it has one, and `slice` has all others. Together they are what was
-- ever written.

-- What changes with every write is in no index, so that a write of a head touches no index.
CREATE TABLE head (
    tenant     uuid    NOT NULL,
    id         uuid    NOT NULL,
    kind       text    COLLATE "C" NOT NULL,
    created_at bigint  NOT NULL,
    version    bigint  NOT NULL,
    -- The newest version of the entity over all its slices.
    newest     bigint  NOT NULL,
    tx_id      bigint  NOT NULL,
    sys_from   bigint  NOT NULL,
    valid_from bigint  NOT NULL,
    valid_to   bigint  NOT NULL CHECK (valid_from < valid_to),
    carried    boolean NOT NULL,
    body       json    NOT NULL,
    -- The index terms as an array of [name, value]; the sort keys as an object of values in hexadecimal
    -- digits, which sort as the values do.
    terms      json    NOT NULL,
    sort       json    NOT NULL,
    -- That of its commit, so that a read of the present is a read of this table.
    provenance json    NOT NULL
) WITH (fillfactor = 70);

-- The key comes last: see `run`.
CREATE INDEX head_created ON head (tenant, kind, created_at, id);
ALTER TABLE head ADD PRIMARY KEY (tenant, kind, id);

CREATE TABLE slice (
    tenant     uuid    NOT NULL,
    id         uuid    NOT NULL,
    kind       text    COLLATE "C" NOT NULL,
    created_at bigint  NOT NULL,
    version    bigint  NOT NULL,
    tx_id      bigint  NOT NULL,
    sys_from   bigint  NOT NULL,
    sys_to     bigint  NOT NULL CHECK (sys_from < sys_to),
    valid_from bigint  NOT NULL,
    valid_to   bigint  NOT NULL CHECK (valid_from < valid_to),
    carried    boolean NOT NULL,
    -- Whether it is believed and its time has not come yet.
    scheduled  boolean NOT NULL,
    -- Absent where the slice says that the entity is deleted.
    body       json,
    terms      json,
    sort       json
);

-- All bounds are keys, so that what holds at a point is found in the index alone.
CREATE INDEX slice_due ON slice (tenant, valid_from) WHERE scheduled;
CREATE INDEX slice_due_of_kind ON slice (tenant, kind) WHERE scheduled;
CREATE INDEX slice_in_order ON slice (tenant, kind, created_at, id, sys_from, sys_to, valid_from, valid_to);
-- By these, what a moment that is not long past had and the heads have not any more is found: slices
-- that were replaced since, and slices that are still believed but whose time is over.
CREATE INDEX slice_replaced ON slice (tenant, kind, sys_to, sys_from)
    WHERE sys_to < 9223372036854775807 AND body IS NOT NULL;
CREATE INDEX slice_over ON slice (tenant, kind, valid_to, valid_from, sys_from)
    WHERE sys_to = 9223372036854775807 AND NOT scheduled AND body IS NOT NULL;
CREATE UNIQUE INDEX slice_of_entity ON slice (tenant, kind, id, sys_from DESC, valid_from, sys_to, valid_to);

-- Of `head`: what entities are found by, sorted by and searched for.
CREATE TABLE term (
    tenant     uuid   NOT NULL,
    id         uuid   NOT NULL,
    created_at bigint NOT NULL,
    kind       text   COLLATE "C" NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    value      bytea  NOT NULL,
    PRIMARY KEY (tenant, kind, name, value, created_at, id)
);

-- The time of the newest write is a sort key too: its microseconds, so written that they sort.
CREATE TABLE sort_key (
    tenant uuid  NOT NULL,
    id     uuid  NOT NULL,
    kind   text  COLLATE "C" NOT NULL,
    name   text  COLLATE "C" NOT NULL,
    value  bytea NOT NULL,
    PRIMARY KEY (tenant, kind, name, value, id)
);

-- Each word is led by a mark of its tenant and kind, so that the index is one per tenant and kind.
CREATE TABLE search (
    tenant uuid     NOT NULL,
    id     uuid     NOT NULL,
    kind   text     COLLATE "C" NOT NULL,
    words  tsvector NOT NULL,
    PRIMARY KEY (tenant, kind, id)
);

CREATE INDEX search_words ON search USING gin (words);

-- The commits of a tenant, in order; `entities` is what the feed of changes says of each.
CREATE TABLE entity_commit (
    tenant     uuid   NOT NULL,
    tx_id      bigint NOT NULL,
    at         bigint NOT NULL,
    provenance json   NOT NULL,
    entities   json   NOT NULL,
    PRIMARY KEY (tenant, tx_id)
);

-- The commits that name a run.
CREATE INDEX entity_commit_run ON entity_commit (tenant, (provenance ->> 'run_id'), tx_id)
    WHERE provenance ->> 'run_id' IS NOT NULL;

-- The version that the erasure of an entity took, for those not written since.
CREATE TABLE erased (
    tenant  uuid   NOT NULL,
    kind    text   COLLATE "C" NOT NULL,
    id      uuid   NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant, kind, id)
);

-- Invariant: no two slices of an entity overlap in both times. Slices that are not open any more
-- were open before, so it is enough to look at open ones when some are added.
CREATE FUNCTION refuse_overlap() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM added a JOIN slice s
            ON s.tenant = a.tenant AND s.kind = a.kind AND s.id = a.id AND s.sys_to = 9223372036854775807
            AND s.valid_from < a.valid_to AND a.valid_from < s.valid_to
            AND (s.sys_from <> a.sys_from OR s.valid_from <> a.valid_from)
        WHERE a.sys_to = 9223372036854775807
    ) OR EXISTS (
        SELECT 1 FROM added a JOIN head h
            ON h.tenant = a.tenant AND h.kind = a.kind AND h.id = a.id
            AND h.valid_from < a.valid_to AND a.valid_from < h.valid_to
        WHERE a.sys_to = 9223372036854775807
    ) THEN
        RAISE EXCEPTION 'slices of an entity overlap' USING ERRCODE = 'exclusion_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER slice_overlap AFTER INSERT ON slice
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_overlap();

CREATE FUNCTION refuse_overlap_of_head() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM added a JOIN slice s
            ON s.tenant = a.tenant AND s.kind = a.kind AND s.id = a.id AND s.sys_to = 9223372036854775807
            AND s.valid_from < a.valid_to AND a.valid_from < s.valid_to
    ) THEN
        RAISE EXCEPTION 'slices of an entity overlap' USING ERRCODE = 'exclusion_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER head_overlap AFTER INSERT ON head
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_overlap_of_head();
CREATE TRIGGER head_overlap_again AFTER UPDATE ON head
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_overlap_of_head();
