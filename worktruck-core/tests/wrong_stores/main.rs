//! Stores that break one promise each, and the scenarios that notice.
//!
//! A suite that cannot fail proves nothing. Each store here is the reference store with one
//! defect; its test asserts which scenarios fail on it: those, and no others.

mod broken;
mod entities;
mod runs;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Once};

use futures::FutureExt as _;
use worktruck_core::store::Store;
use worktruck_core::testing::conformance::SCENARIOS;

use broken::Broken;

macro_rules! wrong_stores {
    ($($(#[$doc:meta])* $test:ident, $defect:ident: [$($scenario:ident)*],)*) => {
        /// Which promise is broken.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        enum Defect {
            $($(#[$doc])* $defect,)*
        }

        const CAUGHT: &[(Defect, &[&str])] = &[$((Defect::$defect, &[$(stringify!($scenario)),*])),*];

        $(#[tokio::test]
        async fn $test() {
            assert_caught(Defect::$defect, &[$(stringify!($scenario)),*]).await;
        })*
    };
}

wrong_stores! {
    /// Each write of a commit is a commit of its own.
    writes_apart_is_noticed, WritesApart: [],
    /// A required version is not looked at.
    version_unchecked_is_noticed, VersionUnchecked: [],
    /// What is required absent is not looked for.
    absence_unchecked_is_noticed, AbsenceUnchecked: [],
    /// A unique term is not looked for.
    uniqueness_unchecked_is_noticed, UniquenessUnchecked: [],
    /// A unique term is looked for before the writes.
    uniqueness_checked_first_is_noticed, UniquenessCheckedFirst: [],
    /// A patch ends with the first slice it finds.
    patch_of_one_slice_is_noticed, PatchOfOneSlice: [],
    /// A put keeps what it does not name.
    put_merges_is_noticed, PutMerges: [],
    /// System time is what the clock says, also when it goes back.
    clock_believed_is_noticed, ClockBelieved: [],
    /// Commits are counted in one row for all tenants.
    numbers_of_all_tenants_is_noticed, NumbersOfAllTenants: [],
    /// Who wrote something is not kept.
    provenance_forgotten_is_noticed, ProvenanceForgotten: [],
    /// Numbers in bodies are kept as floats.
    bodies_rounded_is_noticed, BodiesRounded: [],
    /// Corrections overwrite what was known.
    beliefs_rewritten_is_noticed, BeliefsRewritten: [],
    /// A read looks at the present of the world, whatever was asked.
    valid_time_ignored_is_noticed, ValidTimeIgnored: [],
    /// A write does not cut the slice that it replaces.
    old_slice_uncut_is_noticed, OldSliceUncut: [],
    /// A read as of a moment does not push later commits behind it.
    reads_fix_nothing_is_noticed, ReadsFixNothing: [],
    /// A read as of the future is answered with the present.
    future_read_is_noticed, FutureRead: [],
    /// A reader sees only what its clock has reached.
    late_reader_blind_is_noticed, LateReaderBlind: [],
    /// A history leaves out deletions.
    deletions_forgotten_is_noticed, DeletionsForgotten: [],
    /// Pages are counted off from the start.
    offset_cursor_is_noticed, OffsetCursor: [],
    /// A cursor that does not fit begins the list again.
    any_cursor_is_noticed, AnyCursor: [],
    /// Only the first term filters.
    one_term_filters_is_noticed, OneTermFilters: [],
    /// A search compares text as it is.
    search_of_exact_text_is_noticed, SearchOfExactText: [],
    /// A search parses its text.
    search_is_a_language_is_noticed, SearchIsALanguage: [],
    /// A list of the past is one of the present.
    list_as_of_now_is_noticed, ListAsOfNow: [],
    /// Lists go up only.
    one_direction_is_noticed, OneDirection: [],
    /// A list shows entities of another kind.
    kind_of_list_ignored_is_noticed, KindOfListIgnored: [],
    /// A page is as large as it gets.
    limit_ignored_is_noticed, LimitIgnored: [],
    /// A list that cannot be is empty.
    wrong_sort_guessed_is_noticed, WrongSortGuessed: [],
    /// The feed loses the last commit of a full page.
    feed_skips_is_noticed, FeedSkips: [],
    /// The feed begins again when it is at its end.
    feed_starts_again_is_noticed, FeedStartsAgain: [],
    /// A purge is a deletion.
    purge_keeps_the_past_is_noticed, PurgeKeepsThePast: [],
    /// The tenant is left out of `entity`.
    entity_of_any_tenant_is_noticed, EntityOfAnyTenant: [],
    /// The tenant is left out of `list`.
    list_of_any_tenant_is_noticed, ListOfAnyTenant: [],
    /// The tenant is left out of `history`.
    history_of_any_tenant_is_noticed, HistoryOfAnyTenant: [],
    /// The tenant is left out of `changes`.
    feed_of_any_tenant_is_noticed, FeedOfAnyTenant: [],
    /// The tenant is left out of `purge`.
    purge_of_any_tenant_is_noticed, PurgeOfAnyTenant: [],
    /// The runs of a batch are accepted one by one.
    batch_one_by_one_is_noticed, BatchOneByOne: [],
    /// Idempotency keys are ignored.
    key_ignored_is_noticed, KeyIgnored: [],
    /// A key that was used with other content is used again.
    key_content_unchecked_is_noticed, KeyContentUnchecked: [],
    /// Tenants share their idempotency keys.
    keys_of_all_tenants_is_noticed, KeysOfAllTenants: [],
    /// Malformed runs are accepted.
    malformed_accepted_is_noticed, MalformedAccepted: [],
    /// Runs go by age alone.
    priority_ignored_is_noticed, PriorityIgnored: [],
    /// Delayed runs begin at once.
    run_at_ignored_is_noticed, RunAtIgnored: [],
    /// Two claims at the same moment may take the same run.
    check_then_claim_is_noticed, CheckThenClaim: [],
    /// A live lease does not keep others away.
    claim_before_expiry_is_noticed, ClaimBeforeExpiry: [],
    /// An expired lease is never taken over.
    expired_lost_is_noticed, ExpiredLost: [],
    /// A run goes on at whatever version of its blueprint.
    claim_of_any_version_is_noticed, ClaimOfAnyVersion: [],
    /// A claim takes all there is.
    limit_of_claim_ignored_is_noticed, LimitOfClaimIgnored: [],
    /// A run that waits for a person is handed out.
    waiting_claimed_is_noticed, WaitingClaimed: [],
    /// A claim does not say when the run began.
    start_unrecorded_is_noticed, StartUnrecorded: [],
    /// A lease is renewed whatever its number.
    no_fence_on_renewal_is_noticed, NoFenceOnRenewal: [],
    /// A renewal is answered and not written.
    renewal_without_effect_is_noticed, RenewalWithoutEffect: [],
    /// A renewal does not tell of a cancellation.
    renewal_silent_is_noticed, RenewalSilent: [],
    /// Lost leases have no answer.
    lost_left_out_is_noticed, LostLeftOut: [],
    /// A lease that expired cannot be renewed, although nobody took the run.
    late_renewal_refused_is_noticed, LateRenewalRefused: [],
    /// A commit counts whatever the number of its lease.
    no_fence_on_commit_is_noticed, NoFenceOnCommit: [],
    /// A lease that expired cannot commit, although nobody took the run.
    late_commit_refused_is_noticed, LateCommitRefused: [],
    /// Steps are kept and their changes are not.
    changes_dropped_is_noticed, ChangesDropped: [],
    /// Changes are committed before the steps.
    changes_first_is_noticed, ChangesFirst: [],
    /// The changes of all steps are one commit.
    changes_of_one_commit_is_noticed, ChangesOfOneCommit: [],
    /// Steps that do not follow are left out in silence.
    gaps_accepted_is_noticed, GapsAccepted: [],
    /// A conflict does not name its step.
    conflict_is_an_error_is_noticed, ConflictIsAnError: [],
    /// A run that does not exist reads as lost.
    unknown_run_is_lost_is_noticed, UnknownRunIsLost: [],
    /// Open calls are not kept.
    calls_forgotten_is_noticed, CallsForgotten: [],
    /// The events of a commit are not kept.
    events_of_commit_forgotten_is_noticed, EventsOfCommitForgotten: [],
    /// A release uses up an attempt.
    release_counts_is_noticed, ReleaseCounts: [],
    /// A commit does not tell of a cancellation.
    commit_silent_is_noticed, CommitSilent: [],
    /// How a run ended is not kept.
    outcome_forgotten_is_noticed, OutcomeForgotten: [],
    /// Reservations are not kept.
    reservations_forgotten_is_noticed, ReservationsForgotten: [],
    /// What has ended can be cancelled.
    illegal_moves_is_noticed, IllegalMoves: [],
    /// A cancellation waits for a worker that is gone.
    cancel_trusts_old_leases_is_noticed, CancelTrustsOldLeases: [],
    /// Who cancelled is not kept.
    actor_forgotten_is_noticed, ActorForgotten: [],
    /// A signal to no run is answered as if there were one.
    signal_to_nothing_is_noticed, SignalToNothing: [],
    /// The tenant is left out of `run`.
    run_of_any_tenant_is_noticed, RunOfAnyTenant: [],
    /// The tenant is left out of `runs`.
    runs_of_any_tenant_is_noticed, RunsOfAnyTenant: [],
    /// The tenant is left out of `journal`.
    journal_of_any_tenant_is_noticed, JournalOfAnyTenant: [],
    /// The tenant is left out of `events`.
    events_of_any_tenant_is_noticed, EventsOfAnyTenant: [],
    /// The tenant is left out of `signal`.
    signal_of_any_tenant_is_noticed, SignalOfAnyTenant: [],
    /// The tenant of a lease is not looked at.
    lease_of_any_tenant_is_noticed, LeaseOfAnyTenant: [],
    /// Runs are not filtered by status.
    runs_unfiltered_is_noticed, RunsUnfiltered: [],
    /// Large payloads are lost.
    payloads_cut_is_noticed, PayloadsCut: [],
    /// What a run lives by is not kept.
    snapshot_forgotten_is_noticed, SnapshotForgotten: [],
    /// Events of steps are lost.
    events_lost_is_noticed, EventsLost: [],
    /// The first wait waits.
    first_wait_sleeps_is_noticed, FirstWaitSleeps: [],
    /// New work wakes nobody.
    nobody_woken_is_noticed, NobodyWoken: [],
    /// New work wakes one worker only.
    one_woken_is_noticed, OneWoken: [],
    /// Only what comes while somebody waits wakes.
    work_before_the_wait_missed_is_noticed, WorkBeforeTheWaitMissed: [],
    /// Two tenants may have one slug.
    slug_given_twice_is_noticed, SlugGivenTwice: [],
    /// Any slug will do.
    any_slug_is_noticed, AnySlug: [],
    /// A slug is found in capitals, too.
    slugs_folded_is_noticed, SlugsFolded: [],
}

/// Runs the whole suite on a store with `defect` and compares what fails with `expected`.
async fn assert_caught(defect: Defect, expected: &[&str]) {
    let mut failed = BTreeSet::new();
    for scenario in SCENARIOS {
        let store: Arc<dyn Store> = Arc::new(Broken::new(defect));
        let stage = worktruck_core::conformance_stage!(store, 50);
        if quietly(AssertUnwindSafe(scenario.run(stage)).catch_unwind()).await.is_err() {
            failed.insert(scenario.name);
        }
    }
    assert!(!failed.is_empty(), "no scenario notices {defect:?}");
    assert_eq!(failed, expected.iter().copied().collect(), "the scenarios that notice {defect:?}");
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` without a report of its panics, which are what is wanted here.
async fn quietly<T>(work: impl Future<Output = T>) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let answer = work.await;
    QUIET.set(false);
    answer
}

#[test]
fn every_topic_is_proved_able_to_fail() {
    let caught: BTreeSet<_> = CAUGHT.iter().flat_map(|(_, scenarios)| scenarios.iter().copied()).collect();
    let idle: Vec<_> = SCENARIOS.iter().map(|s| s.name).filter(|name| !caught.contains(name)).collect();
    assert!(idle.is_empty(), "no wrong store makes these fail: {idle:?}");
}

#[tokio::test]
async fn nothing_fails_on_a_store_without_a_defect() {
    for scenario in SCENARIOS {
        let store: Arc<dyn Store> = Arc::new(worktruck_core::store::MemoryStore::default());
        let stage = worktruck_core::conformance_stage!(store, 50);
        let outcome = quietly(AssertUnwindSafe(scenario.run(stage)).catch_unwind()).await;
        assert!(outcome.is_ok(), "{} fails on the reference store", scenario.name);
    }
}
