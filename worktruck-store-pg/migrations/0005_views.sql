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

-- A day in text, likewise.
CREATE FUNCTION day(iso8601 text) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN iso8601 ~ '^(?!0000)[0-9]{4}-' THEN iso8601::date
        WHEN iso8601 ~ '^(0000)?-' THEN date '-infinity'
        WHEN iso8601 IS NOT NULL THEN date 'infinity'
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

-- A view for each kind of entity that people write. A block begins with `view of kind: comment`; a line in it is a
-- field of the body, its type, what it is if the body leaves it out, and a comment. `array` is a text[] that may be
-- absent.
DO $views$
DECLARE
    about CONSTANT text := $$
affiliations of affiliation: What contacts are at organizations.
contact_id uuid: The contact.
organization_id uuid: The organization, a contact too.
title text: Such as "Head of research".
role text: What it does there.
department text: Where in the organization.
description text: Free text about it.
start_date date: The first day.
end_date date: The last day.
is_current boolean = true: Whether it still holds.
metadata jsonb = {}: Whatever the application keeps with it.

agent_breakers of agent_breaker: Whether runs of blueprints are accepted; without a row they are.
agent_blueprint text: The blueprint.
disabled_at timestamptz: Since when no run is accepted; null if runs are.
disabled_reason text: Why.
enabled_at timestamptz: When runs were last accepted again.
enabled_reason text: Why.

agent_configs of agent_config: How blueprints behave for a tenant now. What a config leaves out is as the blueprint has it.
agent_blueprint text: The blueprint.
system_prompt text: Replaces the prompt of the blueprint.
model text: claude-… or provider/model.
fallback_models array: The models that are asked in its place while it cannot be, in order.
tools array: The tools that may be offered, by name.
budget_default_cents bigint: What a run may cost if it does not say, in cents of a dollar.
deadline_default_seconds bigint: How long a run may take if it does not say.
max_steps bigint: How many steps a run may have.
max_concurrent_runs bigint: How many runs may run at once.
on_budget jsonb: What is done when parts of the budget of a run are spent: an array.
max_repeats bigint: How many times a run may make the same call.
guardrails jsonb = []: The rules: an array.
metadata jsonb = {}: Whatever the application keeps with it.

agent_schedules of agent_schedule: When runs of blueprints are due.
blueprint text: The blueprint.
cron_expression text: Five fields, or six with seconds.
timezone text = UTC: The zone whose clocks the expression is read on.
input_template jsonb: What runs are asked for.
enabled boolean = true: Whether runs are enqueued.
overlap text = skip: What becomes of a due time while the run before it has not ended: skip, queue or allow.
catch_up text = none: What becomes of due times that nobody was there for: none, last or all.
jitter_secs bigint: How long after its due time a run is enqueued at most.
metadata jsonb = {}: Whatever the application keeps with it.
next_run_at timestamptz: The due time that comes next.
last_enqueued_at timestamptz: When a run was last enqueued.
last_run_id uuid: That run.
consecutive_failures bigint = 0: How many due times in a row came to a run that failed or was refused.
disabled_reason text: Why a scheduler has disabled it.

attachments of attachment: Files that belong to notes.
note_id uuid: The note.
url text: Where the file is.
name text: What to call it.
media_type text: What it is, such as image/png.
size_bytes numeric: How large it is.
metadata jsonb = {}: Whatever the application keeps with it.

attendees of attendee: Who is asked to events of calendars.
event_id uuid: The event, one of calendar_events.
email text: Their e-mail address.
display_name text: What to call them.
contact_id uuid: The contact that they are.
role text = req_participant: chair, req_participant, opt_participant or non_participant.
participant_type text = individual: individual, group, resource, room or unknown.
response_status text = pending: pending, accepted, declined or tentative.
comment text: What they said with it.
metadata jsonb = {}: Whatever the application keeps with it.

