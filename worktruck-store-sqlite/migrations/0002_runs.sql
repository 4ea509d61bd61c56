-- What changes with every step, and what a claim looks at. `state` is the rest of the run as JSON.
CREATE TABLE run (
    tenant            BLOB    NOT NULL,
    id                BLOB    NOT NULL,
    blueprint         TEXT    NOT NULL,
    blueprint_version INTEGER,
    status            TEXT    NOT NULL
        CHECK (status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
    priority          INTEGER NOT NULL,
    run_at            INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    lease_expires_at  INTEGER,
    fence             INTEGER NOT NULL,
    head_seq          INTEGER NOT NULL,
    commits           INTEGER NOT NULL,
    event_seq         INTEGER NOT NULL,
    reserved          INTEGER NOT NULL,
    forfeited         INTEGER NOT NULL,
    state             TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX run_queued ON run (priority DESC, created_at, id, tenant, run_at, blueprint, blueprint_version)
    WHERE status = 'queued';
CREATE INDEX run_leased ON run (lease_expires_at) WHERE status = 'running';
CREATE INDEX run_newest ON run (tenant, created_at, id);
CREATE INDEX run_by_status ON run (tenant, status, created_at, id);
CREATE INDEX run_by_blueprint ON run (tenant, blueprint, created_at, id);

-- What is written once or twice in the life of a run.
CREATE TABLE run_content (
    tenant   BLOB NOT NULL,
    id       BLOB NOT NULL,
    input    TEXT NOT NULL,
    metadata TEXT NOT NULL,
    output   TEXT,
    snapshot TEXT,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE idempotency (
    tenant BLOB NOT NULL,
    key    TEXT NOT NULL,
    digest BLOB NOT NULL,
    run    BLOB NOT NULL,
    PRIMARY KEY (tenant, key)
) WITHOUT ROWID;

-- A step without the payloads that are too long to be kept in its row.
CREATE TABLE step (
    tenant     BLOB    NOT NULL,
    run        BLOB    NOT NULL,
    seq        INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    input_ref  BLOB,
    output_ref BLOB,
    PRIMARY KEY (tenant, run, seq)
);

CREATE TABLE payload (
    tenant BLOB NOT NULL,
    digest BLOB NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, digest)
);

-- The changes that a step of a trial would have made; `body` is the whole as JSON.
CREATE TABLE tried (
    tenant BLOB    NOT NULL,
    run    BLOB    NOT NULL,
    seq    INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (tenant, run, seq)
);

CREATE TABLE open_call (
    tenant BLOB    NOT NULL,
    run    BLOB    NOT NULL,
    seq    INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (tenant, run, seq)
) WITHOUT ROWID;

-- The events of one commit in one row: a JSON array that ends with the event `last_seq`.
CREATE TABLE event (
    tenant   BLOB    NOT NULL,
    run      BLOB    NOT NULL,
    last_seq INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (tenant, run, last_seq)
) WITHOUT ROWID;
