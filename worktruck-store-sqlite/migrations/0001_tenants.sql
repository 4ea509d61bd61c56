-- Times are whole microseconds since 1970-01-01T00:00:00Z; ids are the 16 bytes of a UUID.

CREATE TABLE tenant (
    id         BLOB    NOT NULL PRIMARY KEY,
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- How far a tenant's commits have come; absent before the first.
CREATE TABLE tenant_head (
    tenant BLOB NOT NULL PRIMARY KEY,
    -- The number and the system time of the newest commit; number 0 and no time before the first.
    tx_id        INTEGER NOT NULL,
    committed_at INTEGER,
    -- No later commit gets a system time at or below this one.
    floor        INTEGER NOT NULL
) WITHOUT ROWID;

-- Counted up with every commit that leaves a run to be claimed, so that other processes wake up.
CREATE TABLE work (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL
);
INSERT INTO work (one, generation) VALUES (1, 0);