calendar_events of event: What happens at a time. A series is one row, and so is each occurrence of it that differs.
calendar_id uuid: The calendar that it is in.
title text: What people call it.
description text: What it is about.
location text: Where it is.
location_lat numeric: Degrees north.
location_lng numeric: Degrees east.
conference_url text: Where one joins from afar.
event_type text = event: event, focus_time, out_of_office, working_location or reminder.
status text = confirmed: confirmed, tentative or cancelled.
availability text = busy: busy or free.
visibility text = default: default, public or private.
is_all_day boolean = false: Whether it has dates instead of moments.
start_at timestamptz: When it begins.
end_at timestamptz: When it is over; when it begins if absent.
start_date date: Its first day.
end_date date: The day after its last; the day after its first if absent.
timezone text: The time zone (IANA) whose clocks a series keeps to.
rrule text: How it repeats (RRULE of RFC 5545).
exdates text[]: The occurrences that are left out, by their starts: moments, or dates of an all-day series.
rdates text[]: The occurrences that are added, likewise.
series_id uuid: The series of which this is an occurrence that differs.
recurrence_id text: Which occurrence: when the series would have it start, a moment or a date.
ical_uid text: What names it in iCalendar.
sequence bigint = 0: How often what matters to attendees was changed.
reminders jsonb = []: When to remind people of it: an array of {minutes, method}.
organizer_id uuid: The contact who asks people to it.
next_occurrence text: The first occurrence of a series after it was last written, a moment or a date.
color text: How it is shown, such as #3366cc.
metadata jsonb = {}: Whatever the application or an import keeps with it.

byok_keys of byok_key: What is known of keys of model providers that were brought. The keys themselves are sealed elsewhere.
agent_blueprint text: The blueprint whose runs ask with it.
provider text: The provider of models.
key_hint text: The end of the key.
status text: inactive, active, auth_failed or revoked.
last_probed_at timestamptz: When its provider was last asked.

calendars of calendar: What events are in.
name text: What people call it.
color text: How it is shown, such as #3366cc.
description text: What it is for.
timezone text: The time zone (IANA) of new events that name none; the tenant's if absent.
is_primary boolean = false: Whether it is the one that is meant when none is named.
is_visible boolean = true: Whether it is shown, and counts for when somebody has time.
metadata jsonb = {}: Whatever the application keeps with it.

comments of comment: What people say about tasks.
task_id uuid: The task.
body text: What it says.
author text: The principal who wrote it.
metadata jsonb = {}: Whatever the application keeps with it.

contacts of contact: People, organizations and groups as they are known now.
display_name text: The name to show.
kind text = person: person, organization or group.
given_name text: First name.
middle_name text: Second and further given names.
family_name text: Last name.
prefix text: Title before the name, such as Dr.
suffix text: Addition after the name, such as Jr.
nickname text: What friends call it.
bio text: Free text about it.
avatar_url text: Address of a picture.
language text: Preferred language (BCP 47).
timezone text: Time zone (IANA).
vcard_uid text: The UID of the vCard it came from.
channels jsonb = []: Ways to reach it: an array of {id, type, value, canonical_value, label, is_primary, is_verified, preference_order}.
addresses jsonb = []: Postal addresses: an array of {id, label, street, extended, po_box, city, region, postal_code, country, country_code, latitude, longitude, is_primary}.
dates jsonb = []: Days that matter: an array of {id, date_type, label, year, month, day}.
tags text[]: Labels, sorted.
merged_ids uuid[]: Contacts that were merged into this one.
metadata jsonb = {}: Whatever else the application or an import keeps with it.

deals of deal: What may be sold.
name text: What it is called.
pipeline_id uuid: What it goes through.
stage_id uuid: Where in the pipeline it is.
amount numeric: What it is worth, exact.
currency text: What the amount is in (ISO 4217).
value_period text: How often the amount comes: one_time, monthly, quarterly or annual.
probability numeric: How likely it is to be won, 0 to 1; as its stage says if absent.
confidence bigint: How sure its owner is, 0 to 100.
contact_id uuid: With whom.
organization_id uuid: With which organization, a contact too.
source text: Where it came from.
description text: What it is about.
next_step text: What is to be done next.
expected_close_date date: When it should be decided.
closed_at timestamptz: When it was won or lost.
won_reason text: Why it was won.
lost_reason text: Why it was lost.
contacts jsonb = []: Whom it is linked with: an array of {contact_id, role, is_primary, introduced_by}.
metadata jsonb = {}: Whatever the application keeps with it.

dependencies of dependency: How tasks depend on each other.
task_id uuid: The one task.
other_task_id uuid: The other task.
type text: What the one is to the other: blocks, blocked_by, related or duplicate.
metadata jsonb = {}: Whatever the application keeps with it.

event_links of event_link: What events of calendars are about.
event_id uuid: The event, one of calendar_events.
entity_type text: contact, task, note or deal.
entity_id uuid: Which one.
metadata jsonb = {}: Whatever the application keeps with it.

