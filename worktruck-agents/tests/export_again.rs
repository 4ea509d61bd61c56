//! What a store exports is what it has when that is imported again.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_agents::export::{Format, Writer};
use worktruck_agents::import::{self, Options, Report, Target};
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::Contact;
use worktruck_core::store::{EntityStore as _, ListQuery, MemoryStore, NewTenant, TenantStore as _, Version};
use worktruck_core::{Clock as _, TenantId};

const FORMATS: [Format; 4] = [Format::Vcard3, Format::Vcard4, Format::Csv, Format::JsContact];
const FILES: [&str; 4] = ["apple.vcf", "google.vcf", "version4.vcf", "people.csv"];

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
        store.create_tenant(NewTenant::new(tenant, "test"), clock.now()).await.unwrap();
        Self { store, tenant, ids, clock }
    }

    async fn import(&self, name: &str, bytes: &[u8]) -> Report {
        let format = import::Format::detect(name, bytes);
        let parsed = import::parse(name, bytes, format, &Options::default(), &self.ids, self.clock.now()).unwrap();
        let Self { store, tenant, ids, clock } = self;
        let target = Target { store, tenant: *tenant, ids, clock, captured_by: "test" };
        import::load(target, parsed, |_| {}).await.unwrap()
    }

    async fn contacts(&self) -> Vec<Version> {
        self.store.list(self.tenant, ListQuery::new(Kind::Contact), self.clock.now()).await.unwrap().data
    }

    async fn export(&self, format: Format) -> Vec<u8> {
        let mut writer = Writer::new(format, Vec::new()).unwrap();
        for version in self.contacts().await {
            let contact: Contact = serde_json::from_value(version.slice.body.unwrap()).unwrap();
            writer.write(version.key.id, &contact).unwrap();
        }
        writer.finish().unwrap()
    }
}

#[tokio::test]
async fn an_export_imported_again_changes_nothing() {
    let world = World::new().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for name in FILES {
        world.import(name, &std::fs::read(folder.join(name)).unwrap()).await;
    }
    let before = world.contacts().await;
    assert!(before.iter().any(|version| version.slice.body.as_ref().unwrap().get("vcard_uid").is_none()));
    for format in FORMATS {
        let file = world.export(format).await;
        let report = world.import("again", &file).await;
        assert_eq!((report.created, report.updated, report.skipped), (0, 0, before.len()), "{format:?}");
        assert_eq!(report.errors, [], "{format:?}");
    }
    assert_eq!(world.contacts().await, before);
}
