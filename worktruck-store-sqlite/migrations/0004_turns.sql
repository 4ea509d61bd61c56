-- Whether the run was accepted to begin later or waits for a person, and no claim has found its time come yet: the
-- index that claims read has no runs that nobody may take for a long time.
ALTER TABLE run ADD COLUMN delayed INTEGER NOT NULL DEFAULT 0;
UPDATE run SET delayed = 1 WHERE status = 'queued' AND created_at < run_at;

-- In the order in which a tenant's runs of a blueprint are claimed.
DROP INDEX run_queued;
CREATE INDEX run_ready ON run (tenant, blueprint, blueprint_version, priority DESC, created_at, id, run_at)
    WHERE status IN ('queued', 'waiting') AND delayed = 0;
CREATE INDEX run_delayed ON run (run_at) WHERE status IN ('queued', 'waiting') AND delayed = 1;
CREATE INDEX run_running ON run (tenant, blueprint) WHERE status = 'running';

-- The tenants that ever had a run.
CREATE TABLE turn (
    tenant  BLOB    NOT NULL PRIMARY KEY,
    -- When a claim last gave out a run of it; absent before the first time.
    served  INTEGER,
    -- Whether it may have a run in `run_ready`: claims find out that it has none.
    waiting INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO turn (tenant, waiting) SELECT DISTINCT tenant, 1 FROM run WHERE status = 'queued';
CREATE INDEX turn_next ON turn (waiting, served);

-- Invariant: a tenant with a run in `run_ready` is waiting.
CREATE TRIGGER turn_of_new AFTER INSERT ON run WHEN new.status IN ('queued', 'waiting') AND new.delayed = 0
BEGIN
    INSERT INTO turn (tenant, waiting) VALUES (new.tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET waiting = 1 WHERE waiting = 0;
END;
CREATE TRIGGER turn_of_old AFTER UPDATE OF status, delayed ON run WHEN new.status IN ('queued', 'waiting') AND new.delayed = 0
BEGIN
    INSERT INTO turn (tenant, waiting) VALUES (new.tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET waiting = 1 WHERE waiting = 0;
END;