group_members of group_member: Who is in which group.
group_id uuid: The group.
contact_id uuid: The contact.
metadata jsonb = {}: Whatever the application keeps with it.

groups of group: Lists of contacts under a name.
name text: What it is called.
description text: What it is for.
metadata jsonb = {}: Whatever the application keeps with it.

integration_keys of integration_key: What is known of keys of other services. The keys themselves are sealed elsewhere.
provider text: cloudflare, github, netdata, postmark or outstand.
label text: What people call it.
key_hint text: The end of the key.
secret_ref text: Names the sealed key.
status text = unverified: unverified, active, invalid or revoked.
metadata jsonb = {}: Whatever the application keeps with it.
last_verified_at timestamptz: When its provider was last asked.

interactions of interaction: What took place with contacts.
type text: meeting, call, email, note or other.
occurred_at timestamptz: When it was.
summary text: What it was about, in a line.
body text: What was said, at length.
contact_ids uuid[]: With whom, at least one.
duration_minutes bigint: How long it took.
metadata jsonb = {}: Whatever the application keeps with it.

labels of label: The colours of names that tasks are labelled with.
name text: The name.
color text: The colour it is shown in.
metadata jsonb = {}: Whatever the application keeps with it.

merge_proposals of merge_proposal: Contacts that may be the same, as proposed and decided by now.
contact_ids uuid[]: The contacts, at least two.
survivor_id uuid: The one of them that would remain.
score numeric: How likely it is that all are the same, 0 to 1.
reasons text[]: Why, for a person to read.
status text = pending: pending, accepted, rejected or stale.
run_id uuid: The run that proposed it.
metadata jsonb = {}: Whatever the application keeps with it.

milestones of milestone: What projects want to have reached by a day.
project_id uuid: The project.
name text: What it is called.
due_date date: The day it should be reached.
completed_at timestamptz: When it was reached.
metadata jsonb = {}: Whatever the application keeps with it.

note_links of note_link: Where notes lead.
note_id uuid: The note that it leads from.
target_type text: note, contact, task, event or deal.
target_id uuid: Where it leads; absent while there is no note of the title.
title text: The title as the text has it.
alias text: What the text shows in its place.
heading text: The heading, or ^ and a block, that it leads to there.
is_manual boolean = false: Whether somebody made it, so that it does not depend on the text.
metadata jsonb = {}: Whatever the application keeps with it.

note_tags of note_tag: What is known of names that notes are tagged with.
name text: What notes name it by.
color text: The colour to show it in.
description text: What it is for.
metadata jsonb = {}: Whatever the application keeps with it.

notebooks of notebook: What notes are kept in.
name text: What it is called.
description text: What it is for.
metadata jsonb = {}: Whatever the application keeps with it.

notes of note: Markdown texts with titles.
title text: The title; several notes may share it.
body text: The text.
notebook_id uuid: The notebook that it is in.
is_pinned boolean = false: Whether it is to be shown before others.
is_archived boolean = false: Whether it is put away.
source_url text: Where it was taken from.
word_count bigint = 0: How many words the text has behind its front matter.
tags text[]: Labels, sorted.
metadata jsonb = {}: What the front matter says, and whatever else the application or an import keeps with it.

pipelines of pipeline: What deals go through.
name text: What it is called.
description text: What it is for.
is_default boolean = false: Whether deals go to it if nothing is said.
currency text: What its deals are in if they do not say (ISO 4217).
metadata jsonb = {}: Whatever the application keeps with it.

project_members of project_member: Who works on projects, and as what.
project_id uuid: The project.
contact_id uuid: Who it is.
role text: As what, such as lead.
metadata jsonb = {}: Whatever the application keeps with it.

projects of project: What tasks belong to.
identifier text: What the identifiers of its tasks begin with.
name text: What it is called.
description text: What it is about.
status text = planned: planned, active, paused, completed or canceled.
is_archived boolean = false: Whether it is put away.
is_private boolean = false: Whether it is for its members only.
default_status_id uuid: The status of tasks that come without one.
start_date date: The day it begins.
target_date date: The day it should be done.
metadata jsonb = {}: Whatever the application keeps with it.

relationships of relationship: What contacts are to each other.
contact_id uuid: The first.
related_contact_id uuid: The second.
type text: What the first is to the second, such as reports_to.
note text: Free text about it.
metadata jsonb = {}: Whatever the application keeps with it.

