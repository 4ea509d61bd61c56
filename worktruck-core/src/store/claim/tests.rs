use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::entity::agent_config::AgentConfig;
use crate::entity::index;

type Queues = BTreeMap<TenantId, (Option<Timestamp>, BTreeSet<Candidate>)>;
type Rooms = BTreeMap<(TenantId, String), u32>;

fn taken(queues: &Queues, rooms: &Rooms, limit: usize) -> Vec<Candidate> {
    let room = |tenant, blueprint: &str| rooms.get(&(tenant, blueprint.to_owned())).copied();
    in_turn(queues.values().cloned(), room, limit)
}

/// The rule the slow way: one run after the other, each the next of the tenant whose turn it is.
fn one_by_one(queues: &Queues, rooms: &Rooms, limit: usize) -> Vec<Candidate> {
    let (mut rooms, mut served) = (rooms.clone(), BTreeMap::<TenantId, usize>::new());
    let mut left: Vec<(Option<Timestamp>, Candidate)> = Vec::new();
    for (at, candidates) in queues.values() {
        left.extend(candidates.iter().map(|candidate| (*at, candidate.clone())));
    }
    let mut taken = Vec::new();
    while taken.len() < limit {
        let full = |c: &Candidate| !c.is_running && rooms.get(&(c.tenant, c.blueprint.clone())) == Some(&0);
        let open = left.iter().filter(|(_, candidate)| !full(candidate));
        let turn = |(at, c): &(Option<Timestamp>, Candidate)| (served.get(&c.tenant).copied(), *at, c.clone());
        let Some((at, next)) = open.min_by_key(|candidate| turn(candidate)).cloned() else { break };
        left.retain(|other| *other != (at, next.clone()));
        *served.entry(next.tenant).or_default() += 1;
        if let Some(room) = rooms.get_mut(&(next.tenant, next.blueprint.clone()))
            && !next.is_running
        {
            *room -= 1;
        }
        taken.push(next);
    }
    taken
}

fn tenant(n: u8) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n.into()))
}

fn blueprint(n: u8) -> String {
    format!("blueprint {n}")
}

fn queues() -> impl Strategy<Value = Queues> {
    let run = (-1..=1_i8, 0..3_i64, 0..2_u8, any::<bool>());
    let queue = (proptest::option::of(0..3_i64), vec(run, 0..7));
    btree_map(0..4_u8, queue, 0..4).prop_map(|queues| {
        let queue = |(n, (served, runs)): (u8, (Option<i64>, Vec<_>))| {
            let candidate = |(id, (priority, age, of, is_running))| Candidate {
                priority: Reverse(priority),
                created_at: Timestamp::from_micros(age),
                // Runs of different tenants may have one id.
                run: RunId::from_uuid(Uuid::from_u128(id)),
                tenant: tenant(n),
                blueprint: blueprint(of),
                is_running,
            };
            (tenant(n), (served.map(Timestamp::from_micros), (0..).zip(runs).map(candidate).collect()))
        };
        queues.into_iter().map(queue).collect()
    })
}

fn rooms() -> impl Strategy<Value = Rooms> {
    let rooms = btree_map((0..4_u8, 0..2_u8), 0..4_u32, 0..6);
    rooms.prop_map(|rooms| rooms.into_iter().map(|((n, of), room)| ((tenant(n), blueprint(of)), room)).collect())
}

proptest! {
    #[test]
    fn a_claim_takes_what_turns_one_by_one_give(queues in queues(), rooms in rooms(), limit in 0..12_usize) {
        prop_assert_eq!(taken(&queues, &rooms, limit), one_by_one(&queues, &rooms, limit));
    }

    #[test]
    fn what_enough_others_come_before_may_be_left_out(queues in queues(), rooms in rooms(), limit in 0..5_usize) {
        let mut read = queues.clone();
        for (_, candidates) in read.values_mut() {
            let mut seen = BTreeMap::<(String, bool), usize>::new();
            candidates.retain(|candidate| {
                let before = seen.entry((candidate.blueprint.clone(), candidate.is_running)).or_default();
                *before += 1;
                *before <= limit
            });
        }
        prop_assert_eq!(taken(&read, &rooms, limit), taken(&queues, &rooms, limit));
    }
}

#[test]
fn turns_grow_when_clocks_stand_or_go_back() {
    let at = Timestamp::from_micros;
    assert_eq!(turn(at(5), None), at(5));
    assert_eq!(turn(at(5), Some(at(4))), at(5));
    assert_eq!(turn(at(5), Some(at(5))), at(6));
    assert_eq!(turn(at(5), Some(at(9))), at(10));
}

#[test]
fn the_limit_is_that_of_the_config_of_the_blueprint() {
    let config = AgentConfig { max_concurrent_runs: Some(3), ..AgentConfig::new("sweep") };
    let body = serde_json::to_value(&config).unwrap();
    let (kind, term) = limited_by("sweep");
    assert!(index(kind, &body).unwrap().terms.contains(&term));
    assert_eq!(limit_of_runs(&body), Some(3));
    for body in [json!(null), json!([]), json!({}), json!({"max_concurrent_runs": null})] {
        assert_eq!(limit_of_runs(&body), None, "{body}");
    }
}
