-- Who did what; never changed.
CREATE TABLE audit (
    tenant        BLOB    NOT NULL,
    created_at    INTEGER NOT NULL,
    id            BLOB    NOT NULL,
    action        TEXT    NOT NULL,
    resource_type TEXT,
    actor_id      TEXT    NOT NULL,
    -- All of it, these three included.
    entry         TEXT    NOT NULL,
    PRIMARY KEY (tenant, created_at, id)
) WITHOUT ROWID;

CREATE INDEX audit_by_action ON audit (tenant, action, created_at, id);
CREATE INDEX audit_by_resource ON audit (tenant, resource_type, created_at, id);
CREATE INDEX audit_by_actor ON audit (tenant, actor_id, created_at, id);
