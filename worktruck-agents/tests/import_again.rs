//! A file that is imported again: what it says is taken over, what was added since stays.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use serde_json::json;
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::import::{self, Format, Options, Report, Target};
use worktruck_core::entity::Kind;
use worktruck_core::store::{
    Changes, EntityStore as _, ListQuery, MemoryStore, NewTenant, Provenance, TenantStore as _, Version,
};
use worktruck_core::temporal::WriteOp;
use worktruck_core::{Clock as _, PageRequest, TenantId};

const HEADER: &str = "uid,given_name,family_name,email,phone,birthday\n";

struct World {
    store: MemoryStore,
    tenant: TenantId,
    ids: RandomIds,
    clock: SystemClock,
}

impl World {
    async fn new() -> Self {
        let (store, ids, clock) = (MemoryStore::default(), RandomIds::new(), SystemClock::new());
        let tenant = TenantId::new(&ids, clock.now());
        let new = NewTenant::new(tenant, "test");
        store.create_tenant(new, clock.now()).await.unwrap();
        Self { store, tenant, ids, clock }
    }

    async fn import(&self, row: &str) -> Report {
        let file = format!("{HEADER}{row}\n");
        let options = Options::default();
        let parsed =
            import::parse("people.csv", file.as_bytes(), Format::Csv, &options, &self.ids, self.clock.now()).unwrap();
        let Self { store, tenant, ids, clock } = self;
        let target = Target { store, tenant: *tenant, ids, clock, captured_by: "test" };
        import::load(target, parsed, |_| {}).await.unwrap()
    }

    async fn contact(&self) -> Version {
        let query = ListQuery::new(Kind::Contact);
        let mut page = self.store.list(self.tenant, query, self.clock.now()).await.unwrap();
        assert_eq!(page.data.len(), 1);
        page.data.pop().unwrap()
    }
}

#[tokio::test]
async fn a_file_is_written_a_thousand_in_a_commit_and_known_when_it_comes_again() {
    let world = World::new().await;
    let rows: Vec<String> = (0..2_500).map(|n| format!("{n},Ada,Okonkwo,ada{n}@example.org,,")).collect();
    let report = world.import(&rows.join("\n")).await;
    assert_eq!((report.created, report.updated, report.skipped), (2_500, 0, 0));
    let feed = world.store.changes(world.tenant, None, PageRequest::new(10, None).unwrap()).await.unwrap();
    let sizes: Vec<_> = feed.data.iter().map(|commit| commit.entities.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    let report = world.import(&[&*rows[999], &rows[1_000], &rows[2_499], "new,Ada,Okonkwo,,,"].join("\n")).await;
    assert_eq!((report.created, report.updated, report.skipped), (1, 0, 3));
}

#[tokio::test]
async fn what_the_file_says_is_taken_over_and_what_was_added_stays() {
    let world = World::new().await;
    assert_eq!(world.import("7,Ada,Okonkwo,ada@example.org,,1990-05-17").await.created, 1);

    let before = world.contact().await;
    let body = before.slice.body.clone().unwrap();
    let mut channels = body["channels"].clone();
    channels[0]["is_verified"] = json!(true);
    channels.as_array_mut().unwrap().push(json!({
        "id": "0194a8b3-7e5a-77c1-9d0f-7c1a2f3b4c5d", "type": "phone",
        "value": "+1 415 555 2671", "canonical_value": "+14155552671",
    }));
    let patch = json!({ "nickname": "Addie", "tags": ["vip"], "channels": channels, "metadata": { "owner": "sales" } });
    let changes = Changes::none().write(before.key, WriteOp::Patch(patch));
    world.store.apply(world.tenant, changes, Provenance::new("user", "user_edit"), world.clock.now()).await.unwrap();

    let report = world.import("7,Ada,Okonkwo-Reyes,ada@example.org,+1 415 555 2672,").await;
    assert_eq!((report.created, report.updated), (0, 1));
    let after = world.contact().await.slice.body.unwrap();
    assert_eq!(after["family_name"], "Okonkwo-Reyes");
    assert_eq!((&after["nickname"], &after["tags"]), (&json!("Addie"), &json!(["vip"])));
    assert_eq!(after["metadata"]["owner"], "sales");
    assert_eq!(after["dates"], body["dates"], "the file says nothing of the birthday any more");
    let values: Vec<_> = after["channels"].as_array().unwrap().iter().map(|c| &c["canonical_value"]).collect();
    assert_eq!(values, ["ada@example.org", "+14155552671", "+14155552672"]);
    assert_eq!(after["channels"][0]["is_verified"], true);

    let again = world.import("7,Ada,Okonkwo-Reyes,ada@example.org,+1 415 555 2672,").await;
    assert_eq!((again.created, again.updated, again.skipped), (0, 0, 1));
}
