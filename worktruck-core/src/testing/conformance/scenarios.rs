use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::Stage;

/// The list of all scenarios, from which tests and tables are made: no second one is kept by hand.
///
/// Calls the macro `$crate::$with` with `[$arguments]` and the scenarios by their modules.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_scenarios {
    ($with:ident $($arguments:tt)*) => {
        $crate::$with! {
            [$($arguments)*]
            entity_write {
                apply_is_atomic
                version_conflict_is_refused
                required_version_is_that_of_the_present
                newest_version_is_that_of_all_times
                absent_is_checked
                unique_term_is_checked_after_the_writes
                forbidden_term_is_checked_after_the_writes
                what_is_referred_to_must_exist
                numbers_are_given_out_without_gap_or_repeat
                writes_to_one_entity_make_one_version
                put_replaces_the_whole_body
                patch_is_applied_slice_by_slice
                patch_without_effect_makes_no_version
                system_time_grows_when_the_clock_goes_back
                commits_are_numbered_per_tenant
                commits_of_many_tasks_are_numbered_without_gaps
                one_of_many_writers_of_a_version_wins
                body_of_another_kind_is_refused
                empty_valid_period_is_refused
                change_of_nothing_is_refused
                provenance_stays_with_what_was_written
                bodies_come_back_exactly
                purge_erases_every_version
            }
            entity_read {
                correction_keeps_the_old_belief
                deletion_keeps_the_past
                retraction_keeps_the_old_belief
                read_as_of_never_changes
                read_of_the_future_is_refused
                reader_with_a_late_clock_sees_the_newest_commit
                scheduled_slice_shows_when_its_time_comes
                unknown_entity_reads_as_nothing
                reads_as_of_the_head_are_of_one_moment
                history_is_newest_first_and_complete
            }
            slices {
                slices_show_an_entity_over_all_of_valid_time
                slices_are_those_of_the_moment
                slices_show_nothing_of_another_tenant
            }
            run_commits {
                commits_of_a_run_are_found_in_order
                commits_of_a_run_end_at_the_horizon
                commits_of_a_run_are_those_of_one_tenant
            }
            periods {
                read_at_both_times_for_every_relation_of_two_periods
                first_period_is_before_the_second
                first_period_meets_the_second
                first_period_overlaps_the_second
                first_period_starts_the_second
                first_period_is_during_the_second
                first_period_finishes_the_second
                first_period_equals_the_second
                first_period_is_finished_by_the_second
                first_period_contains_the_second
                first_period_is_started_by_the_second
                first_period_is_overlapped_by_the_second
                first_period_is_met_by_the_second
                first_period_is_after_the_second
            }
            selection {
                list_shows_what_has_one_of_each_set
                list_is_cut_to_ranges_of_its_keys
                list_chooses_among_entities
            }
            entity_list {
                walk_returns_each_entity_once_under_writes
                walk_over_a_changing_field_is_stable
                pages_of_every_size_give_the_same_list
                cursor_of_another_list_is_refused
                damaged_cursor_is_refused
                list_filters_by_every_term
                list_searches_words_without_case_and_accents
                search_takes_any_text
                list_asks_for_words_of_titles
                list_as_of_filters_as_it_was
                list_sorts_by_key_and_by_the_times_of_writes
                list_shows_what_exists_of_its_kind
                list_that_cannot_be_is_refused
            }
            feed {
                feed_misses_and_repeats_no_commit
                feed_can_be_followed_from_before_the_first_commit
                feed_names_what_was_done
            }
            enqueue {
                enqueue_is_all_or_none
                enqueue_with_the_same_key_answers_with_the_first_run
                enqueue_with_the_same_key_and_other_content_is_refused
                many_tasks_with_one_key_make_one_run
                malformed_run_is_refused
                accepted_run_is_what_was_asked_for
            }
            claim {
                claim_gives_a_run_to_one_worker
                expired_run_is_taken_over_by_one_worker
                claim_takes_priority_then_age
                claim_takes_up_to_its_limit_of_every_tenant
                claim_waits_for_run_at
                claim_takes_only_what_the_worker_has
                first_claim_starts_the_run
                live_lease_is_not_claimed
                expired_lease_is_claimed_again_under_a_higher_fence
                waiting_and_ended_runs_are_not_claimed
            }
            turns {
                expired_runs_stand_among_the_queued
                claim_takes_one_run_of_every_tenant_before_a_second
                tenant_served_longest_ago_goes_first
                takeover_is_a_turn
                busy_tenant_delays_another_by_one_claim
                turns_do_not_depend_on_clocks
                empty_claim_is_nobodys_turn
                queues_are_counted_by_blueprint
            }
            limits {
                claim_keeps_to_the_limit_of_runs
                many_claims_at_once_keep_to_the_limit_of_runs
                expired_run_counts_and_is_taken_over_at_the_limit
                run_held_back_by_a_limit_blocks_no_other
                limit_is_that_of_one_tenant_and_blueprint
                limit_holds_as_it_is_at_the_claim
                raised_limit_frees_runs_at_once
            }
            lease {
                renew_keeps_a_run
                renew_of_a_stale_lease_is_lost
                renew_tells_of_a_cancellation cancellation_is_seen_between_renewals
                renew_answers_for_each_lease
                late_renewal_before_a_takeover_keeps_the_run
            }
            commit {
                commit_is_all_or_nothing_with_its_changes
                commit_under_a_stale_lease_is_refused
                late_commit_before_a_takeover_takes_effect
                commit_of_a_conflicting_change_names_the_step_and_writes_nothing
                commit_refuses_steps_out_of_order
                commit_made_again_changes_nothing
                run_can_be_given_back_before_it_has_a_snapshot
                commit_of_an_unknown_run_is_refused
                released_run_is_claimed_at_once_and_keeps_its_attempts
                changes_of_every_step_are_a_commit_of_their_own
                commits_of_many_runs_at_once_are_all_kept
                one_of_many_runs_creates_an_entity
                commit_tells_of_a_cancellation
                open_calls_and_reservations_are_kept_until_settled
            }
            moves {
                illegal_moves_are_refused
                outcome_of_a_run_is_kept
            }
            signal {
                cancel_ends_a_queued_run_at_once
                cancel_marks_a_running_run
                cancel_ends_a_run_without_a_live_lease
                cancel_ends_a_waiting_run
                cancel_of_an_ended_run_is_refused
                signal_to_an_unknown_run_is_refused
            }
            approvals {
                run_waits_for_an_answer_until_it_is_too_late
                answer_lets_a_waiting_run_go_on
                approval_is_answered_once
                answer_while_others_are_asked_is_not_lost
                end_of_a_run_takes_its_approvals_back
                approvals_are_listed_as_they_were_asked_for
            }
            journal {
                journal_returns_what_was_committed
                large_payloads_come_back_whole
                events_are_numbered_without_gaps
                runs_are_listed_newest_first_and_filtered
            }
            costs {
                costs_are_summed_by_day_and_blueprint
                costs_show_nothing_of_another_tenant
            }
            forks {
                fork_is_queued_with_its_journal
                fork_goes_on_where_its_steps_end
                refused_fork_leaves_nothing
                deadline_of_a_fork_counts_from_its_first_start
                what_a_trial_tried_comes_back_and_is_not_written
            }
            retention {
                expired_run_is_gone_with_all_that_is_its
                runs_that_ended_later_or_not_at_all_stay
                payload_of_a_remaining_run_stays
                expired_idempotency_key_can_be_used_again
                read_before_the_horizon_is_refused
                pinned_walk_behind_the_horizon_is_refused
                what_is_believed_stays_however_old
                horizon_never_goes_back
                history_ends_at_the_horizon
                versions_are_counted_on_after_expiry
                feed_cursor_before_the_horizon_is_refused
                provenance_outlives_its_commit
                answers_are_the_same_between_pieces
                expiry_by_many_tasks_removes_everything_once
                expiry_leaves_other_tenants_alone
                expiry_of_the_future_is_refused
            }
            secrets {
                sealed_value_comes_back_as_it_was_kept
                value_needs_its_data_key
                data_key_in_use_stays
                value_is_never_left_without_its_key
                secrets_are_walked_in_order
                swap_needs_what_is_there
                one_of_many_swaps_wins
                removed_secret_is_gone
                data_key_number_is_given_once
                data_key_is_wrapped_again_once
                data_keys_of_all_tenants_are_walked
                shredding_leaves_nothing
                secrets_of_another_tenant_are_not_there
                malformed_secret_is_refused
            }
            outbox {
                event_that_a_webhook_asks_for_is_delivered
                webhook_is_told_only_what_it_asks_for
                refused_commit_tells_nobody
                commit_made_again_tells_once
                delivery_is_taken_by_one
                delivery_that_nobody_settles_is_taken_again
                deliveries_of_a_run_are_taken_in_order
                retry_waits_for_its_time
                late_answer_of_an_attempt_changes_nothing
                delivery_can_be_added_and_sent_again
                deliveries_are_listed_newest_first
                deliveries_of_another_tenant_are_not_there
                old_deliveries_are_forgotten
                news_of_changes_are_delivered_with_them news_of_refused_changes_are_not_told
            }
            audit {
                audit_entries_of_changes_are_kept_with_them audit_entries_of_refused_changes_are_not_kept
                erasure_leaves_an_audit_entry
                audit_log_is_listed_newest_first_by_what_is_asked
                audit_log_of_another_tenant_is_empty
            }
            api_keys {
                api_key_is_found_by_its_hash api_key_is_added_once
                api_keys_are_listed_newest_first api_keys_of_another_tenant_are_not_there
                api_key_is_revoked_once api_key_is_replaced_as_a_whole
                use_of_api_keys_is_noted what_is_done_to_api_keys_is_audited
            }
            requests {
                request_that_was_answered_is_answered_again
                request_is_attempted_by_one
                key_of_another_request_is_refused
                request_is_remembered_for_a_day
                requests_of_tenants_have_nothing_to_do_with_each_other
                request_that_is_given_up_can_be_made
                effect_of_a_request_is_committed_once late_attempt_at_a_request_changes_nothing
                old_requests_are_forgotten
            }
            usage {
                usage_adds_up_by_day usage_of_another_tenant_is_not_told
                quota_is_never_exceeded quota_is_full_again_in_the_next_window
                quota_that_is_given_back_can_be_taken
            }
            tenant {
                tenant_is_found_by_id_and_slug
                tenants_are_walked_by_id
                retention_of_a_tenant_is_kept name_plan_and_zone_of_a_tenant_are_changed
                tenant_slug_is_unique
                malformed_slug_is_refused
                entity_of_another_tenant_is_not_read
                list_shows_nothing_of_another_tenant
                history_shows_nothing_of_another_tenant
                feed_shows_nothing_of_another_tenant
                same_key_of_two_tenants_is_two_entities
                purge_erases_nothing_of_another_tenant
                run_of_another_tenant_is_not_read
                runs_show_nothing_of_another_tenant
                journal_of_another_tenant_is_not_read
                events_of_another_tenant_are_not_read
                signal_does_not_reach_another_tenant
                lease_under_another_tenant_is_worth_nothing
                idempotency_keys_are_kept_per_tenant
            }
            wake {
                first_wait_returns_at_once
                enqueue_wakes_a_waiting_worker
                work_between_claim_and_wait_is_not_missed
                every_waiting_worker_is_woken
                release_wakes_a_waiting_worker
                dropped_wait_loses_nothing
            }
        }
    };
}

