-- What is known of API keys, and what they are found by; never a key.
CREATE TABLE api_key (
    tenant       uuid   NOT NULL,
    id           uuid   NOT NULL,
    hash         bytea  NOT NULL UNIQUE,
    created_at   bigint NOT NULL,
    revoked_at   bigint,
    last_used_at bigint,
    -- As it was when it was made.
    body         json   NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 70);

CREATE INDEX api_key_newest ON api_key (tenant, created_at, id);

-- Requests that are made once however often they are sent.
CREATE TABLE request (
    tenant     uuid   NOT NULL,
    key        text   COLLATE "C" NOT NULL,
    attempt    uuid   NOT NULL,
    created_at bigint NOT NULL,
    is_ended   boolean NOT NULL,
    -- What is remembered of it, those before included, but for what it did.
    body       json   NOT NULL,
    effect     json,
    PRIMARY KEY (tenant, key)
) WITH (fillfactor = 50);

CREATE INDEX request_oldest ON request (created_at);

-- How much was used on days.
CREATE TABLE usage (
    tenant         uuid   NOT NULL,
    date           text   COLLATE "C" NOT NULL,
    request_count  bigint NOT NULL,
    read_count     bigint NOT NULL,
    write_count    bigint NOT NULL,
    search_count   bigint NOT NULL,
    export_count   bigint NOT NULL,
    x402_revenue   bigint NOT NULL,
    PRIMARY KEY (tenant, date)
) WITH (fillfactor = 50);

-- How much is taken of what may be had in windows of time, which are told apart by their length in microseconds.
CREATE TABLE quota (
    tenant uuid   NOT NULL,
    length bigint NOT NULL,
    begin  bigint NOT NULL,
    taken  bigint NOT NULL,
    PRIMARY KEY (tenant, length)
) WITH (fillfactor = 20);

ALTER TABLE tenant ADD COLUMN plan text COLLATE "C" NOT NULL DEFAULT 'enterprise';

-- They are for no reader, whatever it was granted: hashes, and answers that were given to others.
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody ON api_key FOR SELECT USING (FALSE);
ALTER TABLE request ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody ON request FOR SELECT USING (FALSE);
ALTER TABLE usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON usage FOR SELECT USING (tenant = (SELECT reading()));
ALTER TABLE quota ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON quota FOR SELECT USING (tenant = (SELECT reading()));
