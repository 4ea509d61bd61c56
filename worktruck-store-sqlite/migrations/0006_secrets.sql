-- Nothing here is plain: values are sealed under a data key of their tenant, which is wrapped by a key
-- that is kept elsewhere.

CREATE TABLE data_key (
    tenant     BLOB    NOT NULL,
    number     INTEGER NOT NULL,
    -- Names the key that wraps it.
    wrapped_by TEXT    NOT NULL,
    wrapped    BLOB    NOT NULL,
    made_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, number)
) WITHOUT ROWID;

CREATE TABLE secret (
    tenant    BLOB    NOT NULL,
    purpose   TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    -- The number of the data key.
    key       INTEGER NOT NULL,
    sealed    BLOB    NOT NULL,
    sealed_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, purpose, name),
    -- Invariant: a value is never there without its data key.
    FOREIGN KEY (tenant, key) REFERENCES data_key (tenant, number)
);
CREATE INDEX secret_by_key ON secret (tenant, key);