sections of section: The parts that tasks of projects are laid out in.
project_id uuid: The project.
name text: What it is called.
position numeric: Its place among the sections of the project.
metadata jsonb = {}: Whatever the application keeps with it.

stage_changes of stage_change: When deals came into stages.
deal_id uuid: The deal.
pipeline_id uuid: The pipeline that it came into, or stayed in.
from_stage_id uuid: The stage that it was in; absent if it was new.
to_stage_id uuid: The stage that it came into.
amount numeric: What it was worth, exact.
currency text: What the amount is in (ISO 4217).
changed_at timestamptz: When.
changed_by text: The principal who moved it.
reason text: Why, for a person to read.
metadata jsonb = {}: Whatever the application keeps with it.

stages of stage: The parts of pipelines.
pipeline_id uuid: What it is a part of.
name text: What it is called.
position numeric: Where in the pipeline it is, lowest first.
stage_type text = open: What it says of the deals in it: open, won or lost.
probability numeric: How likely a deal in it is to be won, if the deal does not say, 0 to 1.
metadata jsonb = {}: Whatever the application keeps with it.

task_links of task_link: Addresses of the web that belong to tasks.
task_id uuid: The task.
url text: The address.
title text: What it is called.
metadata jsonb = {}: Whatever the application keeps with it.

task_statuses of task_status: The steps that tasks of projects go through.
project_id uuid: The project.
name text: What it is called.
category text: What it means: backlog, todo, in_progress, done or canceled.
color text: The colour it is shown in.
position numeric: Its place among the statuses of the project.
metadata jsonb = {}: Whatever the application keeps with it.

tasks of task: What is to be done.
title text: What it is.
description text: More about it.
project_id uuid: The project.
section_id uuid: The section of the project.
milestone_id uuid: The milestone of the project.
status_id uuid: The status, one of the project.
status_category text: What the status means: backlog, todo, in_progress, done or canceled.
parent_id uuid: The task that it is a part of.
identifier text: What people call it, such as API-42.
priority bigint = 0: How urgent it is, 0 (none) to 4 (urgent).
assignee_id uuid: The contact who is to do it.
creator_id uuid: The contact who asked for it.
due_date date: The day it is due, if not at a time.
due_at timestamptz: The time it is due, if not on a day.
deadline date: The day it must be done.
start_date date: The day it can be begun.
snoozed_until timestamptz: It is not to be shown before.
estimation_minutes bigint: How long it should take.
time_spent_minutes bigint: How long it has taken.
rrule text: How it repeats (RRULE of RFC 5545), beginning when it is due.
recurrence_basis text = due: What its next occurrence is counted from: due or completion.
next_occurrence text: When its next occurrence is due, a moment or a date.
next_task_id uuid: The task that is its next occurrence, once it was done.
position numeric: Its place in the order that people make.
labels text[]: What it is labelled with.
completed_at timestamptz: When it was done.
canceled_at timestamptz: When it was given up.
metadata jsonb = {}: Whatever the application keeps with it.

webhooks of webhook: Addresses that are told of what happens.
url text: The address.
events array: What it is told of.
description text: What it is for.
status text = active: active or disabled.
disabled_at timestamptz: When it was disabled because it did not answer.
disabled_reason text: Why.
metadata jsonb = {}: Whatever the application keeps with it.
$$;
    -- What all of them have.
    common CONSTANT jsonb := '{"id": "Names it.", "tenant_id": "Whose it is.",
        "version": "The number of the write that made it, from 1.", "created_at": "When it was first written.",
        "updated_at": "When this version was written."}';
    block text;
    line text;
    head text[];
    field text[];
    columns text;
    comments jsonb;
    value text;
