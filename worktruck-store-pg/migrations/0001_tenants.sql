-- Times are whole microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE tenant (
    id         uuid   NOT NULL PRIMARY KEY,
    slug       text   COLLATE "C" NOT NULL UNIQUE,
    name       text,
    created_at bigint NOT NULL
);

-- How far a tenant's commits have come; absent before the first.
CREATE TABLE tenant_head (
    tenant       uuid   NOT NULL PRIMARY KEY,
    -- The number and the system time of the newest commit; number 0 and no time before the first.
    tx_id        bigint NOT NULL,
    committed_at bigint,
    -- No later commit gets a system time at or below this one.
    floor        bigint NOT NULL
) WITH (fillfactor = 20);
