-- Who did what; never changed.
CREATE TABLE audit (
    tenant        uuid   NOT NULL,
    created_at    bigint NOT NULL,
    id            uuid   NOT NULL,
    action        text   COLLATE "C" NOT NULL,
    resource_type text   COLLATE "C",
    actor_id      text   COLLATE "C" NOT NULL,
    -- All of it, these three included.
    entry         json   NOT NULL
);

CREATE INDEX audit_by_action ON audit (tenant, action, created_at, id);
CREATE INDEX audit_by_resource ON audit (tenant, resource_type, created_at, id);
CREATE INDEX audit_by_actor ON audit (tenant, actor_id, created_at, id);
-- The key comes last: see `run`.
ALTER TABLE audit ADD PRIMARY KEY (tenant, created_at, id);

ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON audit FOR SELECT USING (tenant = (SELECT reading()));