BEGIN
    FOREACH block IN ARRAY string_to_array(btrim(about, E'\n'), E'\n\n') LOOP
        head := regexp_match(block, '^(\w+) of (\w+): ([^\n]+)');
        columns := '';
        comments := common;
        FOREACH line IN ARRAY (string_to_array(block, E'\n'))[2:] LOOP
            field := regexp_match(line, '^(\w+) ([a-z]+(?:\[\])?)(?: = (\S+))?: (.+)$');
            value := CASE field[2]
                WHEN 'text' THEN 'body ->> %1$L'
                WHEN 'jsonb' THEN 'body -> %1$L'
                WHEN 'timestamptz' THEN 'moment(body ->> %1$L)'
                WHEN 'date' THEN 'day(body ->> %1$L)'
                WHEN 'text[]' THEN 'texts(body -> %1$L)'
                WHEN 'uuid[]' THEN 'texts(body -> %1$L)::uuid[]'
                WHEN 'array' THEN 'CASE jsonb_typeof(body -> %1$L) WHEN ''array'' THEN texts(body -> %1$L) END'
                ELSE '(body ->> %1$L)::%2$s'
            END;
            value := format(CASE WHEN field[3] IS NULL THEN value ELSE 'coalesce(' || value || ', %3$L)' END,
                field[1], field[2], field[3]);
            columns := columns || format(', %s AS %I', value, field[1]);
            comments := comments || jsonb_build_object(field[1], field[4]);
        END LOOP;
        EXECUTE format('CREATE VIEW %I WITH (security_invoker = true) AS
            SELECT id, tenant_id%s, version, created_at, updated_at FROM entities WHERE entities.kind = %L',
            head[1], columns, head[2]);
        EXECUTE format('COMMENT ON VIEW %I IS %L', head[1], head[3]);
        FOR value, line IN SELECT * FROM jsonb_each_text(comments) LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', head[1], value, line);
        END LOOP;
    END LOOP;
END $views$;

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
    coalesce(q.blueprint_version, r.blueprint_version) AS blueprint_version,
    (s.state ->> 'dry_run')::boolean AS dry_run, moment(s.state ->> 'as_of') AS as_of,
    (s.state ->> 'forked_from')::uuid AS forked_from, (s.state ->> 'forked_from_seq')::bigint AS forked_from_seq,
    plain(r.metadata) AS metadata, moment(r.created_at) AS created_at,
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
    encode(s.output_ref, 'hex') AS payload_ref, plain(t.body) AS tried
FROM step s
    LEFT JOIN payload i ON i.tenant = s.tenant AND i.digest = s.input_ref
    LEFT JOIN payload o ON o.tenant = s.tenant AND o.digest = s.output_ref
    LEFT JOIN tried t ON t.tenant = s.tenant AND t.run = s.run AND t.seq = s.seq
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
COMMENT ON COLUMN entities.kind IS 'What it is, such as contact, deal or note.';
COMMENT ON COLUMN entities.id IS 'Names it within its kind.';
COMMENT ON COLUMN entities.version IS 'The number of the write that made it, from 1.';
COMMENT ON COLUMN entities.created_at IS 'When it was first written.';
COMMENT ON COLUMN entities.updated_at IS 'When this version was written.';
COMMENT ON COLUMN entities.valid_from IS 'Since when it holds in the world.';
COMMENT ON COLUMN entities.valid_to IS 'Until when it holds in the world; infinity if nothing is known.';
COMMENT ON COLUMN entities.body IS
    'Its data. U+FFFD stands for NUL, which PostgreSQL keeps in no text; so it does in all columns of these views.';

COMMENT ON VIEW entity_history IS 'Every slice of every entity: what was held for true from sys_from until before sys_to, about the time from valid_from until before valid_to.';
COMMENT ON COLUMN entity_history.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN entity_history.kind IS 'What it is, such as contact, deal or note.';
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
COMMENT ON COLUMN runs.dry_run IS 'True of a trial, which writes nothing and calls nobody outside.';
COMMENT ON COLUMN runs.as_of IS 'The moment that a trial takes for the present.';
COMMENT ON COLUMN runs.forked_from IS 'The run that it goes on from.';
COMMENT ON COLUMN runs.forked_from_seq IS 'The first step of that run that is not part of it.';
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
COMMENT ON COLUMN steps.tried IS 'What a trial would have written.';

COMMENT ON VIEW events IS 'What happened to runs.';
COMMENT ON COLUMN events.id IS 'Names it.';
COMMENT ON COLUMN events.tenant_id IS 'Whose it is.';
COMMENT ON COLUMN events.run_id IS 'The run.';
COMMENT ON COLUMN events.seq IS 'Its place in the history of the run, from 1 without gaps.';
COMMENT ON COLUMN events.type IS 'What happened, such as run.started or step.recorded.';
COMMENT ON COLUMN events.at IS 'When.';
COMMENT ON COLUMN events.actor IS 'Who did it, where a person or another program did.';
COMMENT ON COLUMN events.data IS 'More about it.';
