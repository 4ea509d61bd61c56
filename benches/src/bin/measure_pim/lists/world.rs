use serde_json::{Value, json};
use worktruck_agents::clock::RandomIds;
use worktruck_benches::Result;
use worktruck_benches::people::{Profile, generate};
use worktruck_core::entity::Kind;
use worktruck_core::store::EntityKey;
use worktruck_core::{EntityId, TenantId, Timestamp};

use super::bodies;

/// The kinds that lists are measured of.
pub(super) const KINDS: [Kind; 5] = [Kind::Contact, Kind::Deal, Kind::Task, Kind::Event, Kind::Note];

/// Of a hundred entities one has this many versions,
const MANY: usize = 100;
/// ten have this many,
const SOME: usize = 20;
/// and the others this many.
const FEW: usize = 4;

/// All that a tenant has, and whose it is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) tenant: TenantId,
    /// How many entities of each kind there are.
    pub(super) count: usize,
    /// Their ids, kind by kind.
    ids: Vec<Vec<EntityId>>,
    /// What contacts say without that by which they are filtered.
    pub(super) people: Vec<Value>,
    pub(super) pipelines: Vec<EntityId>,
    /// Six of each pipeline.
    pub(super) stages: Vec<EntityId>,
    pub(super) projects: Vec<EntityId>,
    /// Six of each project.
    pub(super) statuses: Vec<EntityId>,
    pub(super) calendars: Vec<EntityId>,
    pub(super) notebooks: Vec<EntityId>,
    pub(super) groups: Vec<EntityId>,
}

/// How many stages a pipeline has, and statuses a project.
pub(super) const STEPS: usize = 6;

impl World {
    /// A world of about so many versions, never fewer.
    pub(super) fn new(versions: usize) -> Result<Self> {
        let ids = RandomIds::new();
        let some = |count: usize| (0..count).map(|_| EntityId::new(&ids, began())).collect::<Vec<_>>();
        let per_hundred: usize = (0..100).map(versions_of).sum();
        let count = (versions * 100).div_ceil(per_hundred * KINDS.len()).max(100);
        let people = generate(&Profile::sample(), count, 20_260).contacts();
        let people = people.into_iter().take(count).map(|(.., contact)| serde_json::to_value(contact));
        let (pipelines, projects) = (some(3), some(50));
        Ok(Self {
            tenant: TenantId::new(&ids, began()),
            count,
            ids: KINDS.iter().map(|_| some(count)).collect(),
            people: people.collect::<std::result::Result<_, _>>()?,
            stages: some(pipelines.len() * STEPS),
            statuses: some(projects.len() * STEPS),
            pipelines,
            projects,
            calendars: some(20),
            notebooks: some(40),
            groups: some(100),
        })
    }

    /// The entity of `kind`, one of those that are measured, with this number.
    pub(super) fn id(&self, kind: Kind, n: usize) -> EntityId {
        let of = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
        self.ids[of][n % self.count]
    }

    /// How many contacts are organizations: the first.
    pub(super) fn organizations(&self) -> usize {
        (self.count / 100).max(2)
    }

    /// How many events are series: the first.
    pub(super) fn series(&self) -> usize {
        (self.count / 100).max(2)
    }

    /// How many versions of the kinds that are measured there are.
    pub(super) fn versions(&self) -> usize {
        (0..self.count).map(versions_of).sum::<usize>() * KINDS.len()
    }

    /// What is to be written in the order of the commits: the kind, the number and the version.
    pub(super) fn writes(&self) -> impl Iterator<Item = (Kind, usize, usize)> {
        let count = self.count;
        let of_round = move |version: usize| (0..count).filter(move |n| versions_of(*n) > version);
        (0..MANY).flat_map(move |version| {
            of_round(version).flat_map(move |n| KINDS.iter().map(move |kind| (*kind, n, version)))
        })
    }

    /// The groups of a contact: a tenth of the groups have a thousand contacts of thirty thousand, the others fifty.
    pub(super) fn groups_of(&self, contact: usize) -> Vec<EntityId> {
        let is_in = |group: usize| {
            let one_of = if group.is_multiple_of(10) { 30 } else { 600 };
            mix(contact, group + 1_000).is_multiple_of(one_of)
        };
        (0..self.groups.len()).filter(|group| is_in(*group)).map(|group| self.groups[group]).collect()
    }

    /// The organization that a contact is affiliated with: a third are with one.
    pub(super) fn organization_of(&self, contact: usize) -> Option<EntityId> {
        let is_with = contact >= self.organizations() && mix(contact, 21).is_multiple_of(3);
        is_with.then(|| self.id(Kind::Contact, mix(contact, 22) % self.organizations()))
    }

    /// What lists need beside the kinds that are measured: stages for what they say of deals, members and affiliations.
    pub(super) fn beside(&self) -> Vec<(EntityKey, Value)> {
        let ids = RandomIds::new();
        let new = |kind| EntityKey::new(kind, EntityId::new(&ids, began()));
        let mut all = Vec::new();
        for (n, id) in self.pipelines.iter().enumerate() {
            all.push((EntityKey::new(Kind::Pipeline, *id), json!({ "name": format!("Pipeline {n}") })));
        }
        for (n, id) in self.stages.iter().enumerate() {
            let body = json!({
                "pipeline_id": self.pipelines[n / STEPS], "name": format!("Stage {n}"), "position": n % STEPS,
                "stage_type": bodies::stage_type(n),
            });
            all.push((EntityKey::new(Kind::Stage, *id), body));
        }
        for (n, id) in self.groups.iter().enumerate() {
            all.push((EntityKey::new(Kind::Group, *id), json!({ "name": format!("Group {n}") })));
        }
        for n in 0..self.count {
            let contact = self.id(Kind::Contact, n);
            for group in self.groups_of(n) {
                all.push((new(Kind::GroupMember), json!({ "group_id": group, "contact_id": contact })));
            }
            if let Some(organization) = self.organization_of(n) {
                let body = json!({ "contact_id": contact, "organization_id": organization });
                all.push((new(Kind::Affiliation), body));
            }
        }
        all
    }
}

/// When the first commit was.
pub(super) fn began() -> Timestamp {
    Timestamp::from_micros(1_735_689_600_000_000)
}

/// How many versions the entity with this number has.
pub(super) fn versions_of(n: usize) -> usize {
    match n % 100 {
        0 => MANY,
        rest if rest % 10 == 1 => SOME,
        _ => FEW,
    }
}

/// A number that looks random, the same for the same two.
pub(super) fn mix(n: usize, salt: usize) -> usize {
    let seed = (n as u64) ^ (salt as u64).rotate_left(40);
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_has_the_versions_that_were_asked_for_and_each_is_written_once() {
        let world = World::new(5_000).unwrap();
        let writes: std::collections::BTreeSet<_> = world.writes().collect();
        assert!(world.versions() >= 5_000 && world.versions() < 6_000);
        assert_eq!((writes.len(), world.writes().count()), (world.versions(), world.versions()));
    }

    #[test]
    fn every_body_is_one_of_its_kind() {
        let world = World::new(3_000).unwrap();
        for (kind, n, version) in world.writes() {
            worktruck_core::entity::index(kind, &bodies::body(&world, kind, n, version)).unwrap();
        }
        for (key, body) in world.beside() {
            worktruck_core::entity::index(key.kind, &body).unwrap();
        }
    }

    #[test]
    fn numbers_that_look_random_are_spread() {
        let mut found = [0; 4];
        (0..1_000).for_each(|n| found[mix(n, 7) % 4] += 1);
        assert!(found.iter().all(|count| (200..300).contains(count)), "{found:?}");
    }
}
