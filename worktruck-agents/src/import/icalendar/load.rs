use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use worktruck_core::entity::attendee::Attendee;
use worktruck_core::entity::calendar::Calendar;
use worktruck_core::entity::event::Event;
use worktruck_core::entity::{Kind, Locale};
use worktruck_core::pim::calendar::{EventPart, update_part};
use worktruck_core::pim::{Operation, Stored, create, delete, update};
use worktruck_core::recurrence::Moment;
use worktruck_core::store::{Change, Changes, EntityKey, EntityStore, Provenance, Require, View};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{Clock, EntityId, Error, ErrorKind, IdSource, Result, TenantId};

use super::people::{People, kept_organizer};
use super::{ImportedEvent, Parsed, RECURRENCE_KEPT, following};
use crate::import::{Problem, Report};

/// How many events are committed together.
const BATCH: usize = 200;
/// How often a batch is read and written again because others changed what it read.
const ATTEMPTS: usize = 8;

/// Where events or notes are loaded into, and as whose work.
#[derive(Clone, Debug)]
pub struct Target {
    /// The store.
    pub store: Arc<dyn EntityStore>,
    /// Whose they become.
    pub tenant: TenantId,
    /// Where new ids come from.
    pub ids: Arc<dyn IdSource>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who imports.
    pub captured_by: String,
    /// Where the tenant is at home.
    pub locale: Locale,
}

/// Writes the events of a file into a calendar, some hundred in a commit.
///
/// An event whose UID and RECURRENCE-ID the calendar has already is changed to what the file says, and left alone if
/// it is that, so that the same file can be imported again, also after it was broken off. The file is taken for all
/// that there is to say of an event, with these exceptions: what iCalendar has no words for stays, such as metadata
/// of other keys; a color, if the file has none; all attendees, if the file names none. The sequence never goes back.
/// Attendees are told apart by their e-mail addresses.
///
/// Who asks to an event (`ORGANIZER`) is the contact with that e-mail address, if there is one; the line is kept.
///
/// An occurrence becomes part of the series with its UID, and one that stands for all later ones too cuts it in two. If there is no such series, or it has no such occurrence,
/// it becomes an event of its own, with a problem that says so. `progress` is told how many events are done.
///
/// # Cancel safety
///
/// Dropping the future leaves whole batches written; importing the file again completes it.
///
/// # Errors
///
/// `NotFound` if there is no such calendar, and those of [`EntityStore::apply`]; what was committed before stays. An
/// event that is refused is a problem of the report.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use worktruck_agents::clock::{RandomIds, SystemClock};
/// use worktruck_agents::import::icalendar::{Options, Target, load, parse};
/// use worktruck_core::entity::Locale;
/// use worktruck_core::entity::calendar::Calendar;
/// use worktruck_core::pim::Pim;
/// use worktruck_core::store::{MemoryStore, NewTenant, TenantStore as _};
/// use worktruck_core::{Clock as _, TenantId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> worktruck_core::Result<()> {
/// let store = Arc::new(MemoryStore::default());
/// let (ids, clock) = (Arc::new(RandomIds::new()), Arc::new(SystemClock::new()));
/// let tenant = TenantId::new(&*ids, clock.now());
/// store.create_tenant(NewTenant::new(tenant, "acme"), clock.now()).await?;
/// let pim = Pim::new(store.clone(), clock.clone(), ids.clone());
/// let calendar = pim.calendars(tenant).create(Calendar::new("Work")).await?.id;
///
/// let file = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260414T100000Z\nEND:VEVENT\nEND:VCALENDAR\n";
/// let target = Target { store, tenant, ids, clock, captured_by: "ada".to_owned(), locale: Locale::default() };
/// let parsed = parse("work.ics", file, &Options::default())?;
/// assert_eq!(load(&target, calendar, parsed.clone(), |_| {}).await?.created, 1);
/// let again = load(&target, calendar, parsed, |_| {}).await?;
/// assert_eq!((again.created, again.updated, again.skipped), (0, 0, 1));
/// # Ok(())
/// # }
/// ```
pub async fn load(
    target: &Target,
    calendar: EntityId,
    parsed: Parsed,
    mut progress: impl FnMut(usize),
) -> Result<Report> {
    target.operation().expect::<Calendar>(calendar).await?;
    let mut report = Report { skipped: parsed.skipped(), ..Report::default() };
    let source = parsed.problems.first().map_or_else(|| Arc::from("file"), |problem| Arc::clone(&problem.source));
    report.errors = parsed.problems;
    // Series are there before their occurrences.
    let (series, occurrences): (Vec<_>, Vec<_>) =
        parsed.events.into_iter().partition(|event| event.recurrence_id.is_none());
    let mut done = 0;
    for batch in series.chunks(BATCH).chain(occurrences.chunks(BATCH)) {
        let written = target.write(calendar, batch, &source).await?;
        report.created += written.created;
        report.updated += written.updated;
        report.skipped += written.skipped;
        report.errors.extend(written.errors);
        done += batch.len();
        progress(done);
    }
    Ok(report)
}

