//! Two writes whose valid periods stand in each of Allen's thirteen relations.

use std::collections::BTreeSet;

use serde_json::json;

use crate::store::Changes;
use crate::temporal::WriteOp;
use crate::{ErrorKind, TenantId, Timestamp};

use super::Stage;
use super::build::*;

/// The first write of every scenario holds over this.
const FIRST: (i64, i64) = (40, 60);

/// A relation and a second period that stands in it to the first.
type Relation = (&'static str, (i64, i64));

macro_rules! relations {
    ($($name:ident: $second:expr,)*) => {
        const RELATIONS: &[Relation] = &[$((stringify!($name), $second)),*];

        $(
            /// What is read at both times after two puts whose periods stand in this relation.
            pub async fn $name(stage: Stage) {
                let case = Case::new(&stage, (stringify!($name), $second), 1).await;
                case.check(WriteOp::Put(named("Second"))).await;
            }
        )*
    };
}

relations! {
    first_period_is_before_the_second: (70, 80),
    first_period_meets_the_second: (60, 80),
    first_period_overlaps_the_second: (50, 70),
    first_period_starts_the_second: (40, 80),
    first_period_is_during_the_second: (30, 70),
    first_period_finishes_the_second: (20, 60),
    first_period_equals_the_second: (40, 60),
    first_period_is_finished_by_the_second: (50, 60),
    first_period_contains_the_second: (45, 55),
    first_period_is_started_by_the_second: (40, 50),
    first_period_is_overlapped_by_the_second: (30, 50),
    first_period_is_met_by_the_second: (20, 40),
    first_period_is_after_the_second: (10, 30),
}

/// The same for all thirteen relations and every kind of write, in one store.
pub async fn read_at_both_times_for_every_relation_of_two_periods(stage: Stage) {
    let mut n = 0;
    for relation in RELATIONS {
        let ops = [WriteOp::Put(named("Second")), WriteOp::Patch(json!({ "display_name": "Second" })), WriteOp::Delete];
        for op in ops {
            n += 1;
            let case = Case::new(&stage, *relation, n).await;
            case.check(op).await;
        }
    }
}

/// A contact that was written once.
struct Case<'a> {
    stage: &'a Stage,
    relation: Relation,
    tenant: TenantId,
    first: Timestamp,
}

impl<'a> Case<'a> {
    /// In tenant number `n`, which has nothing else.
    async fn new(stage: &'a Stage, relation: Relation, n: u32) -> Self {
        let tenant = stage.tenant(n).await;
        let (from, to) = FIRST;
        let first =
            stage.write_valid(tenant, 1, WriteOp::Put(named("First")), (at(from), Some(at(to))), at(1_000)).await;
        Self { stage, relation, tenant, first: first.at }
    }

    /// Writes a second time and compares every point with what the two writes say.
    async fn check(&self, op: WriteOp) {
        let (relation, (from, to)) = self.relation;
        let (first, touches) = (FIRST, from < FIRST.1 && FIRST.0 < to);
        let inside = |moment: i64, (from, to): (i64, i64)| from <= moment && moment < to;
        let write = Changes::none().write_valid(contact(1), valid(op.clone(), at(from), Some(at(to))));

        // A patch or a deletion of what is not there is refused: only a put can fill a gap.
        let second = self.stage.store.apply(self.tenant, write, person(), at(2_000)).await;
        let second = if touches || matches!(op, WriteOp::Put(_)) {
            let second = second.unwrap_or_else(|e| panic!("{relation}: {op:?} is refused: {}", e.chain()));
            Some(second.at)
        } else {
            assert_refused(second, ErrorKind::NotFound, relation);
            None
        };

        let system = [
            (just_before(self.first), 0),
            (self.first, 1),
            (at(1_500), 1),
            (just_before(at(2_000)), 1),
            (second.unwrap_or_else(|| at(2_000)), 2),
            (at(2_500), 2),
        ];
        let edges = [first.0, first.1, from, to];
        let moments: BTreeSet<_> = edges.into_iter().flat_map(|edge| [edge - 1, edge]).collect();
        for moment in moments {
            for (sys, writes) in system {
                let before = (writes >= 1 && inside(moment, first)).then(|| "First".to_owned());
                let expected = match &op {
                    _ if writes < 2 || second.is_none() || !inside(moment, (from, to)) => before,
                    WriteOp::Put(_) => Some("Second".to_owned()),
                    WriteOp::Patch(_) => before.map(|_| "Second".to_owned()),
                    WriteOp::Delete => None,
                };
                let seen = self.stage.name(self.tenant, 1, known_at(sys, at(moment)), at(3_000)).await;
                assert_eq!(seen, expected, "{relation}, {op:?}: about second {moment} as known at {sys}");
            }
            let now = self.stage.name(self.tenant, 1, valid_at(at(moment)), at(3_000)).await;
            let late = self.stage.name(self.tenant, 1, known_at(at(2_500), at(moment)), at(3_000)).await;
            assert_eq!(now, late, "{relation}, {op:?}: the present is what was known last about second {moment}");
        }
    }
}
