-- How many days of history and of ended runs a tenant keeps; absent if it keeps everything.
ALTER TABLE tenant ADD COLUMN retention_days bigint;
-- The IANA name of the time zone that it lives in.
ALTER TABLE tenant ADD COLUMN timezone text NOT NULL DEFAULT 'UTC';

-- The earliest moment that can be asked about, and the last commit before it.
ALTER TABLE tenant_head ADD COLUMN horizon bigint NOT NULL DEFAULT '-9223372036854775808';
ALTER TABLE tenant_head ADD COLUMN horizon_tx bigint NOT NULL DEFAULT 0;

-- How far the removal of what a tenant need not keep has come.
CREATE TABLE removal (
    tenant   uuid   NOT NULL PRIMARY KEY,
    -- Counts the pieces that were removed: two processes that are at the same one do not both do it.
    pieces   bigint NOT NULL DEFAULT 0,
    -- The last commit whose replaced slices are gone.
    swept_tx bigint NOT NULL DEFAULT 0
);

ALTER TABLE removal ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON removal FOR SELECT USING (tenant = (SELECT reading()));

-- When the run ended, which is when its last event was.
ALTER TABLE run ADD COLUMN finished_at bigint;
UPDATE run r SET finished_at = (
    SELECT at FROM event e WHERE e.tenant = r.tenant AND e.run = r.id ORDER BY e.last_seq DESC LIMIT 1
) WHERE r.outcome IS NOT NULL;
CREATE INDEX run_ended ON run (tenant, finished_at, id) WHERE finished_at IS NOT NULL;

-- The key comes last: see `run`.
ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey;
CREATE INDEX idempotency_of_run ON idempotency (tenant, run);
ALTER TABLE idempotency ADD PRIMARY KEY (tenant, key);

-- A payload goes with the last step that names it. A commit that names one which is there already
-- does not write it again, and may be under way when it goes: one of the two fails and is made again.
CREATE INDEX step_by_input ON step (tenant, input_ref) WHERE input_ref IS NOT NULL;
CREATE INDEX step_by_output ON step (tenant, output_ref) WHERE output_ref IS NOT NULL;
ALTER TABLE step ADD CONSTRAINT step_names_input FOREIGN KEY (tenant, input_ref) REFERENCES payload (tenant, digest);
ALTER TABLE step ADD CONSTRAINT step_names_output FOREIGN KEY (tenant, output_ref) REFERENCES payload (tenant, digest);
