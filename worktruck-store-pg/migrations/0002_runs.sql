-- A run is a row of `run`, written when it is accepted, when it begins and when it ends. What
-- changes in between is in `queue`, which has a narrow row for each run that has not ended.

CREATE TABLE run (
    tenant            uuid     NOT NULL,
    id                uuid     NOT NULL,
    blueprint         text     COLLATE "C" NOT NULL,
    created_at        bigint   NOT NULL,
    -- How it ended; absent while it is in `queue`.
    outcome           text     COLLATE "C" CHECK (outcome IN ('succeeded', 'failed', 'cancelled')),
    -- The run as JSON, but for what has a column of its own; what `queue` knows better counts.
    state             json     NOT NULL,
    input             json     NOT NULL,
    metadata          json     NOT NULL,
    output            json,
    snapshot          json,
    -- As they were when it ended.
    blueprint_version bigint,
    fence             bigint,
    head_seq          bigint,
    commits           bigint,
    event_seq         bigint,
    cost              bigint,
    reserved          bigint,
    forfeited         bigint
);

CREATE INDEX run_newest ON run (tenant, created_at, id);
CREATE INDEX run_by_blueprint ON run (tenant, blueprint, created_at, id);
CREATE INDEX run_by_outcome ON run (tenant, outcome, created_at, id) WHERE outcome IS NOT NULL;
CREATE INDEX run_by_both ON run (tenant, blueprint, outcome, created_at, id) WHERE outcome IS NOT NULL;
-- The key comes last: of indexes that seem to cost the same the planner takes the newest, and while
-- a table is new all seem to.
ALTER TABLE run ADD PRIMARY KEY (tenant, id);

CREATE TABLE queue (
    tenant              uuid     NOT NULL,
    run                 uuid     NOT NULL,
    created_at          bigint   NOT NULL,
    run_at              bigint   NOT NULL,
    started_at          bigint,
    cancel_requested_at bigint,
    blueprint_version   bigint,
    attempt             bigint   NOT NULL,
    priority            smallint NOT NULL,
    -- Whether its time had not come when somebody last looked. The time of one that waits comes when a person has
    -- answered, or can no longer.
    delayed             boolean  NOT NULL,
    -- 'queued', 'running' or 'waiting'. It has no check, because every statement that writes here would
    -- have to read its text anew.
    status              text     COLLATE "C" NOT NULL,
    blueprint           text     COLLATE "C" NOT NULL,
    waiting_reason      text     COLLATE "C",
    -- When to see whether its lease has expired: not after it does. It follows the lease in long
    -- strides, because it is in an index, and what is not in an index is cheap to change.
    look_at             bigint,
    fence               bigint   NOT NULL,
    -- From here on what changes with every step, together because only this part is logged.
    lease_expires_at    bigint,
    updated_at          bigint   NOT NULL,
    head_seq            integer  NOT NULL,
    commits             integer  NOT NULL,
    event_seq           integer  NOT NULL,
    cost                bigint   NOT NULL,
    reserved            bigint   NOT NULL,
    forfeited           bigint   NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

CREATE INDEX queue_ready ON queue (tenant, blueprint, priority DESC, created_at, run)
    WHERE status <> 'running' AND NOT delayed;
CREATE INDEX queue_delayed ON queue (run_at) WHERE delayed;
CREATE INDEX queue_leased ON queue (look_at) WHERE status = 'running';
CREATE INDEX queue_cancelled ON queue (tenant, run) WHERE cancel_requested_at IS NOT NULL;
CREATE INDEX queue_by_status ON queue (tenant, status, created_at, run);
CREATE INDEX queue_by_both ON queue (tenant, status, blueprint, created_at, run);
ALTER TABLE queue ADD PRIMARY KEY (tenant, run);

-- When a claim last gave out a run of a tenant.
CREATE TABLE turn (
    tenant uuid   NOT NULL PRIMARY KEY,
    served bigint NOT NULL
);

CREATE INDEX turn_served ON turn (served);

CREATE TABLE idempotency (
    tenant uuid  NOT NULL,
    key    text  COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    run    uuid  NOT NULL,
    PRIMARY KEY (tenant, key)
);

-- A step; payloads that are too long to be kept in its row are in `payload`. Its event is not
-- stored: it says nothing that is not here.
CREATE TABLE step (
    tenant       uuid   NOT NULL,
    run          uuid   NOT NULL,
    id           uuid   NOT NULL,
    started_at   bigint NOT NULL,
    completed_at bigint,
    cost         bigint,
    -- When it was committed, and as which event of the run.
    at           bigint NOT NULL,
    event_seq    integer NOT NULL,
    seq          integer NOT NULL,
    kind         text   COLLATE "C" NOT NULL,
    outcome      text   COLLATE "C" NOT NULL,
    -- As JSON, which keeps every character: a model may ask for a tool of any name.
    name         json   NOT NULL,
    call_digest  bytea  NOT NULL,
    hash         bytea  NOT NULL,
    input        json,
    output       json,
    input_ref    bytea,
    output_ref   bytea,
    model        json,
    usage        json,
    PRIMARY KEY (tenant, run, seq)
);

CREATE TABLE payload (
    tenant uuid  NOT NULL,
    digest bytea NOT NULL,
    body   json  NOT NULL,
    PRIMARY KEY (tenant, digest)
);

-- The changes that a step of a trial would have made; `body` is the whole as JSON.
CREATE TABLE tried (
    tenant uuid    NOT NULL,
    run    uuid    NOT NULL,
    seq    integer NOT NULL,
    body   json    NOT NULL,
    PRIMARY KEY (tenant, run, seq)
);

CREATE TABLE open_call (
    tenant uuid    NOT NULL,
    run    uuid    NOT NULL,
    seq    integer NOT NULL,
    body   json    NOT NULL,
    PRIMARY KEY (tenant, run, seq)
);

-- The events of one commit, but for those of steps, in one row: a JSON array that ends with the
-- event `last_seq`.
CREATE TABLE event (
    tenant   uuid   NOT NULL,
    run      uuid   NOT NULL,
    last_seq bigint NOT NULL,
    at       bigint NOT NULL,
    body     json   NOT NULL,
    PRIMARY KEY (tenant, run, last_seq)
);
