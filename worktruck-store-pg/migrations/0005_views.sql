-- What people ask with SQL of their own. A view reads with the rights of whoever asks it, so that
-- policies hold behind it.

-- A moment of the tables as PostgreSQL writes it. It is exact: no number of it is a floating one that
-- could not hold it.
CREATE FUNCTION moment(micros bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN micros = 9223372036854775807 THEN timestamptz 'infinity'
        -- PostgreSQL knows no earlier moment.
        WHEN micros < -210866803200000000 THEN timestamptz '-infinity'
        ELSE (timestamp '1970-01-01' + make_interval(days => (micros / 86400000000)::int)
            + (micros % 86400000000) * interval '1 microsecond') AT TIME ZONE 'UTC'
    END;
END;

-- A moment in text. Years that RFC 3339 does not have are far away.
CREATE FUNCTION moment(rfc3339 text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN rfc3339 ~ '^(?!0000)[0-9]{4}-' THEN rfc3339::timestamptz
        WHEN rfc3339 ~ '^(0000)?-' THEN timestamptz '-infinity'
        WHEN rfc3339 IS NOT NULL THEN timestamptz 'infinity'
    END;
END;

-- The present of a tenant. It is never before the newest commit, whatever the server's clock says.
CREATE FUNCTION present(floor bigint) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT greatest(floor, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint);
END;

-- JSON that can be taken apart. PostgreSQL keeps NUL in no text, and would refuse all of a value for
-- one; U+FFFD stands in its place. A backslash before the escape may be one that is escaped itself.
CREATE FUNCTION plain(value json) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE strpos(value::text, '\u0000') WHEN 0 THEN value::jsonb
        ELSE regexp_replace(value::text, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::jsonb END;
END;

-- Texts of a JSON array.
CREATE FUNCTION texts(value jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ARRAY(SELECT t.text FROM jsonb_array_elements_text(value) WITH ORDINALITY t(text, place) ORDER BY place);
END;

-- In all of these a subquery with OFFSET 0 keeps the planner from taking a value apart once for each
-- column that is made of it; where no column is asked for, it is not read.

-- What the newest commit left holds until its valid time ends, and then what was scheduled to follow.
CREATE VIEW entities WITH (security_invoker = true) AS
SELECT e.tenant AS tenant_id, e.kind, e.id, e.version, moment(e.created_at) AS created_at,
    moment(e.sys_from) AS updated_at, moment(e.valid_from) AS valid_from, moment(e.valid_to) AS valid_to, b.body
FROM (
    SELECT h.tenant, h.kind, h.id, h.version, h.created_at, h.sys_from, h.valid_from, h.valid_to, h.body
    FROM head h JOIN tenant_head t ON t.tenant = h.tenant
    WHERE present(t.floor) < h.valid_to
    UNION ALL
    SELECT s.tenant, s.kind, s.id, s.version, s.created_at, s.sys_from, s.valid_from, s.valid_to, s.body
    FROM slice s JOIN tenant_head t ON t.tenant = s.tenant
    WHERE s.scheduled AND s.body IS NOT NULL
        AND s.valid_from <= present(t.floor) AND present(t.floor) < s.valid_to
) e CROSS JOIN LATERAL (SELECT plain(e.body) AS body OFFSET 0) b;

CREATE VIEW contacts WITH (security_invoker = true) AS
SELECT id, tenant_id, body ->> 'display_name' AS display_name, coalesce(body ->> 'kind', 'person') AS kind,
    body ->> 'given_name' AS given_name, body ->> 'middle_name' AS middle_name, body ->> 'family_name' AS family_name,
    body ->> 'prefix' AS prefix, body ->> 'suffix' AS suffix, body ->> 'nickname' AS nickname, body ->> 'bio' AS bio,
    body ->> 'avatar_url' AS avatar_url, body ->> 'language' AS language, body ->> 'timezone' AS timezone,
    body ->> 'vcard_uid' AS vcard_uid, coalesce(body -> 'channels', '[]') AS channels,
    coalesce(body -> 'addresses', '[]') AS addresses, coalesce(body -> 'dates', '[]') AS dates,
    texts(body -> 'tags') AS tags, texts(body -> 'merged_ids')::uuid[] AS merged_ids,
    coalesce(body -> 'metadata', '{}') AS metadata, version, created_at, updated_at
FROM entities WHERE entities.kind = 'contact';

CREATE VIEW merge_proposals WITH (security_invoker = true) AS
SELECT id, tenant_id, texts(body -> 'contact_ids')::uuid[] AS contact_ids, (body ->> 'survivor_id')::uuid AS survivor_id,
    (body ->> 'score')::numeric AS score, texts(body -> 'reasons') AS reasons,
    coalesce(body ->> 'status', 'pending') AS status, (body ->> 'run_id')::uuid AS run_id,
    coalesce(body -> 'metadata', '{}') AS metadata, version, created_at, updated_at
FROM entities WHERE entities.kind = 'merge_proposal';

CREATE VIEW agent_configs WITH (security_invoker = true) AS
SELECT id, tenant_id, body ->> 'agent_blueprint' AS agent_blueprint, body ->> 'system_prompt' AS system_prompt,
    body ->> 'model' AS model, CASE jsonb_typeof(body -> 'tools') WHEN 'array' THEN texts(body -> 'tools') END AS tools,
    (body ->> 'budget_default_cents')::bigint AS budget_default_cents,
    (body ->> 'deadline_default_seconds')::bigint AS deadline_default_seconds,
    (body ->> 'max_steps')::bigint AS max_steps, (body ->> 'max_concurrent_runs')::bigint AS max_concurrent_runs,
    (body ->> 'max_repeats')::bigint AS max_repeats, coalesce(body -> 'guardrails', '[]') AS guardrails,
    coalesce(body -> 'metadata', '{}') AS metadata, version, created_at, updated_at
FROM entities WHERE entities.kind = 'agent_config';

CREATE VIEW entity_history WITH (security_invoker = true) AS
SELECT e.tenant AS tenant_id, e.kind, e.id, e.version, moment(e.created_at) AS created_at,
    moment(e.sys_from) AS sys_from, moment(e.sys_to) AS sys_to, moment(e.valid_from) AS valid_from,
    moment(e.valid_to) AS valid_to, e.carried, e.tx_id, p.provenance ->> 'captured_by' AS captured_by,
    p.provenance ->> 'capture_reason' AS capture_reason, (p.provenance ->> 'run_id')::uuid AS run_id,
    (p.provenance ->> 'step_seq')::bigint AS step_seq, p.provenance ->> 'request_id' AS request_id, b.body
FROM (
    SELECT tenant, kind, id, version, created_at, sys_from, 9223372036854775807 AS sys_to, valid_from, valid_to,
        carried, tx_id, body
    FROM head
    UNION ALL
    SELECT tenant, kind, id, version, created_at, sys_from, sys_to, valid_from, valid_to, carried, tx_id, body
    FROM slice
) e JOIN entity_commit c ON c.tenant = e.tenant AND c.tx_id = e.tx_id
    CROSS JOIN LATERAL (SELECT plain(e.body) AS body OFFSET 0) b
    CROSS JOIN LATERAL (SELECT plain(c.provenance) AS provenance OFFSET 0) p;

CREATE VIEW commits WITH (security_invoker = true) AS
SELECT c.tenant AS tenant_id, c.tx_id, moment(c.at) AS committed_at, p.provenance ->> 'captured_by' AS captured_by,
    p.provenance ->> 'capture_reason' AS capture_reason, (p.provenance ->> 'run_id')::uuid AS run_id,
    (p.provenance ->> 'step_seq')::bigint AS step_seq, p.provenance ->> 'request_id' AS request_id,
    plain(c.entities) AS entities
FROM entity_commit c CROSS JOIN LATERAL (SELECT plain(c.provenance) AS provenance OFFSET 0) p;

-- What `queue` knows of a run counts; what it does not know any more is in `run`.
CREATE VIEW runs WITH (security_invoker = true) AS
SELECT r.id, r.tenant AS tenant_id, r.blueprint AS agent_blueprint, coalesce(q.status, r.outcome) AS status,
    plain(r.input) AS input, plain(r.output) AS output,
    coalesce(q.cost, r.cost) * 0.000000001 AS cost_usd, (s.state ->> 'budget_usd_cents')::bigint AS budget_usd_cents,
    (s.state ->> 'deadline_secs')::bigint AS deadline_secs, moment(s.state ->> 'deadline_at') AS deadline_at,
    moment((s.state ->> 'run_at_micros')::bigint) AS run_at, (s.state ->> 'priority')::smallint AS priority,
    CASE WHEN q.run IS NULL THEN moment(s.state ->> 'started_at') ELSE moment(q.started_at) END AS started_at,
    moment(s.state ->> 'finished_at') AS finished_at, s.state ->> 'failure_category' AS failure_category,
    s.state ->> 'failure_detail' AS failure_detail,
    CASE WHEN q.run IS NULL THEN s.state ->> 'waiting_reason' ELSE q.waiting_reason END AS waiting_reason,
    CASE WHEN q.run IS NULL THEN moment(s.state ->> 'cancel_requested_at')
        ELSE moment(q.cancel_requested_at) END AS cancel_requested_at,
    coalesce(q.attempt, (s.state ->> 'attempt')::bigint) AS attempt,
    (s.state ->> 'config_version')::bigint AS config_version,
    coalesce(q.blueprint_version, r.blueprint_version) AS blueprint_version, plain(r.metadata) AS metadata,
    moment(r.created_at) AS created_at,
    CASE WHEN q.run IS NULL THEN moment(s.state ->> 'updated_at') ELSE moment(q.updated_at) END AS updated_at
FROM run r LEFT JOIN queue q ON q.tenant = r.tenant AND q.run = r.id
    CROSS JOIN LATERAL (SELECT plain(r.state) AS state OFFSET 0) s;

CREATE VIEW steps WITH (security_invoker = true) AS
SELECT s.id, s.tenant AS tenant_id, s.run AS run_id, s.seq, s.kind, plain(s.name) #>> '{}' AS name, s.outcome,
    plain(s.model) #>> '{}' AS model, plain(coalesce(s.input, i.body)) AS input,
    plain(coalesce(s.output, o.body)) AS output,
    (u.usage ->> 'input_tokens')::bigint AS input_tokens, (u.usage ->> 'output_tokens')::bigint AS output_tokens,
    (u.usage ->> 'cache_read_tokens')::bigint AS cache_read_tokens,
    (u.usage ->> 'cache_write_tokens')::bigint AS cache_write_tokens, coalesce(s.cost, 0) * 0.000000001 AS cost_usd,
    moment(s.started_at) AS started_at, moment(s.completed_at) AS completed_at,
    encode(s.call_digest, 'hex') AS call_digest, encode(s.hash, 'hex') AS hash,
    encode(s.output_ref, 'hex') AS payload_ref
FROM step s
    LEFT JOIN payload i ON i.tenant = s.tenant AND i.digest = s.input_ref
    LEFT JOIN payload o ON o.tenant = s.tenant AND o.digest = s.output_ref
    CROSS JOIN LATERAL (SELECT plain(s.usage) AS usage OFFSET 0) u;

-- The event of a step is made of its row; the others stand in rows of several.
CREATE VIEW events WITH (security_invoker = true) AS
SELECT e.run || ':' || e.seq AS id, e.tenant AS tenant_id, e.run AS run_id, e.seq, e.type, moment(e.at) AS at, e.actor,
    e.data
FROM (
    SELECT v.tenant, v.run, v.last_seq - b.count + o.place AS seq, o.event ->> 'type' AS type, v.at,
        o.event ->> 'actor' AS actor, coalesce(nullif(o.event -> 'data', 'null'), '{}') AS data
    FROM event v
        CROSS JOIN LATERAL (SELECT p.body, jsonb_array_length(p.body) AS count
            FROM (SELECT plain(v.body) AS body OFFSET 0) p OFFSET 0) b
        CROSS JOIN LATERAL jsonb_array_elements(b.body) WITH ORDINALITY o(event, place)
    UNION ALL
    SELECT s.tenant, s.run, s.event_seq, 'step.recorded', s.at, NULL,
        jsonb_build_object('step_seq', s.seq, 'kind', s.kind, 'name', plain(s.name), 'outcome', s.outcome)
    FROM step s
) e;

COMMENT ON VIEW entities IS 'Every entity as it holds now, whatever its kind.';
COMMENT ON COLUMN entities.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN entities.kind IS 'agent_config, contact or merge_proposal.';
COMMENT ON COLUMN entities.id IS 'Names it within its kind.';
COMMENT ON COLUMN entities.version IS 'The number of the write that made it, from 1.';
COMMENT ON COLUMN entities.created_at IS 'When it was first written.';
COMMENT ON COLUMN entities.updated_at IS 'When this version was written.';
COMMENT ON COLUMN entities.valid_from IS 'Since when it holds in the world.';
COMMENT ON COLUMN entities.valid_to IS 'Until when it holds in the world; infinity if nothing is known.';
COMMENT ON COLUMN entities.body IS
    'Its data. U+FFFD stands for NUL, which PostgreSQL keeps in no text; so it does in all columns of these views.';

COMMENT ON VIEW contacts IS 'People, organizations and groups as they are known now.';
COMMENT ON COLUMN contacts.id IS 'Names it.';
COMMENT ON COLUMN contacts.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN contacts.display_name IS 'The name to show.';
COMMENT ON COLUMN contacts.kind IS 'person, organization or group.';
COMMENT ON COLUMN contacts.given_name IS 'First name.';
COMMENT ON COLUMN contacts.middle_name IS 'Second and further given names.';
COMMENT ON COLUMN contacts.family_name IS 'Last name.';
COMMENT ON COLUMN contacts.prefix IS 'Title before the name, such as Dr.';
COMMENT ON COLUMN contacts.suffix IS 'Addition after the name, such as Jr.';
COMMENT ON COLUMN contacts.nickname IS 'What friends call it.';
COMMENT ON COLUMN contacts.bio IS 'Free text about it.';
COMMENT ON COLUMN contacts.avatar_url IS 'Address of a picture.';
COMMENT ON COLUMN contacts.language IS 'Preferred language (BCP 47).';
COMMENT ON COLUMN contacts.timezone IS 'Time zone (IANA).';
COMMENT ON COLUMN contacts.vcard_uid IS 'The UID of the vCard it came from.';
COMMENT ON COLUMN contacts.channels IS
    'Ways to reach it: an array of {id, type, value, canonical_value, label, is_primary, is_verified, preference_order}.';
COMMENT ON COLUMN contacts.addresses IS
    'Postal addresses: an array of {id, label, street, extended, po_box, city, region, postal_code, country, country_code, latitude, longitude, is_primary}.';
COMMENT ON COLUMN contacts.dates IS 'Days that matter: an array of {id, date_type, label, year, month, day}.';
COMMENT ON COLUMN contacts.tags IS 'Labels, sorted.';
COMMENT ON COLUMN contacts.merged_ids IS 'Contacts that were merged into this one.';
COMMENT ON COLUMN contacts.metadata IS 'Whatever else the application or an import keeps with it.';
COMMENT ON COLUMN contacts.version IS 'The number of the write that made it, from 1.';
COMMENT ON COLUMN contacts.created_at IS 'When it was first written.';
COMMENT ON COLUMN contacts.updated_at IS 'When this version was written.';

COMMENT ON VIEW merge_proposals IS 'Contacts that may be the same, as proposed and decided by now.';
COMMENT ON COLUMN merge_proposals.id IS 'Names it.';
COMMENT ON COLUMN merge_proposals.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN merge_proposals.contact_ids IS 'The contacts, at least two.';
COMMENT ON COLUMN merge_proposals.survivor_id IS 'The one of them that would remain.';
COMMENT ON COLUMN merge_proposals.score IS 'How likely it is that all are the same, 0 to 1.';
COMMENT ON COLUMN merge_proposals.reasons IS 'Why, for a person to read.';
COMMENT ON COLUMN merge_proposals.status IS 'pending, accepted, rejected or stale.';
COMMENT ON COLUMN merge_proposals.run_id IS 'The run that proposed it.';
COMMENT ON COLUMN merge_proposals.metadata IS 'Whatever the application keeps with it.';
COMMENT ON COLUMN merge_proposals.version IS 'The number of the write that made it, from 1.';
COMMENT ON COLUMN merge_proposals.created_at IS 'When it was first written.';
COMMENT ON COLUMN merge_proposals.updated_at IS 'When this version was written.';

COMMENT ON VIEW agent_configs IS 'How blueprints behave for a tenant now. What a config leaves out is as the blueprint has it.';
COMMENT ON COLUMN agent_configs.id IS 'Names it.';
COMMENT ON COLUMN agent_configs.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN agent_configs.agent_blueprint IS 'The blueprint.';
COMMENT ON COLUMN agent_configs.system_prompt IS 'Replaces the prompt of the blueprint.';
COMMENT ON COLUMN agent_configs.model IS 'claude-… or provider/model.';
COMMENT ON COLUMN agent_configs.tools IS 'The tools that may be offered, by name.';
COMMENT ON COLUMN agent_configs.budget_default_cents IS 'What a run may cost if it does not say, in cents of a dollar.';
COMMENT ON COLUMN agent_configs.deadline_default_seconds IS 'How long a run may take if it does not say.';
COMMENT ON COLUMN agent_configs.max_steps IS 'How many steps a run may have.';
COMMENT ON COLUMN agent_configs.max_concurrent_runs IS 'How many runs may run at once.';
COMMENT ON COLUMN agent_configs.max_repeats IS 'How many times a run may make the same call.';
COMMENT ON COLUMN agent_configs.guardrails IS 'The rules: an array.';
COMMENT ON COLUMN agent_configs.metadata IS 'Whatever the application keeps with it.';
COMMENT ON COLUMN agent_configs.version IS 'The number of the write that made it, from 1.';
COMMENT ON COLUMN agent_configs.created_at IS 'When it was first written.';
COMMENT ON COLUMN agent_configs.updated_at IS 'When this version was written.';

COMMENT ON VIEW entity_history IS 'Every slice of every entity: what was held for true from sys_from until before sys_to, about the time from valid_from until before valid_to.';
COMMENT ON COLUMN entity_history.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN entity_history.kind IS 'agent_config, contact or merge_proposal.';
COMMENT ON COLUMN entity_history.id IS 'Names the entity within its kind.';
COMMENT ON COLUMN entity_history.version IS 'The number of the write that made the slice, from 1.';
COMMENT ON COLUMN entity_history.created_at IS 'When the entity was first written.';
COMMENT ON COLUMN entity_history.sys_from IS 'Since when it was held for true.';
COMMENT ON COLUMN entity_history.sys_to IS 'Until when it was; infinity if it still is.';
COMMENT ON COLUMN entity_history.valid_from IS 'Since when it holds in the world.';
COMMENT ON COLUMN entity_history.valid_to IS 'Until when it does; infinity if nothing is known.';
COMMENT ON COLUMN entity_history.carried IS
    'Whether it is the rest of an older slice that a later write cut, and not a write itself.';
COMMENT ON COLUMN entity_history.tx_id IS 'The commit that wrote the version.';
COMMENT ON COLUMN entity_history.captured_by IS 'Who wrote it.';
COMMENT ON COLUMN entity_history.capture_reason IS 'Why, such as user_edit, import or agent_run.';
COMMENT ON COLUMN entity_history.run_id IS 'The run that wrote it.';
COMMENT ON COLUMN entity_history.step_seq IS 'The step of that run.';
COMMENT ON COLUMN entity_history.request_id IS 'The request that asked for it.';
COMMENT ON COLUMN entity_history.body IS 'The data; null says that the entity is deleted.';

COMMENT ON VIEW commits IS 'The commits that changed entities, numbered for each tenant.';
COMMENT ON COLUMN commits.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN commits.tx_id IS 'Its number, from 1 without gaps.';
COMMENT ON COLUMN commits.committed_at IS 'Its system time.';
COMMENT ON COLUMN commits.captured_by IS 'Who wrote it.';
COMMENT ON COLUMN commits.capture_reason IS 'Why, such as user_edit, import or agent_run.';
COMMENT ON COLUMN commits.run_id IS 'The run that wrote it.';
COMMENT ON COLUMN commits.step_seq IS 'The step of that run.';
COMMENT ON COLUMN commits.request_id IS 'The request that asked for it.';
COMMENT ON COLUMN commits.entities IS 'What it changed: an array of {type, id, version, operation}.';

COMMENT ON VIEW runs IS 'Runs of agents, live ones and ended ones.';
COMMENT ON COLUMN runs.id IS 'Names it.';
COMMENT ON COLUMN runs.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN runs.agent_blueprint IS 'What kind of agent.';
COMMENT ON COLUMN runs.status IS 'queued, running, waiting, succeeded, failed or cancelled.';
COMMENT ON COLUMN runs.input IS 'What was asked for.';
COMMENT ON COLUMN runs.output IS 'What came out of it.';
COMMENT ON COLUMN runs.cost_usd IS 'What its steps cost, in dollars and exact.';
COMMENT ON COLUMN runs.budget_usd_cents IS 'What it may cost, in cents of a dollar.';
COMMENT ON COLUMN runs.deadline_secs IS 'How long it may take from its first start.';
COMMENT ON COLUMN runs.deadline_at IS 'When it must have ended.';
COMMENT ON COLUMN runs.run_at IS 'Not before this moment.';
COMMENT ON COLUMN runs.priority IS 'Higher goes first, -100 to 100.';
COMMENT ON COLUMN runs.started_at IS 'When a worker first took it.';
COMMENT ON COLUMN runs.finished_at IS 'When it ended.';
COMMENT ON COLUMN runs.failure_category IS 'Why it failed.';
COMMENT ON COLUMN runs.failure_detail IS 'Why it failed, in words.';
COMMENT ON COLUMN runs.waiting_reason IS 'What it waits for.';
COMMENT ON COLUMN runs.cancel_requested_at IS 'When somebody asked for its end.';
COMMENT ON COLUMN runs.attempt IS 'How many times a worker has taken it.';
COMMENT ON COLUMN runs.config_version IS 'The version of the agent config that it lives by.';
COMMENT ON COLUMN runs.blueprint_version IS 'The version of the blueprint that it lives by.';
COMMENT ON COLUMN runs.metadata IS 'Whatever the caller keeps with it.';
COMMENT ON COLUMN runs.created_at IS 'When it was accepted.';
COMMENT ON COLUMN runs.updated_at IS 'When it last changed.';

COMMENT ON VIEW steps IS 'The journals of runs: turns of models and calls of tools.';
COMMENT ON COLUMN steps.id IS 'Names it.';
COMMENT ON COLUMN steps.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN steps.run_id IS 'The run.';
COMMENT ON COLUMN steps.seq IS 'Its place in the journal, from 1 without gaps.';
COMMENT ON COLUMN steps.kind IS 'llm or tool.';
COMMENT ON COLUMN steps.name IS 'The model or the tool.';
COMMENT ON COLUMN steps.outcome IS 'ok, error or blocked.';
COMMENT ON COLUMN steps.model IS 'The model that answered.';
COMMENT ON COLUMN steps.input IS 'What went in.';
COMMENT ON COLUMN steps.output IS 'What came out.';
COMMENT ON COLUMN steps.input_tokens IS 'Tokens of the prompt that no cache served.';
COMMENT ON COLUMN steps.output_tokens IS 'Tokens of the answer.';
COMMENT ON COLUMN steps.cache_read_tokens IS 'Tokens of the prompt that a cache served.';
COMMENT ON COLUMN steps.cache_write_tokens IS 'Tokens of the prompt that were written to the cache.';
COMMENT ON COLUMN steps.cost_usd IS 'What it cost, in dollars and exact.';
COMMENT ON COLUMN steps.started_at IS 'When it began.';
COMMENT ON COLUMN steps.completed_at IS 'When it ended.';
COMMENT ON COLUMN steps.call_digest IS 'What was asked, as a digest in hexadecimal digits.';
COMMENT ON COLUMN steps.hash IS 'The chain of the journal up to here, in hexadecimal digits.';
COMMENT ON COLUMN steps.payload_ref IS 'The digest of the output where it is long.';

COMMENT ON VIEW events IS 'What happened to runs.';
COMMENT ON COLUMN events.id IS 'Names it.';
COMMENT ON COLUMN events.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN events.run_id IS 'The run.';
COMMENT ON COLUMN events.seq IS 'Its place in the history of the run, from 1 without gaps.';
COMMENT ON COLUMN events.type IS 'What happened, such as run.started or step.recorded.';
COMMENT ON COLUMN events.at IS 'When.';
COMMENT ON COLUMN events.actor IS 'Who did it, where a person or another program did.';
COMMENT ON COLUMN events.data IS 'More about it.';
