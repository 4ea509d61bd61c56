-- How many days of history and of ended runs a tenant keeps; absent if it keeps everything.
ALTER TABLE tenant ADD COLUMN retention_days INTEGER;
-- The IANA name of the time zone that it lives in.
ALTER TABLE tenant ADD COLUMN timezone TEXT NOT NULL DEFAULT 'UTC';

-- The earliest moment that can be asked about, the last commit before it, and the last commit whose
-- replaced slices are gone.
ALTER TABLE tenant_head ADD COLUMN horizon INTEGER NOT NULL DEFAULT -9223372036854775808;
ALTER TABLE tenant_head ADD COLUMN horizon_tx INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant_head ADD COLUMN swept_tx INTEGER NOT NULL DEFAULT 0;

-- When the run ended, which is when its last event was.
ALTER TABLE run ADD COLUMN finished_at INTEGER;
UPDATE run SET finished_at = (
    SELECT at FROM event WHERE event.tenant = run.tenant AND event.run = run.id ORDER BY last_seq DESC LIMIT 1
) WHERE status IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX run_ended ON run (tenant, finished_at, id) WHERE finished_at IS NOT NULL;

-- By what belongs to a run: its key, and who else names its payloads.
CREATE INDEX idempotency_of_run ON idempotency (tenant, run);
CREATE INDEX step_by_input ON step (tenant, input_ref) WHERE input_ref IS NOT NULL;
CREATE INDEX step_by_output ON step (tenant, output_ref) WHERE output_ref IS NOT NULL;
