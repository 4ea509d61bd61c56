//! A store, an outside and runs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use worktruck_agents::clock::{RandomIds, SystemClock};
use worktruck_core::entity::Kind;
use worktruck_core::entity::contact::Contact;
use worktruck_core::journal::Journal;
use worktruck_core::run::{Event, NewRun, Run};
use worktruck_core::store::{Changes, EntityKey, ListQuery, NewTenant, Provenance, Store, Version};
use worktruck_core::{Clock as _, PageRequest, Result, RunId, TenantId, Timestamp};
use worktruck_tests::{Announcement, AnyStore, Backend, Place};

use crate::server::Server;
use crate::worker::{Setup, Worker};

/// Two contacts that are the same; their ids are those of every world, so that journals compare.
const TWINS: [&str; 2] = ["0194a8b3-7e5a-77c1-9d0f-000000000001", "0194a8b3-7e5a-77c1-9d0f-000000000002"];

/// How far the clock of a worker that will be killed is behind.
pub(crate) const BEHIND: Duration = Duration::from_secs(3_600);

pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) server: Server,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
    ids: RandomIds,
}

/// All that is kept of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) run: Run,
    pub(crate) journal: Journal,
    pub(crate) events: Vec<Event>,
}

impl World {
    pub(crate) async fn new(backend: Backend) -> Self {
        Self::at(Place::new(backend).await).await
    }

    pub(crate) async fn at(place: Place) -> Self {
        let store = AnyStore::open(&place.url).await.unwrap().ports();
        let ids = RandomIds::new();
        let tenant = TenantId::new(&ids, before_all());
        let new = NewTenant::new(tenant, "acme");
        store.create_tenant(new, before_all()).await.unwrap();
        let mut changes = Changes::none();
        for id in TWINS {
            let mut contact = Contact { display_name: "Margaret Okafor".into(), ..Contact::default() };
            contact.normalise(None).unwrap();
            changes = changes.create(EntityKey::new(Kind::Contact, id.parse().unwrap()), json!(contact));
        }
        store.apply(tenant, changes, Provenance::new("test", "import"), before_all()).await.unwrap();
        Self { place, server: Server::start().await, store, tenant, ids }
    }

    /// A run that does everything a run can do.
    pub(crate) async fn whole_run(&self) -> RunId {
        self.enqueue(vec![json!({ "script": "whole", "label": "whole", "contacts": TWINS })]).await[0]
    }

    /// Opens the store and writes: this takes every lock of a file, if the store is one, and gives
    /// it back.
    pub(crate) async fn write_nothing(&self) -> Result<()> {
        let store = AnyStore::open(&self.place.url).await?;
        store.ports().enqueue(self.tenant, Vec::new(), before_all()).await?;
        store.close().await;
        Ok(())
    }

    /// Opens the store again: whatever became of the connections that it had.
    pub(crate) async fn open_again(&mut self) {
        self.store = AnyStore::open(&self.place.url).await.unwrap().ports();
    }

    pub(crate) async fn enqueue(&self, inputs: Vec<Value>) -> Vec<RunId> {
        let new = |input| NewRun::new(RunId::new(&self.ids, before_all()), "scripted", input);
        let runs = inputs.into_iter().map(new).collect();
        let accepted = self.store.enqueue(self.tenant, runs, before_all()).await.unwrap();
        accepted.into_iter().map(|run| run.id).collect()
    }

    pub(crate) async fn worker(&self, setup: Setup) -> Worker {
        Worker::start(self, setup).await
    }

    /// A worker that will be killed.
    pub(crate) async fn doomed(&self, hold: Option<worktruck_tests::Position>) -> Worker {
        self.worker(Setup { behind: BEHIND, hold, ..Setup::default() }).await
    }

    /// Lets another worker take the run over and go as far as it can, and gives back how often it
    /// called outside.
    pub(crate) async fn finish(&self) -> usize {
        let mut worker = self.worker(Setup::default()).await;
        let mut calls = 0;
        let until_left = |announcement: &Announcement| {
            calls += usize::from(*announcement == Announcement::Calls);
            announcement.left()
        };
        worker.until("the run ends or waits", until_left).await;
        worker.terminate();
        worker.stopped().await;
        calls
    }

    pub(crate) async fn kept(&self, run: RunId) -> Kept {
        let journal = self.store.journal(self.tenant, run).await.unwrap().unwrap();
        let page = self.store.events(self.tenant, run, PageRequest::largest(None)).await.unwrap();
        assert!(!page.has_more);
        Kept { run: self.store.run(self.tenant, run).await.unwrap().unwrap(), journal, events: page.data }
    }

    /// What agents wrote and holds now, in order of creation.
    pub(crate) async fn written(&self, kind: Kind) -> Vec<Version> {
        let mut query = ListQuery::new(kind);
        query.page = PageRequest::largest(None);
        let page = self.store.list(self.tenant, query, SystemClock::new().now()).await.unwrap();
        assert!(!page.has_more);
        page.data.into_iter().filter(|version| version.provenance.run_id.is_some()).collect()
    }
}

/// Before the clock of every worker.
fn before_all() -> Timestamp {
    SystemClock::new().now().before(2 * BEHIND)
}
