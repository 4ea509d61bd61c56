-- Times are whole microseconds since 1970-01-01T00:00:00Z; ids are the 16 bytes of a UUID.

CREATE TABLE tenant (
    id         BLOB    NOT NULL PRIMARY KEY,
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT,
    created_at INTEGER NOT NULL,
    -- The number and the system time of the newest commit.
    tx_id        INTEGER NOT NULL DEFAULT 0,
    committed_at INTEGER NOT NULL,
    -- No later commit gets a system time at or below this one.
    floor        INTEGER NOT NULL,
    -- Every row of `head` holds at this moment.
    head_at      INTEGER NOT NULL
) WITHOUT ROWID;

-- Counted up with every commit that leaves a run to be claimed, so that other processes wake up.
CREATE TABLE work (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL
);
INSERT INTO work (one, generation) VALUES (1, 0);
