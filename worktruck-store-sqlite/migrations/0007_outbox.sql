-- A message on its way to a webhook. It is pending while it has a time for its next attempt; one of a
-- run has the place of what it tells of among the events of the run.
CREATE TABLE delivery (
    tenant          BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    webhook         BLOB    NOT NULL,
    run             BLOB,
    seq             INTEGER,
    type            TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    next_attempt_at INTEGER CHECK ((next_attempt_at IS NULL) = (status <> 'pending')),
    response_status INTEGER,
    error           TEXT,
    created_at      INTEGER NOT NULL,
    settled_at      INTEGER,
    body            TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX delivery_of_run ON delivery (tenant, webhook, run, seq) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX delivery_newest ON delivery (tenant, webhook, created_at, id);
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE settled_at IS NOT NULL;
