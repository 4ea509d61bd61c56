-- What people are asked about calls of runs, and what they answered; `body` is the whole as JSON.
CREATE TABLE approval (
    tenant       BLOB    NOT NULL,
    run          BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    requested_at INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    PRIMARY KEY (tenant, run, seq)
) WITHOUT ROWID;

CREATE UNIQUE INDEX approval_id ON approval (tenant, id);
CREATE INDEX approval_asked ON approval (tenant, requested_at, id);
CREATE INDEX approval_by_status ON approval (tenant, status, requested_at, id);
