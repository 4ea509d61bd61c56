-- Nothing here is plain: values are sealed under a data key of their tenant, which is wrapped by a key
-- that is kept elsewhere.

CREATE TABLE data_key (
    tenant     uuid   NOT NULL,
    number     bigint NOT NULL,
    -- Names the key that wraps it.
    wrapped_by text   COLLATE "C" NOT NULL,
    wrapped    bytea  NOT NULL,
    made_at    bigint NOT NULL,
    PRIMARY KEY (tenant, number)
);

CREATE TABLE secret (
    tenant    uuid   NOT NULL,
    purpose   text   COLLATE "C" NOT NULL,
    name      text   COLLATE "C" NOT NULL,
    -- The number of the data key.
    key       bigint NOT NULL,
    sealed    bytea  NOT NULL,
    sealed_at bigint NOT NULL,
    PRIMARY KEY (tenant, purpose, name),
    -- Invariant: a value is never there without its data key. The constraint sees what statements under
    -- way have written, which a look before the write does not.
    FOREIGN KEY (tenant, key) REFERENCES data_key (tenant, number)
);
CREATE INDEX secret_by_key ON secret (tenant, key);

-- They are for no reader, whatever it was granted.
ALTER TABLE data_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody ON data_key FOR SELECT USING (FALSE);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY nobody ON secret FOR SELECT USING (FALSE);