/// What became of an event.
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

impl Target {
    fn operation(&self) -> Operation {
        let view = View::new(Arc::clone(&self.store), self.tenant, self.clock.now());
        let operation = Operation::new(view, Arc::clone(&self.ids), &self.captured_by);
        Operation { locale: self.locale, ..operation }
    }

    async fn write(&self, calendar: EntityId, batch: &[ImportedEvent], source: &Arc<str>) -> Result<Report> {
        let mut attempt = 1;
        loop {
            let (changes, report) = self.changes(calendar, batch, source).await?;
            if changes.is_empty() {
                return Ok(report);
            }
            let provenance = Provenance::new(self.captured_by.clone(), "import");
            match self.store.apply(self.tenant, changes, provenance, self.clock.now()).await {
                Ok(_) => return Ok(report),
                Err(error) if attempt < ATTEMPTS && is_overtaken(&error) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn changes(
        &self,
        calendar: EntityId,
        batch: &[ImportedEvent],
        source: &Arc<str>,
    ) -> Result<(Changes, Report)> {
        let operation = self.operation();
        let (mut changes, mut report) = (Changes::none(), Report::default());
        let people = People::of(&operation, batch).await?;
        for imported in batch {
            let mut problem = |message: String, skipped: bool| {
                let (source, line) = (Arc::clone(source), imported.line);
                report.errors.push(Problem { source, line, field: None, message, skipped });
            };
            match one(&operation, calendar, (imported, &people), &mut problem).await {
                Ok((more, outcome)) => {
                    changes = changes.and(more);
                    match outcome {
                        Outcome::Created => report.created += 1,
                        Outcome::Updated => report.updated += 1,
                        Outcome::Unchanged => report.skipped += 1,
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Conflict) => {
                    problem(format!("{}; the event is skipped", super::reason(&error)), true);
                    report.skipped += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok((changes, report))
    }
}

/// The changes that make of the calendar what the file says of one event.
async fn one(
    operation: &Operation,
    calendar: EntityId,
    (imported, people): (&ImportedEvent, &People),
    problem: &mut impl FnMut(String, bool),
) -> Result<(Changes, Outcome)> {
    let organizer_id = people.organizer(imported);
    let mut event = Event { calendar_id: calendar, organizer_id, ..imported.event.clone() };
    let said = Said { organizer: imported.organizer.as_deref(), attendees: &people.attendees(imported) };
    let known = named(operation, calendar, &event.ical_uid).await?;
    if let Some(old) = known.iter().find(|stored| occurrence_of(&stored.data) == imported.recurrence_id) {
        return changed(operation, old, event, said).await;
    }
    if let Some(recurrence) = imported.recurrence_id {
        let series = known.iter().find(|stored| stored.data.series_id.is_none() && stored.data.is_series());
        if imported.and_following {
            let uid = following::uid_from(&event.ical_uid, recurrence);
            if let Some(rest) =
                named(operation, calendar, &uid).await?.iter().find(|rest| rest.data.series_id.is_none())
            {
                let Event { rrule, exdates, rdates, .. } = rest.data.clone();
                let event = Event { ical_uid: uid, rrule, exdates, rdates, ..event };
                return changed(operation, rest, event, said).await;
            }
        }
        match series.filter(|series| has(&series.data, recurrence)) {
            Some(series) if imported.and_following => {
                return followed(operation, series, recurrence, (event, said)).await;
            }
            Some(series) => (event.series_id, event.recurrence_id) = (Some(series.id), Some(recurrence)),
            None => {
                let message =
                    format!("the calendar has no series with an occurrence at {recurrence}; an event of its own");
                problem(message, false);
                event.metadata.insert(RECURRENCE_KEPT.to_owned(), json!(recurrence));
            }
        }
    }
    let (changes, id) = create::<Event>(operation, json!(event)).await?;
    Ok((asked_anew(operation, changes, id, said.attendees).await?, Outcome::Created))
}

/// What a file says of the people of an event.
#[derive(Clone, Copy)]
struct Said<'a> {
    organizer: Option<&'a str>,
    attendees: &'a [Attendee],
}

/// The events of a calendar with a UID.
async fn named(operation: &Operation, calendar: EntityId, uid: &str) -> Result<Vec<Stored<Event>>> {
    let query = operation.query::<Event>().with("calendar_id", Some(calendar));
    operation.all(query.with("ical_uid", Some(uid))).await
}

fn has(series: &Event, recurrence: Moment) -> bool {
    series.series().and_then(|series| series.contains(recurrence)).unwrap_or(false)
}

/// Changes an occurrence and all after it: the series is cut there.
async fn followed(
    operation: &Operation,
    series: &Stored<Event>,
    recurrence: Moment,
    (event, said): (Event, Said<'_>),
) -> Result<(Changes, Outcome)> {
    let mut patch = json!(event);
    if let Some(patch) = patch.as_object_mut() {
        for name in ["rrule", "exdates", "rdates", "series_id", "recurrence_id", "next_occurrence", "sequence"] {
            patch.remove(name);
        }
        let before = json!(series.data);
        let own = ["rrule", "exdates", "rdates", "metadata", "next_occurrence", "sequence"];
        for name in before.as_object().into_iter().flat_map(Map::keys).filter(|name| !own.contains(&name.as_str())) {
            patch.entry(name).or_insert(Value::Null);
        }
        if let Some(Value::Object(metadata)) = patch.get_mut("metadata") {
            // What the file of the series said is not said of this.
            for key in [super::KEPT, super::ZONE_KEPT] {
                metadata.entry(key).or_insert(Value::Null);
            }
        }
        // What has its first occurrence changed is the series itself.
        let is_cut = series.data.series()?.split_at(recurrence)?.before.is_some();
        let uid = if is_cut { following::uid_from(&event.ical_uid, recurrence) } else { event.ical_uid.clone() };
        patch.insert("ical_uid".to_owned(), json!(uid));
    }
    let part = EventPart::this_and_following(recurrence);
    let (mut changes, id) = update_part(operation, series.id, None, &part, &patch).await?;
    if id == series.id {
        return Ok((changes.and(asked(operation, id, said.attendees).await?), Outcome::Updated));
    }
    if said.attendees.is_empty() {
        return Ok((changes, Outcome::Created));
    }
    // The file says who is asked, and not the series that it was.
    let of_series = |change: &Change| match &change.write.op {
        WriteOp::Put(body) => change.key.kind == Kind::Attendee && body["event_id"] == json!(id),
        WriteOp::Patch(_) | WriteOp::Delete => false,
    };
    let copies: HashSet<EntityKey> =
        changes.writes.iter().filter(|change| of_series(change)).map(|change| change.key).collect();
    changes.writes.retain(|change| !copies.contains(&change.key));
    changes.requires.retain(|require| !matches!(require, Require::Absent { key } if copies.contains(key)));
    Ok((asked_anew(operation, changes, id, said.attendees).await?, Outcome::Created))
}

/// Asks attendees to an event that comes with the same changes.
async fn asked_anew(
    operation: &Operation,
    mut changes: Changes,
    id: EntityId,
    attendees: &[Attendee],
) -> Result<Changes> {
    let view = operation.view.clone().with_pending(Arc::from([changes.clone()]));
    let after = Operation { view, ..operation.clone() };
    for attendee in attendees {
        let body = json!(Attendee { event_id: id, ..attendee.clone() });
        changes = changes.and(of_event(create::<Attendee>(&after, body).await?.0, id, &[]));
    }
    // It comes with the same commit.
    let is_own = |require: &Require| *require == Require::Exists { key: EntityKey::new(Kind::Event, id) };
    changes.requires.retain(|require| !is_own(require));
    Ok(changes)
}

/// Which occurrence of a series an event is, or was in its file.
fn occurrence_of(event: &Event) -> Option<Moment> {
    event.recurrence_id.or_else(|| event.metadata.get(RECURRENCE_KEPT)?.as_str()?.parse().ok())
}

async fn changed(
    operation: &Operation,
    old: &Stored<Event>,
    event: Event,
    said: Said<'_>,
) -> Result<(Changes, Outcome)> {
    let mut changes = Changes::none();
    let new = joined(&old.data, event, said.organizer);
    if new != old.data {
        let mut patch = json!(new);
        let before = json!(old.data);
        if let (Some(patch), Some(before)) = (patch.as_object_mut(), before.as_object()) {
            for name in before.keys().filter(|name| *name != "metadata") {
                patch.entry(name).or_insert(Value::Null);
            }
            // Metadata is merged, and what a file no longer says of it must go.
            if let (Some(Value::Object(patch)), Some(Value::Object(before))) =
                (patch.get_mut("metadata"), before.get("metadata"))
            {
                for key in before.keys() {
                    patch.entry(key).or_insert(Value::Null);
                }
            }
            patch.remove("next_occurrence");
        }
        changes = update::<Event>(operation, old.id, Some(old.version()), &patch).await?;
    }
    changes = changes.and(asked(operation, old.id, said.attendees).await?);
    let outcome = if changes.is_empty() { Outcome::Unchanged } else { Outcome::Updated };
    Ok((changes, outcome))
}

/// What the event becomes: what the file says, and what it cannot say.
fn joined(old: &Event, mut new: Event, organizer: Option<&str>) -> Event {
    new.series_id = old.series_id;
    new.recurrence_id = old.recurrence_id;
    // Whoever was the contact stays so, unless the file now names another.
    if organizer.is_none() || organizer == kept_organizer(old).as_deref() {
        new.organizer_id = new.organizer_id.or(old.organizer_id);
    }
    new.next_occurrence = old.next_occurrence;
    new.sequence = new.sequence.max(old.sequence);
    new.color = new.color.or_else(|| old.color.clone());
    if new.event_type == worktruck_core::entity::event::EventType::default() {
        new.event_type = old.event_type;
    }
    if new.is_all_day {
        new.timezone = new.timezone.or_else(|| old.timezone.clone());
    }
    let sorted = |dates: &[Moment]| {
        let mut dates = dates.to_vec();
        dates.sort_unstable();
        dates
    };
    if sorted(&old.exdates) == sorted(&new.exdates) {
        new.exdates.clone_from(&old.exdates);
    }
    if sorted(&old.rdates) == sorted(&new.rdates) {
        new.rdates.clone_from(&old.rdates);
    }
    let ours = [super::KEPT, super::ZONE_KEPT];
    for (key, value) in &old.metadata {
        if !ours.contains(&key.as_str()) {
            new.metadata.entry(key).or_insert_with(|| value.clone());
        }
    }
    new
}

/// Makes the attendees of an event those of the file, if it names any.
async fn asked(operation: &Operation, event: EntityId, attendees: &[Attendee]) -> Result<Changes> {
    let mut changes = Changes::none();
    if attendees.is_empty() {
        return Ok(changes);
    }
    let known: Vec<Stored<Attendee>> =
        operation.all(operation.query::<Attendee>().with("event_id", Some(event))).await?;
    let mut named = HashSet::new();
    for attendee in attendees {
        named.insert(attendee.email.as_str());
        let mut new = Attendee { event_id: event, ..attendee.clone() };
        let Some(old) = known.iter().find(|stored| stored.data.email == attendee.email) else {
            changes = changes.and(create::<Attendee>(operation, json!(new)).await?.0);
            continue;
        };
        new.display_name = new.display_name.or_else(|| old.data.display_name.clone());
        new.contact_id = new.contact_id.or(old.data.contact_id);
        new.comment = new.comment.or_else(|| old.data.comment.clone());
        for (key, value) in old.data.metadata.iter().filter(|(key, _)| *key != super::KEPT) {
            new.metadata.entry(key).or_insert_with(|| value.clone());
        }
        if new != old.data {
            let mut patch = json!(new);
            if !new.metadata.contains_key(super::KEPT) && old.data.metadata.contains_key(super::KEPT) {
                patch["metadata"][super::KEPT] = Value::Null;
            }
            changes = changes.and(update::<Attendee>(operation, old.id, Some(old.version()), &patch).await?);
        }
    }
    for gone in known.iter().filter(|stored| !named.contains(stored.data.email.as_str())) {
        changes = changes.and(delete::<Attendee>(operation, gone.id, Some(gone.version())).await?);
    }
    Ok(of_event(changes, event, &known))
}

/// What of the changes is about the attendees of one event: a file says itself whom each occurrence that differs asks.
fn of_event(mut changes: Changes, event: EntityId, known: &[Stored<Attendee>]) -> Changes {
    changes.writes.retain(|change| match &change.write.op {
        _ if change.key.kind != Kind::Attendee => true,
        WriteOp::Put(body) => body["event_id"] == json!(event),
        WriteOp::Patch(_) | WriteOp::Delete => known.iter().any(|asked| asked.key() == change.key),
    });
    changes
}

fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::VersionMismatch | ErrorKind::Conflict)
}
