use serde_json::json;
use worktruck_agents::clock::SystemClock;
use worktruck_core::entity::Kind;
use worktruck_core::{Clock as _, EntityId};

use super::asked::{Asked, Condition, Filter, both, flag, has, is};
use super::bodies::{DAYS, day, moment};
use super::world::{World, mix};

/// How many values of a filter are measured at most.
const VALUES: usize = 300;

/// What lists of `kind` can be sorted by.
pub(super) const fn sorts(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Deal => &["created_at", "updated_at", "amount", "expected_close_date"],
        Kind::Task => &["created_at", "updated_at", "position", "priority", "due"],
        Kind::Event => &["created_at", "updated_at", "start"],
        Kind::Note => &["created_at", "updated_at", "title"],
        _ => &["created_at", "updated_at", "display_name"],
    }
}

/// Every filter of every kind by itself, and common pairs.
pub(super) fn all(world: &World) -> Vec<Filter> {
    [contacts(world), deals(world), tasks(world), events(world), notes(world)].into_iter().flatten().collect()
}

fn contacts(world: &World) -> Vec<Filter> {
    let [common, some, rare] = labelled("tag");
    let groups = has("group_id", &world.groups);
    let organizations = has("organization_id", ids(world, Kind::Contact, world.organizations()));
    let person = is("kind", ["person"]);
    filters(
        Kind::Contact,
        [
            ("all", vec![Asked::default()]),
            ("kind=person", person.clone()),
            ("kind=organization", is("kind", ["organization"])),
            ("kind+tag of thousands", both(&person, &common)),
            ("kind+tag of hundreds", both(&person, &some)),
            ("tag of hundreds+group_id", both(&some, &groups)),
            ("kind+organization_id", both(&person, &organizations)),
            ("tag of thousands", common),
            ("tag of hundreds", some),
            ("tag of few", rare),
            ("group_id", groups),
            ("organization_id", organizations),
        ],
    )
}

fn deals(world: &World) -> Vec<Filter> {
    let (pipelines, stages) = (is("pipeline_id", &world.pipelines), is("stage_id", &world.stages));
    let types = is("stage_type", ["open", "won", "lost"]);
    let organizations = is("organization_id", ids(world, Kind::Contact, world.organizations()));
    filters(
        Kind::Deal,
        [
            ("all", vec![Asked::default()]),
            ("pipeline_id+stage_type", both(&pipelines, &is("stage_type", ["won", "open", "lost", "open"]))),
            ("stage_type+organization_id", both(&types, &organizations)),
            ("stage_id+organization_id", both(&stages, &organizations)),
            ("pipeline_id", pipelines),
            ("stage_id", stages),
            ("stage_type", types),
            ("contact_id", has("contact_id", ids(world, Kind::Contact, VALUES))),
            ("organization_id", organizations),
        ],
    )
}

fn tasks(world: &World) -> Vec<Filter> {
    let [common, some, rare] = labelled("label");
    let projects = is("project_id", &world.projects);
    let statuses = is("status_id", &world.statuses);
    let categories = is("status_category", ["backlog", "todo", "in_progress", "done", "canceled"]);
    let assignees = is("assignee_id", ids(world, Kind::Contact, 100));
    let parents = is("parent_id", ids(world, Kind::Task, world.count / 20));
    let before = |last: usize| Asked::of("due_before", day(last), [Condition::Below("due", day(last))]);
    let after = |first: usize| Asked::of("due_after", day(first), [Condition::Above("due", day(first) + "~")]);
    let overdue = |value: bool| {
        let today = SystemClock::new().now().to_string().chars().take("2024-01-01".len()).collect();
        let is = if value { Condition::Below("open_due", today) } else { Condition::NotBelow("open_due", today) };
        vec![Asked::of("overdue", json!(value), [is])]
    };
    let weeks: Vec<_> = days().map(|day| after(day).and(&before(day + 7))).collect();
    let mut filters = filters(
        Kind::Task,
        [
            ("all", vec![Asked::default()]),
            ("project_id+status_category", both(&projects, &categories)),
            ("project_id+label of hundreds", both(&projects, &some)),
            ("assignee_id+status_category", both(&assignees, &categories)),
            ("status_category+label of thousands", both(&categories, &common)),
            ("assignee_id+due in a week", both(&assignees, &weeks)),
            ("assignee_id+overdue=true", both(&assignees, &overdue(true))),
            ("project_id+overdue=true", both(&projects, &overdue(true))),
            ("project_id", projects),
            ("status_id", statuses),
            ("status_category", categories),
            ("assignee_id", assignees),
            ("parent_id", parents),
            ("label of thousands", common),
            ("label of hundreds", some),
            ("label of few", rare),
            ("overdue=true", overdue(true)),
            ("overdue=false", overdue(false)),
            ("due_before", days().map(before).collect()),
            ("due_after", days().map(after).collect()),
            ("due in a week", weeks),
        ],
    );
    // What is due today is overdue from some time of today on.
    for filter in filters.iter_mut().filter(|filter| filter.name.contains("overdue")) {
        filter.is_same = false;
    }
    filters
}

