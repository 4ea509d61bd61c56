//! A contact is corrected, back-dated and merged, and every earlier answer can still be had.
//!
//! `cargo run --release --example 04_time_travel`

#![expect(clippy::print_stderr, reason = "an example says what went wrong")]

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use worktruck_agents::clock::RandomIds;
use worktruck_core::entity::contact::Contact;
use worktruck_core::pim::contacts::{ContactFilter, Merge};
use worktruck_core::pim::{Pim, Records};
use worktruck_core::store::{NewTenant, TenantStore as _};
use worktruck_core::testing::SimClock;
use worktruck_core::{Clock as _, EntityId, Error, PageRequest, Result, TenantId, Timestamp};
use worktruck_examples::report::print;
use worktruck_store_sqlite::{SqliteOptions, SqliteStore};

#[tokio::main]
async fn main() -> ExitCode {
    match travel().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn travel() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::unavailable("there is no temporary folder").with_source(e))?;
    let store = Arc::new(SqliteStore::open_with(SqliteOptions::new(folder.path().join("travel.db"))).await?);
    // Half a year passes in this example, so that it needs a clock that it can move.
    let (clock, ids) = (Arc::new(SimClock::starting_at(day("2026-01-10")?)), Arc::new(RandomIds::new()));
    let tenant = TenantId::new(&*ids, clock.now());
    store.create_tenant(NewTenant::new(tenant, "acme"), clock.now()).await?;
    let contacts = Pim::new(store, clock.clone(), ids).contacts(tenant).by("mira");

    print("What happens:\n")?;
    let happens = |date: &str, what: &str| {
        clock.set(day(date)?);
        print(&format!("  {date}  {what}"))
    };
    happens("2026-01-10", "Ada Byron of London is entered.")?;
    let ada = contacts.create_from(json!({ "display_name": "Ada Byron", "addresses": [city("London")] })).await?.id;
    happens("2026-02-20", "Somebody else enters her again, as A. King, with a phone.")?;
    let phone = json!([{ "type": "phone", "value": "+44 20 7946 0958" }]);
    let twin = contacts.create_from(json!({ "display_name": "A. King", "channels": phone })).await?.id;
    happens("2026-03-01", "She moves to Paris.")?;
    contacts.update(ada, json!({ "addresses": [city("Paris")] })).await?;
    happens("2026-04-01", "It becomes known that she has been Ada King since the first of February.")?;
    let since = contacts.clone().valid_from(day("2026-02-01")?).because("she told us");
    since.update(ada, json!({ "display_name": "Ada King" })).await?;
    happens("2026-05-01", "London was wrong from the beginning: it was Leeds, until she moved.")?;
    let corrected = contacts.clone().valid_from(day("2026-01-10")?).valid_to(day("2026-03-01")?).because("correction");
    corrected.update(ada, json!({ "addresses": [city("Leeds")] })).await?;
    happens("2026-05-15", "A. King and Ada King are merged.\n")?;
    contacts.clone().because("merge").merge(ada, &Merge::of([twin])).await?;
    clock.set(day("2026-06-01")?);

    print("What was known of her (down: when it was known; across: the day in the world that it is about):\n")?;
    let days = ["2026-01-15", "2026-02-15", "2026-03-15", "2026-04-15", "2026-05-15"];
    print(&format!("  {:<12}{}", "", days.map(|day| format!("{day:<18}")).concat().trim_end()))?;
    for known in ["2026-01-20", "2026-03-10", "2026-04-10", "2026-05-10", "2026-05-20"] {
        let mut line = format!("  {known:<12}");
        for about in days {
            line += &format!("{:<18}", cell(&contacts, ada, day(known)?, day(about)?).await);
        }
        print(line.trim_end())?;
    }

    print("\nWho was there, by day:\n")?;
    for known in ["2026-02-01", "2026-05-10", "2026-05-20"] {
        let listed = contacts.clone().as_of(day(known)?).list(ContactFilter::default()).all().await?;
        let names: Vec<&str> = listed.iter().map(|contact| contact.data.display_name.as_str()).collect();
        print(&format!("  {known}  {}", names.join(", ")))?;
    }
    let merged = contacts.get(twin).await?;
    print(&format!("\nAsked for A. King now: {}, {}", merged.data.display_name, merged.data.channels[0].value))?;

    print("\nWho changed her name and her town, and why:\n")?;
    let fields = ["/display_name".to_owned(), "/addresses".to_owned()];
    for entry in contacts.timeline(ada, (None, None), &fields, PageRequest::default()).await?.data {
        let to = entry.change.to.unwrap_or_default();
        let to = to.pointer("/0/city").unwrap_or(&to).as_str().map(str::to_owned).unwrap_or_default();
        let (at, by, why) = (&entry.at.to_string()[..10], entry.captured_by, entry.capture_reason);
        print(&format!("  {at}  {:<15}{to:<12}{by}: {why}", entry.change.field))?;
    }

    contacts.unmerge(ada, twin).await?;
    let names = contacts.list(ContactFilter::default()).all().await?.into_iter().map(|found| found.data.display_name);
    print(&format!("\nThe merge undone: {}", names.collect::<Vec<_>>().join(", ")))
}

/// What was known at one moment about another.
async fn cell(contacts: &Records<Contact>, id: EntityId, known: Timestamp, about: Timestamp) -> String {
    match contacts.clone().as_of(known).valid_at(about).get(id).await {
        Ok(found) => {
            let city = found.data.addresses.first().and_then(|address| address.city.clone()).unwrap_or_default();
            format!("{}, {city}", found.data.display_name.trim_start_matches("Ada "))
        }
        Err(_) => "-".to_owned(),
    }
}

fn city(name: &str) -> Value {
    json!({ "city": name })
}

fn day(date: &str) -> Result<Timestamp> {
    format!("{date}T00:00:00Z").parse()
}