/// Makes a test of every scenario of the [conformance suite](crate::testing::conformance) for the
/// stores of a [`Fixture`](crate::testing::conformance::Fixture).
///
/// Once in a module: a crate that runs the suite for several fixtures gives each a module.
#[macro_export]
macro_rules! store_conformance {
    ($fixture:ty) => {
        type ConformanceFixture = $fixture;

        $crate::conformance_scenarios!(conformance_tests);
        $crate::operation_scenarios!(conformance_tests);
    };
}

/// A `#[tokio::test]` of each scenario.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ([] $($topic:ident { $($name:ident)* })*) => {
        $(mod $topic {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                use $crate::testing::conformance::{self, Fixture};
                let (store, guard) = <super::ConformanceFixture as Fixture>::fresh().await;
                conformance::$topic::$name($crate::conformance_stage!(store, 30_000)).await;
                drop(guard);
            })*
        })*
    };
}

/// A stage whose tasks and time are those of `tokio`, and whose patience lasts `$millis`.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_stage {
    ($store:expr, $millis:expr) => {
        $crate::testing::conformance::Stage::new(
            $store,
            |task| {
                let task = tokio::spawn(task);
                ::std::boxed::Box::pin(async move { task.await.expect("a task panicked") })
            },
            || ::std::boxed::Box::pin(tokio::time::sleep(::std::time::Duration::from_millis($millis))),
        )
    };
}

/// The table of all scenarios.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_table {
    ([] $($topic:ident { $($name:ident)* })*) => {
        &[$($(Scenario {
            topic: stringify!($topic),
            name: stringify!($name),
            scenario: |stage| super::$topic::$name(stage).boxed(),
        },)*)*]
    };
}

/// One scenario of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The module it is in.
    pub topic: &'static str,
    /// Its name, unique in the suite.
    pub name: &'static str,
    scenario: fn(Stage) -> BoxFuture<'static, ()>,
}

impl Scenario {
    /// Runs the scenario, which panics where the store breaks its promise.
    pub fn run(&self, stage: Stage) -> BoxFuture<'static, ()> {
        (self.scenario)(stage)
    }
}

/// Every scenario of what the ports promise.
pub const SCENARIOS: &[Scenario] = conformance_scenarios!(conformance_table);

/// Every scenario of operations over entities, which rest on what the ports promise.
pub const OPERATIONS: &[Scenario] = crate::operation_scenarios!(conformance_table);