fn events(world: &World) -> Vec<Filter> {
    let calendars = is("calendar_id", &world.calendars);
    let statuses = is("status", ["confirmed", "tentative", "cancelled"]);
    let from =
        |day: usize| Asked::of("from", moment(day, 0), [Condition::Above("ends", format!("T{}", moment(day, 0)))]);
    let to = |day: usize| Asked::of("to", moment(day, 0), [Condition::Below("begins", format!("T{}", moment(day, 0)))]);
    let window = |length: usize| days().map(|day| from(day).and(&to(day + length))).collect::<Vec<_>>();
    filters(
        Kind::Event,
        [
            ("all", vec![Asked::default()]),
            ("calendar_id+a week", both(&calendars, &window(7))),
            ("calendar_id+a year", both(&calendars, &window(365))),
            ("calendar_id+status", both(&calendars, &statuses)),
            ("status+a month", both(&statuses, &window(30))),
            ("calendar_id", calendars),
            ("status", statuses),
            ("series_id", is("series_id", ids(world, Kind::Event, world.series()))),
            ("ical_uid", is("ical_uid", (0..VALUES).map(|n| format!("{}@calendar.example", mix(n, 71) % world.count)))),
            ("from", days().map(from).collect()),
            ("to", days().map(to).collect()),
            ("a day", window(1)),
            ("a week", window(7)),
            ("a year", window(365)),
        ],
    )
}

fn notes(world: &World) -> Vec<Filter> {
    let [common, some, rare] = labelled("tag");
    let notebooks = is("notebook_id", &world.notebooks);
    let archived = |value| flag("archived", value);
    filters(
        Kind::Note,
        [
            ("all", vec![Asked::default()]),
            ("notebook_id+archived=false", both(&notebooks, &archived(false))),
            ("notebook_id+tag of hundreds", both(&notebooks, &some)),
            ("tag of thousands+archived=false", both(&common, &archived(false))),
            ("tag of thousands+pinned=true", both(&common, &flag("pinned", true))),
            ("notebook_id", notebooks),
            ("tag of thousands", common),
            ("tag of hundreds", some),
            ("tag of few", rare),
            ("pinned=true", flag("pinned", true)),
            ("pinned=false", flag("pinned", false)),
            ("archived=true", archived(true)),
            ("archived=false", archived(false)),
        ],
    )
}

fn filters<const N: usize>(kind: Kind, all: [(&str, Vec<Asked>); N]) -> Vec<Filter> {
    let filter = |(name, values): (&str, Vec<Asked>)| Filter { kind, name: name.to_owned(), values, is_same: true };
    all.into_iter().map(filter).collect()
}

/// What thousands, some hundred, and few entities are labelled with.
fn labelled(field: &'static str) -> [Vec<Asked>; 3] {
    let named = |name: &'static str, count| has(field, (0..count).map(move |n: usize| format!("{name}-{n}")));
    [named("common", 5), named("some", 40), named("rare", VALUES)]
}

/// The ids of the first entities of `kind`.
fn ids(world: &World, kind: Kind, count: usize) -> impl Iterator<Item = EntityId> {
    (0..count.min(VALUES)).map(move |n| world.id(kind, n))
}

/// Days of the first four years, in no order.
fn days() -> impl Iterator<Item = usize> {
    (0..VALUES).map(|n| mix(n, 72) % (DAYS * 4 / 5))
}
