-- What is known of API keys, and what they are found by; never a key.
CREATE TABLE api_key (
    tenant       BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    -- As it was when it was made.
    body         TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX api_key_newest ON api_key (tenant, created_at, id);

-- Requests that are made once however often they are sent.
CREATE TABLE request (
    tenant     BLOB    NOT NULL,
    key        TEXT    NOT NULL,
    attempt    BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    -- What is remembered of it, the two before included, but for what it did.
    body       TEXT    NOT NULL,
    effect     TEXT,
    PRIMARY KEY (tenant, key)
) WITHOUT ROWID;

CREATE INDEX request_oldest ON request (created_at);

-- How much was used on days.
CREATE TABLE usage (
    tenant         BLOB    NOT NULL,
    date           TEXT    NOT NULL,
    request_count  INTEGER NOT NULL,
    read_count     INTEGER NOT NULL,
    write_count    INTEGER NOT NULL,
    search_count   INTEGER NOT NULL,
    export_count   INTEGER NOT NULL,
    x402_revenue   INTEGER NOT NULL,
    PRIMARY KEY (tenant, date)
) WITHOUT ROWID;

-- How much is taken of what may be had in windows of time, which are told apart by their length in microseconds.
CREATE TABLE quota (
    tenant BLOB    NOT NULL,
    length INTEGER NOT NULL,
    begin  INTEGER NOT NULL,
    taken  INTEGER NOT NULL,
    PRIMARY KEY (tenant, length)
) WITHOUT ROWID;

ALTER TABLE tenant ADD COLUMN plan TEXT NOT NULL DEFAULT 'enterprise';
