-- What people are asked about calls of runs, and what they answered; `body` is the whole as JSON.
CREATE TABLE approval (
    tenant       uuid    NOT NULL,
    run          uuid    NOT NULL,
    id           uuid    NOT NULL,
    requested_at bigint  NOT NULL,
    seq          integer NOT NULL,
    status       text    COLLATE "C" NOT NULL,
    body         json    NOT NULL
);

CREATE UNIQUE INDEX approval_id ON approval (tenant, id);
CREATE INDEX approval_asked ON approval (tenant, requested_at, id);
CREATE INDEX approval_by_status ON approval (tenant, status, requested_at, id);
ALTER TABLE approval ADD PRIMARY KEY (tenant, run, seq);

ALTER TABLE approval ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON approval FOR SELECT USING (tenant = (SELECT reading()));
