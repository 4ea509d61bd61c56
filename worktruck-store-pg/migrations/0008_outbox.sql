-- A message on its way to a webhook. It is pending while it has a time for its next attempt; one of a
-- run has the place of what it tells of among the events of the run.
CREATE TABLE delivery (
    tenant          uuid     NOT NULL,
    id              uuid     NOT NULL,
    webhook         uuid     NOT NULL,
    run             uuid,
    seq             bigint,
    type            text     COLLATE "C" NOT NULL,
    status          text     COLLATE "C" NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        bigint   NOT NULL,
    failures        bigint   NOT NULL,
    next_attempt_at bigint   CHECK ((next_attempt_at IS NULL) = (status <> 'pending')),
    response_status integer,
    -- As JSON, which keeps every character: it may be what a stranger answered.
    error           json,
    created_at      bigint   NOT NULL,
    settled_at      bigint,
    body            json     NOT NULL
);

CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX delivery_of_run ON delivery (tenant, webhook, run, seq) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX delivery_newest ON delivery (tenant, webhook, created_at, id);
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE settled_at IS NOT NULL;
-- The key comes last: see `run`.
ALTER TABLE delivery ADD PRIMARY KEY (tenant, id);

ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON delivery FOR SELECT USING (tenant = (SELECT reading()));
