-- Whoever owns the tables reads and writes them all: that is the software. Every other role, whatever
-- it was granted, reads the rows of the one tenant that is noted for it here, and writes nothing.

CREATE TABLE reader (
    role   oid  NOT NULL PRIMARY KEY,
    -- What the role was called when it was noted: neither a role of that name that is made later nor
    -- one that has its number in another cluster is taken for it.
    name   text COLLATE "C" NOT NULL UNIQUE,
    tenant uuid NOT NULL
);

ALTER TABLE reader ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_row ON reader FOR SELECT
    USING (role = quote_ident(current_user)::regrole::oid AND name = current_user);

-- The tenant that the current role reads. It runs with the rights of whoever calls it.
CREATE FUNCTION reading() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT tenant FROM reader WHERE role = quote_ident(current_user)::regrole::oid AND name = current_user;
END;

-- In a policy the function stands in a SELECT of its own, so that it is called once for a query and
-- its answer is a key of indexes.
DO $$
DECLARE of_tenants text;
BEGIN
    FOREACH of_tenants IN ARRAY ARRAY[
        'tenant_head', 'run', 'queue', 'turn', 'idempotency', 'step', 'payload', 'tried', 'open_call', 'event', 'head', 'slice',
        'term', 'sort_key', 'search', 'entity_commit', 'erased'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', of_tenants);
        EXECUTE format('CREATE POLICY own_tenant ON %I FOR SELECT USING (tenant = (SELECT reading()))', of_tenants);
    END LOOP;
END $$;

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenant FOR SELECT USING (id = (SELECT reading()));

-- Nothing in it is for readers.
ALTER TABLE migration ENABLE ROW LEVEL SECURITY;
