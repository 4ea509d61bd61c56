//! The defects, and for each the scenarios that notice it.

and_the_rest! {
    /// Each write of a commit is a commit of its own.
    writes_apart_is_noticed, WritesApart: [
        apply_is_atomic audit_entries_of_changes_are_kept_with_them audit_entries_of_refused_changes_are_not_kept
        effect_of_a_request_is_committed_once feed_names_what_was_done forbidden_term_is_checked_after_the_writes
        late_attempt_at_a_request_changes_nothing news_of_changes_are_delivered_with_them
        news_of_refused_changes_are_not_told numbers_are_given_out_without_gap_or_repeat
        provenance_outlives_its_commit requests_of_tenants_have_nothing_to_do_with_each_other
        unique_term_is_checked_after_the_writes versions_are_counted_on_after_expiry what_is_referred_to_must_exist
        writes_to_one_entity_make_one_version
    ],
    /// A required version is not looked at.
    version_unchecked_is_noticed, VersionUnchecked: [
        apply_is_atomic one_of_many_writers_of_a_version_wins required_version_is_that_of_the_present
        same_key_of_two_tenants_is_two_entities version_conflict_is_refused
    ],
    /// That nobody has written since is not looked at.
    newest_unchecked_is_noticed, NewestUnchecked: [newest_version_is_that_of_all_times],
    /// What is required absent is not looked for.
    absence_unchecked_is_noticed, AbsenceUnchecked: [
        absent_is_checked apply_is_atomic audit_entries_of_refused_changes_are_not_kept
        news_of_refused_changes_are_not_told
    ],
    /// A unique term is not looked for.
    uniqueness_unchecked_is_noticed, UniquenessUnchecked: [
        unique_term_is_checked_after_the_writes what_is_believed_stays_however_old
    ],
    /// A unique term is looked for before the writes.
    uniqueness_checked_first_is_noticed, UniquenessCheckedFirst: [unique_term_is_checked_after_the_writes],
    /// What is referred to is not looked for.
    references_unchecked_is_noticed, ReferencesUnchecked: [
        numbers_are_given_out_without_gap_or_repeat what_is_referred_to_must_exist
    ],
    /// A term that nobody may have is not looked for.
    forbidden_term_unchecked_is_noticed, ForbiddenTermUnchecked: [forbidden_term_is_checked_after_the_writes],
    /// Everything that is numbered begins anew.
    numbers_repeat_is_noticed, NumbersRepeat: [numbers_are_given_out_without_gap_or_repeat],
    /// A patch ends with the first slice it finds.
    patch_of_one_slice_is_noticed, PatchOfOneSlice: [
        history_is_newest_first_and_complete patch_is_applied_slice_by_slice
    ],
    /// A put keeps what it does not name.
    put_merges_is_noticed, PutMerges: [
        list_as_of_filters_as_it_was newest_version_is_that_of_all_times put_replaces_the_whole_body
        raised_limit_frees_runs_at_once
    ],
    /// A body that is not one of its kind is passed over.
    body_of_any_kind_is_noticed, BodyOfAnyKind: [
        apply_is_atomic audit_entries_of_refused_changes_are_not_kept body_of_another_kind_is_refused
        news_of_refused_changes_are_not_told
    ],
    /// A write over no moment is passed over.
    empty_periods_left_out_is_noticed, EmptyPeriodsLeftOut: [empty_valid_period_is_refused],
    /// A change of what is not there is passed over.
    changes_of_nothing_left_out_is_noticed, ChangesOfNothingLeftOut: [
        apply_is_atomic change_of_nothing_is_refused read_at_both_times_for_every_relation_of_two_periods
        same_key_of_two_tenants_is_two_entities what_is_believed_stays_however_old
    ],
    /// System time is what the clock says, also when it goes back.
    clock_believed_is_noticed, ClockBelieved: [
        commits_of_many_tasks_are_numbered_without_gaps horizon_never_goes_back read_as_of_never_changes
        slices_are_those_of_the_moment system_time_grows_when_the_clock_goes_back versions_are_counted_on_after_expiry
    ],
    /// Commits are counted in one row for all tenants.
    numbers_of_all_tenants_is_noticed, NumbersOfAllTenants: [
        changes_of_every_step_are_a_commit_of_their_own commits_are_numbered_per_tenant
        patch_without_effect_makes_no_version reads_as_of_the_head_are_of_one_moment
        same_key_of_two_tenants_is_two_entities
    ],
    /// Who wrote something is not kept.
    provenance_forgotten_is_noticed, ProvenanceForgotten: [
        commits_of_a_run_are_found_in_order commits_of_a_run_are_those_of_one_tenant feed_names_what_was_done
        provenance_outlives_its_commit provenance_stays_with_what_was_written
        slices_show_an_entity_over_all_of_valid_time
    ],
    /// Numbers in bodies are kept as floats.
    bodies_rounded_is_noticed, BodiesRounded: [bodies_come_back_exactly put_replaces_the_whole_body],
    /// Corrections overwrite what was known.
    beliefs_rewritten_is_noticed, BeliefsRewritten: [
        correction_keeps_the_old_belief deletion_keeps_the_past first_period_contains_the_second
        first_period_equals_the_second first_period_finishes_the_second first_period_is_after_the_second
        first_period_is_before_the_second first_period_is_during_the_second first_period_is_finished_by_the_second
        first_period_is_met_by_the_second first_period_is_overlapped_by_the_second first_period_is_started_by_the_second
        first_period_meets_the_second first_period_overlaps_the_second first_period_starts_the_second
        horizon_never_goes_back limit_holds_as_it_is_at_the_claim read_as_of_never_changes
        read_at_both_times_for_every_relation_of_two_periods read_before_the_horizon_is_refused
        read_of_the_future_is_refused reads_as_of_the_head_are_of_one_moment retraction_keeps_the_old_belief
        system_time_grows_when_the_clock_goes_back
    ],
    /// A read looks at the present of the world, whatever was asked.
    valid_time_ignored_is_noticed, ValidTimeIgnored: [
        correction_keeps_the_old_belief deletion_keeps_the_past first_period_contains_the_second
        first_period_equals_the_second first_period_finishes_the_second first_period_is_after_the_second
        first_period_is_before_the_second first_period_is_during_the_second first_period_is_finished_by_the_second
        first_period_is_met_by_the_second first_period_is_overlapped_by_the_second first_period_is_started_by_the_second
        first_period_meets_the_second first_period_overlaps_the_second first_period_starts_the_second
        patch_is_applied_slice_by_slice provenance_outlives_its_commit provenance_stays_with_what_was_written
        read_at_both_times_for_every_relation_of_two_periods read_before_the_horizon_is_refused
        scheduled_slice_shows_when_its_time_comes what_is_believed_stays_however_old
        writes_to_one_entity_make_one_version
    ],
    /// A write does not cut the slice that it replaces.
    old_slice_uncut_is_noticed, OldSliceUncut: [
        absent_is_checked changes_of_every_step_are_a_commit_of_their_own
        commit_of_a_conflicting_change_names_the_step_and_writes_nothing correction_keeps_the_old_belief
        deletion_keeps_the_past first_period_contains_the_second first_period_equals_the_second
        first_period_finishes_the_second first_period_is_during_the_second first_period_is_finished_by_the_second
        first_period_is_overlapped_by_the_second first_period_is_started_by_the_second first_period_overlaps_the_second
        first_period_starts_the_second patch_is_applied_slice_by_slice provenance_stays_with_what_was_written
        put_replaces_the_whole_body read_at_both_times_for_every_relation_of_two_periods
        read_before_the_horizon_is_refused retraction_keeps_the_old_belief same_key_of_two_tenants_is_two_entities
        scheduled_slice_shows_when_its_time_comes system_time_grows_when_the_clock_goes_back version_conflict_is_refused
        what_is_believed_stays_however_old writes_to_one_entity_make_one_version
    ],
    /// A read as of a moment does not push later commits behind it.
    reads_fix_nothing_is_noticed, ReadsFixNothing: [
        expiry_of_the_future_is_refused horizon_never_goes_back limit_holds_as_it_is_at_the_claim
        read_as_of_never_changes reads_as_of_the_head_are_of_one_moment walk_returns_each_entity_once_under_writes
    ],
    /// The head of a tenant is that of the one with the newest commit.
    head_of_any_tenant_is_noticed, HeadOfAnyTenant: [reads_as_of_the_head_are_of_one_moment],
    /// The head of a tenant is just before its newest commit.
    head_behind_is_noticed, HeadBehind: [reads_as_of_the_head_are_of_one_moment],
    /// A read as of the future is answered with the present.
    future_read_is_noticed, FutureRead: [read_of_the_future_is_refused],
    /// A reader sees only what its clock has reached.
    late_reader_blind_is_noticed, LateReaderBlind: [
        provenance_outlives_its_commit reader_with_a_late_clock_sees_the_newest_commit
        system_time_grows_when_the_clock_goes_back
    ],
    /// An entity is found by its id alone.
    kind_ignored_is_noticed, KindIgnored: [unknown_entity_reads_as_nothing],
    /// A history leaves out deletions.
    deletions_forgotten_is_noticed, DeletionsForgotten: [
        history_is_newest_first_and_complete slices_are_those_of_the_moment
        slices_show_an_entity_over_all_of_valid_time
    ],
    /// Pages are counted off from the start.
    offset_cursor_is_noticed, OffsetCursor: [
        list_is_cut_to_ranges_of_its_keys pinned_walk_behind_the_horizon_is_refused walk_over_a_changing_field_is_stable
        walk_returns_each_entity_once_under_writes
    ],
    /// A cursor that does not fit begins the list again.
    any_cursor_is_noticed, AnyCursor: [
        cursor_of_another_list_is_refused damaged_cursor_is_refused list_is_cut_to_ranges_of_its_keys
        list_shows_nothing_of_another_tenant
    ],
    /// Only the first term filters.
    one_term_filters_is_noticed, OneTermFilters: [list_filters_by_every_term],
    /// Sets of terms do not filter.
    sets_ignored_is_noticed, SetsIgnored: [list_shows_what_has_one_of_each_set],
    /// Only the first stretch of a range is looked at.
    one_stretch_is_noticed, OneStretch: [list_is_cut_to_ranges_of_its_keys],
    /// A list chooses from all entities.
    choice_ignored_is_noticed, ChoiceIgnored: [list_chooses_among_entities],
    /// A list asks for no words of titles.
    titles_ignored_is_noticed, TitlesIgnored: [list_asks_for_words_of_titles],
    /// A search compares text as it is.
    search_of_exact_text_is_noticed, SearchOfExactText: [
        list_searches_words_without_case_and_accents list_shows_nothing_of_another_tenant search_takes_any_text
    ],
    /// A search parses its text.
    search_is_a_language_is_noticed, SearchIsALanguage: [search_takes_any_text],
    /// A list of the past is one of the present.
    list_as_of_now_is_noticed, ListAsOfNow: [
        cursor_of_another_list_is_refused list_as_of_filters_as_it_was list_asks_for_words_of_titles
        list_chooses_among_entities list_is_cut_to_ranges_of_its_keys list_shows_what_has_one_of_each_set list_that_cannot_be_is_refused
        read_as_of_never_changes read_before_the_horizon_is_refused read_of_the_future_is_refused
        walk_returns_each_entity_once_under_writes
    ],
    /// Lists go up only.
    one_direction_is_noticed, OneDirection: [
        cursor_of_another_list_is_refused list_as_of_filters_as_it_was list_chooses_among_entities
        list_is_cut_to_ranges_of_its_keys list_shows_what_has_one_of_each_set
        list_sorts_by_key_and_by_the_times_of_writes walk_over_a_changing_field_is_stable
        walk_returns_each_entity_once_under_writes
    ],
    /// A list shows entities of another kind.
    kind_of_list_ignored_is_noticed, KindOfListIgnored: [
        cursor_of_another_list_is_refused list_shows_what_exists_of_its_kind list_that_cannot_be_is_refused
    ],
    /// A page is as large as it gets.
    limit_ignored_is_noticed, LimitIgnored: [
        answers_are_the_same_between_pieces cursor_of_another_list_is_refused damaged_cursor_is_refused
        list_as_of_filters_as_it_was list_asks_for_words_of_titles list_chooses_among_entities list_filters_by_every_term
        list_is_cut_to_ranges_of_its_keys list_shows_nothing_of_another_tenant
        list_shows_what_has_one_of_each_set list_sorts_by_key_and_by_the_times_of_writes
        pages_of_every_size_give_the_same_list pinned_walk_behind_the_horizon_is_refused
    ],
    /// A list that cannot be is empty.
    wrong_sort_guessed_is_noticed, WrongSortGuessed: [
        list_asks_for_words_of_titles
        list_is_cut_to_ranges_of_its_keys list_that_cannot_be_is_refused read_of_the_future_is_refused
    ],
    /// The feed loses the last commit of a full page.
    feed_skips_is_noticed, FeedSkips: [feed_cursor_before_the_horizon_is_refused feed_misses_and_repeats_no_commit],
    /// The feed begins again when it is at its end.
    feed_starts_again_is_noticed, FeedStartsAgain: [
        feed_cursor_before_the_horizon_is_refused feed_misses_and_repeats_no_commit
    ],
    /// The feed of a tenant without commits cannot be gone on with.
    empty_feed_ends_is_noticed, EmptyFeedEnds: [
        feed_can_be_followed_from_before_the_first_commit feed_cursor_before_the_horizon_is_refused
        feed_misses_and_repeats_no_commit
    ],
    /// A purge is a deletion.
    purge_keeps_the_past_is_noticed, PurgeKeepsThePast: [
        answers_are_the_same_between_pieces erasure_leaves_an_audit_entry newest_version_is_that_of_all_times
        purge_erases_every_version
    ],
    /// The tenant is left out of `entity`.
    entity_of_any_tenant_is_noticed, EntityOfAnyTenant: [
        entity_of_another_tenant_is_not_read read_at_both_times_for_every_relation_of_two_periods
    ],
    /// The tenant is left out of `list`.
    list_of_any_tenant_is_noticed, ListOfAnyTenant: [list_shows_nothing_of_another_tenant],
    /// The tenant is left out of `history`.
    history_of_any_tenant_is_noticed, HistoryOfAnyTenant: [history_shows_nothing_of_another_tenant],
    /// The tenant is left out of `slices`.
    slices_of_any_tenant_are_noticed, SlicesOfAnyTenant: [slices_show_nothing_of_another_tenant],
    /// Slices are those of now, whatever was asked.
    slices_of_now_are_noticed, SlicesOfNow: [slices_are_those_of_the_moment],
    /// What is left of older writes is not shown.
    rests_forgotten_is_noticed, RestsForgotten: [
        slices_are_those_of_the_moment slices_show_an_entity_over_all_of_valid_time
    ],
    /// The tenant is left out of `commits_of`.
    commits_of_any_tenant_are_noticed, CommitsOfAnyTenant: [commits_of_a_run_are_those_of_one_tenant],
    /// The commits of a run are those of its steps alone.
    commits_of_steps_only_are_noticed, CommitsOfStepsOnly: [commits_of_a_run_are_found_in_order],
    /// The tenant is left out of `changes`.
    feed_of_any_tenant_is_noticed, FeedOfAnyTenant: [feed_shows_nothing_of_another_tenant],
    /// The tenant is left out of `purge`.
    purge_of_any_tenant_is_noticed, PurgeOfAnyTenant: [purge_erases_nothing_of_another_tenant],
    /// The runs of a batch are accepted one by one.
    batch_one_by_one_is_noticed, BatchOneByOne: [enqueue_is_all_or_none],
    /// Idempotency keys are ignored.
    key_ignored_is_noticed, KeyIgnored: [
        enqueue_is_all_or_none enqueue_with_the_same_key_and_other_content_is_refused
        enqueue_with_the_same_key_answers_with_the_first_run expired_idempotency_key_can_be_used_again
        expiry_leaves_other_tenants_alone malformed_run_is_refused many_tasks_with_one_key_make_one_run
    ],
    /// A key that was used with other content is used again.
    key_content_unchecked_is_noticed, KeyContentUnchecked: [
        enqueue_is_all_or_none enqueue_with_the_same_key_and_other_content_is_refused
    ],
    /// Tenants share their idempotency keys.
    keys_of_all_tenants_is_noticed, KeysOfAllTenants: [
        expiry_leaves_other_tenants_alone idempotency_keys_are_kept_per_tenant
    ],
    /// Malformed runs are accepted.
    malformed_accepted_is_noticed, MalformedAccepted: [enqueue_is_all_or_none malformed_run_is_refused],
    /// Runs go by age alone.
    priority_ignored_is_noticed, PriorityIgnored: [
        accepted_run_is_what_was_asked_for claim_takes_one_run_of_every_tenant_before_a_second
        claim_takes_priority_then_age enqueue_is_all_or_none enqueue_with_the_same_key_and_other_content_is_refused
        expired_runs_stand_among_the_queued malformed_run_is_refused tenant_served_longest_ago_goes_first
    ],
    /// Delayed runs begin at once.
    run_at_ignored_is_noticed, RunAtIgnored: [
        accepted_run_is_what_was_asked_for claim_waits_for_run_at
        enqueue_with_the_same_key_and_other_content_is_refused queues_are_counted_by_blueprint
    ],
    /// Two claims at the same moment may take the same run.
    check_then_claim_is_noticed, CheckThenClaim: [
        claim_gives_a_run_to_one_worker expired_run_is_taken_over_by_one_worker
        many_claims_at_once_keep_to_the_limit_of_runs
    ],
    /// A live lease does not keep others away.
    claim_before_expiry_is_noticed, ClaimBeforeExpiry: [
        busy_tenant_delays_another_by_one_claim cancel_marks_a_running_run cancellation_is_seen_between_renewals
        claim_gives_a_run_to_one_worker claim_keeps_to_the_limit_of_runs
        claim_takes_one_run_of_every_tenant_before_a_second claim_takes_priority_then_age
        claim_takes_up_to_its_limit_of_every_tenant claim_waits_for_run_at commits_of_many_runs_at_once_are_all_kept
        empty_claim_is_nobodys_turn enqueue_wakes_a_waiting_worker expired_run_counts_and_is_taken_over_at_the_limit
        expired_run_is_taken_over_by_one_worker expired_runs_stand_among_the_queued illegal_moves_are_refused
        late_commit_before_a_takeover_takes_effect limit_holds_as_it_is_at_the_claim live_lease_is_not_claimed
        many_claims_at_once_keep_to_the_limit_of_runs one_of_many_runs_creates_an_entity raised_limit_frees_runs_at_once
        renew_answers_for_each_lease renew_keeps_a_run run_held_back_by_a_limit_blocks_no_other takeover_is_a_turn
        work_between_claim_and_wait_is_not_missed
    ],
    /// An expired lease is never taken over.
    expired_lost_is_noticed, ExpiredLost: [
        claim_takes_only_what_the_worker_has commit_under_a_stale_lease_is_refused
        deadline_of_a_fork_counts_from_its_first_start events_are_numbered_without_gaps
        expired_lease_is_claimed_again_under_a_higher_fence expired_run_counts_and_is_taken_over_at_the_limit
        expired_run_is_taken_over_by_one_worker expired_runs_stand_among_the_queued limit_holds_as_it_is_at_the_claim
        open_calls_and_reservations_are_kept_until_settled refused_commit_tells_nobody renew_keeps_a_run
        renew_of_a_stale_lease_is_lost takeover_is_a_turn
    ],
    /// A run goes on at whatever version of its blueprint.
    claim_of_any_version_is_noticed, ClaimOfAnyVersion: [
        claim_takes_only_what_the_worker_has expired_run_counts_and_is_taken_over_at_the_limit
        fork_is_queued_with_its_journal
    ],
    /// A claim takes all there is.
    limit_of_claim_ignored_is_noticed, LimitOfClaimIgnored: [
        approvals_are_listed_as_they_were_asked_for busy_tenant_delays_another_by_one_claim
        claim_gives_a_run_to_one_worker claim_takes_one_run_of_every_tenant_before_a_second
        claim_takes_priority_then_age claim_takes_up_to_its_limit_of_every_tenant claim_waits_for_run_at
        costs_are_summed_by_day_and_blueprint empty_claim_is_nobodys_turn expired_runs_stand_among_the_queued
        queues_are_counted_by_blueprint run_held_back_by_a_limit_blocks_no_other
        runs_are_listed_newest_first_and_filtered takeover_is_a_turn tenant_served_longest_ago_goes_first
        turns_do_not_depend_on_clocks what_a_trial_tried_comes_back_and_is_not_written
    ],
    /// Runs that were given up wait until no other is queued.
    queued_first_is_noticed, QueuedFirst: [
        claim_waits_for_run_at expired_runs_stand_among_the_queued limit_holds_as_it_is_at_the_claim takeover_is_a_turn
    ],
    /// A claim takes the runs of one tenant as long as it has any.
    one_tenant_at_a_time_is_noticed, OneTenantAtATime: [
        busy_tenant_delays_another_by_one_claim claim_takes_one_run_of_every_tenant_before_a_second
        costs_show_nothing_of_another_tenant empty_claim_is_nobodys_turn expiry_leaves_other_tenants_alone
        run_held_back_by_a_limit_blocks_no_other takeover_is_a_turn tenant_served_longest_ago_goes_first
        turns_do_not_depend_on_clocks
    ],
    /// Whose turn it was is not kept from claim to claim.
    turns_forgotten_is_noticed, TurnsForgotten: [
        busy_tenant_delays_another_by_one_claim costs_show_nothing_of_another_tenant empty_claim_is_nobodys_turn
        expiry_leaves_other_tenants_alone tenant_served_longest_ago_goes_first turns_do_not_depend_on_clocks
    ],
    /// Whose turn it was goes by the clocks of workers.
    turns_by_the_clock_is_noticed, TurnsByTheClock: [
        answers_are_the_same_between_pieces costs_are_summed_by_day_and_blueprint
        deliveries_of_a_run_are_taken_in_order expiry_by_many_tasks_removes_everything_once
        expiry_leaves_other_tenants_alone payload_of_a_remaining_run_stays runs_that_ended_later_or_not_at_all_stay
        turns_do_not_depend_on_clocks
    ],
    /// Only new runs count as turns.
    takeover_is_no_turn_is_noticed, TakeoverIsNoTurn: [
        answers_are_the_same_between_pieces costs_are_summed_by_day_and_blueprint
        deliveries_of_a_run_are_taken_in_order expiry_by_many_tasks_removes_everything_once
        expiry_leaves_other_tenants_alone payload_of_a_remaining_run_stays runs_that_ended_later_or_not_at_all_stay
        takeover_is_a_turn turns_do_not_depend_on_clocks
    ],
    /// A claim serves everybody who waits for one, also if it takes nothing.
    empty_claim_is_a_turn_is_noticed, EmptyClaimIsATurn: [empty_claim_is_nobodys_turn],
    /// Any number of runs run at once.
    limit_of_runs_ignored_is_noticed, LimitOfRunsIgnored: [
        claim_keeps_to_the_limit_of_runs expired_run_counts_and_is_taken_over_at_the_limit
        limit_holds_as_it_is_at_the_claim limit_is_that_of_one_tenant_and_blueprint
        many_claims_at_once_keep_to_the_limit_of_runs raised_limit_frees_runs_at_once
        run_held_back_by_a_limit_blocks_no_other
    ],
    /// A claim counts what is running before it takes the first run, and not again.
    limit_counted_once_is_noticed, LimitCountedOnce: [
        claim_keeps_to_the_limit_of_runs expired_run_counts_and_is_taken_over_at_the_limit
        limit_holds_as_it_is_at_the_claim limit_is_that_of_one_tenant_and_blueprint raised_limit_frees_runs_at_once
        run_held_back_by_a_limit_blocks_no_other
    ],
    /// Two claims at the same moment count the same runs.
    limit_counted_before_is_noticed, LimitCountedBefore: [many_claims_at_once_keep_to_the_limit_of_runs],
    /// Runs that wait for a person count as running.
    waiting_counts_is_noticed, WaitingCounts: [claim_keeps_to_the_limit_of_runs],
    /// An expired run is taken over only where there is room.
    expired_held_back_is_noticed, ExpiredHeldBack: [
        expired_run_counts_and_is_taken_over_at_the_limit limit_holds_as_it_is_at_the_claim
    ],
    /// What is held back keeps all behind it waiting.
    held_back_blocks_is_noticed, HeldBackBlocks: [
        expired_run_counts_and_is_taken_over_at_the_limit limit_holds_as_it_is_at_the_claim
        run_held_back_by_a_limit_blocks_no_other
    ],
    /// The limit of one tenant holds for all.
    limit_of_any_tenant_is_noticed, LimitOfAnyTenant: [
        limit_is_that_of_one_tenant_and_blueprint run_held_back_by_a_limit_blocks_no_other
    ],
    /// The limit of one blueprint holds for all.
    limit_of_any_blueprint_is_noticed, LimitOfAnyBlueprint: [
        limit_is_that_of_one_tenant_and_blueprint run_held_back_by_a_limit_blocks_no_other
    ],
    /// A limit stays what it was first.
    limit_kept_first_is_noticed, LimitKeptFirst: [limit_holds_as_it_is_at_the_claim raised_limit_frees_runs_at_once],
    /// When a limit holds is not looked at.
    limits_hold_at_once_is_noticed, LimitsHoldAtOnce: [limit_holds_as_it_is_at_the_claim],
    /// A run that waits for a person is handed out.
    waiting_claimed_is_noticed, WaitingClaimed: [
        claim_keeps_to_the_limit_of_runs illegal_moves_are_refused run_waits_for_an_answer_until_it_is_too_late
        waiting_and_ended_runs_are_not_claimed
    ],
    /// A claim does not say when the run began.
    start_unrecorded_is_noticed, StartUnrecorded: [
        deadline_of_a_fork_counts_from_its_first_start expired_lease_is_claimed_again_under_a_higher_fence
        first_claim_starts_the_run released_run_is_claimed_at_once_and_keeps_its_attempts
        run_waits_for_an_answer_until_it_is_too_late
    ],
    /// A lease is renewed whatever its number.
    no_fence_on_renewal_is_noticed, NoFenceOnRenewal: [
        lease_under_another_tenant_is_worth_nothing renew_answers_for_each_lease renew_of_a_stale_lease_is_lost
    ],
    /// A renewal is answered and not written.
    renewal_without_effect_is_noticed, RenewalWithoutEffect: [
        late_renewal_before_a_takeover_keeps_the_run lease_under_another_tenant_is_worth_nothing
        renew_answers_for_each_lease renew_keeps_a_run renew_of_a_stale_lease_is_lost renew_tells_of_a_cancellation
    ],
    /// A renewal does not tell of a cancellation.
    renewal_silent_is_noticed, RenewalSilent: [renew_tells_of_a_cancellation],
    /// A cancellation shows at the next renewal only.
    cancel_unseen_is_noticed, CancelUnseen: [cancellation_is_seen_between_renewals],
    /// Lost leases have no answer.
    lost_left_out_is_noticed, LostLeftOut: [
        lease_under_another_tenant_is_worth_nothing renew_answers_for_each_lease renew_of_a_stale_lease_is_lost
    ],
    /// A lease that expired cannot be renewed, although nobody took the run.
    late_renewal_refused_is_noticed, LateRenewalRefused: [late_renewal_before_a_takeover_keeps_the_run],
    /// A commit counts whatever the number of its lease.
    no_fence_on_commit_is_noticed, NoFenceOnCommit: [
        commit_made_again_changes_nothing commit_under_a_stale_lease_is_refused
        lease_under_another_tenant_is_worth_nothing refused_commit_tells_nobody
        released_run_is_claimed_at_once_and_keeps_its_attempts
    ],
    /// A lease that expired cannot commit, although nobody took the run.
    late_commit_refused_is_noticed, LateCommitRefused: [
        answers_are_the_same_between_pieces late_commit_before_a_takeover_takes_effect payload_of_a_remaining_run_stays
    ],
    /// Steps are kept and their changes are not.
    changes_dropped_is_noticed, ChangesDropped: [
        changes_of_every_step_are_a_commit_of_their_own commit_is_all_or_nothing_with_its_changes
        commit_made_again_changes_nothing commit_of_a_conflicting_change_names_the_step_and_writes_nothing
        commit_tells_of_a_cancellation commit_under_a_stale_lease_is_refused commits_of_a_run_are_found_in_order
        commits_of_a_run_end_at_the_horizon commits_of_many_runs_at_once_are_all_kept fork_goes_on_where_its_steps_end
        news_of_changes_are_delivered_with_them one_of_many_runs_creates_an_entity refused_commit_tells_nobody
    ],
    /// What the changes of a step rest on is not looked at.
    steps_rest_on_nothing_is_noticed, StepsRestOnNothing: [
        commit_is_all_or_nothing_with_its_changes commit_of_a_conflicting_change_names_the_step_and_writes_nothing
        one_of_many_runs_creates_an_entity refused_commit_tells_nobody
    ],
    /// Changes are committed before the steps.
    changes_first_is_noticed, ChangesFirst: [
        commit_is_all_or_nothing_with_its_changes commit_made_again_changes_nothing
        commit_of_a_conflicting_change_names_the_step_and_writes_nothing commit_refuses_steps_out_of_order
        commit_under_a_stale_lease_is_refused lease_under_another_tenant_is_worth_nothing
        released_run_is_claimed_at_once_and_keeps_its_attempts
    ],
    /// The changes of all steps are one commit.
    changes_of_one_commit_is_noticed, ChangesOfOneCommit: [
        changes_of_every_step_are_a_commit_of_their_own commit_is_all_or_nothing_with_its_changes
        commit_of_a_conflicting_change_names_the_step_and_writes_nothing commits_of_a_run_are_found_in_order
        news_of_changes_are_delivered_with_them
    ],
    /// Steps that do not follow are left out in silence.
    gaps_accepted_is_noticed, GapsAccepted: [
        commit_is_all_or_nothing_with_its_changes commit_refuses_steps_out_of_order
    ],
    /// A conflict does not name its step.
    conflict_is_an_error_is_noticed, ConflictIsAnError: [
        commit_is_all_or_nothing_with_its_changes commit_of_a_conflicting_change_names_the_step_and_writes_nothing
        one_of_many_runs_creates_an_entity refused_commit_tells_nobody
    ],
    /// A commit made again is refused.
    repeated_refused_is_noticed, RepeatedRefused: [commit_made_again_changes_nothing commit_made_again_tells_once],
    /// The first commit must bring a snapshot, also if it records nothing.
    snapshot_always_wanted_is_noticed, SnapshotAlwaysWanted: [
        deadline_of_a_fork_counts_from_its_first_start fork_goes_on_where_its_steps_end
        run_can_be_given_back_before_it_has_a_snapshot
    ],
    /// A run that does not exist reads as lost.
    unknown_run_is_lost_is_noticed, UnknownRunIsLost: [
        commit_of_an_unknown_run_is_refused lease_under_another_tenant_is_worth_nothing
    ],
    /// Open calls are not kept.
    calls_forgotten_is_noticed, CallsForgotten: [open_calls_and_reservations_are_kept_until_settled],
    /// The events of a commit are not kept.
    events_of_commit_forgotten_is_noticed, EventsOfCommitForgotten: [commit_is_all_or_nothing_with_its_changes],
    /// A release uses up an attempt.
    release_counts_is_noticed, ReleaseCounts: [
        commit_made_again_changes_nothing released_run_is_claimed_at_once_and_keeps_its_attempts
    ],
    /// A commit does not tell of a cancellation.
    commit_silent_is_noticed, CommitSilent: [commit_tells_of_a_cancellation],
    /// How a run ended is not kept.
    outcome_forgotten_is_noticed, OutcomeForgotten: [
        commit_is_all_or_nothing_with_its_changes commit_made_again_changes_nothing
        commits_of_many_runs_at_once_are_all_kept large_payloads_come_back_whole outcome_of_a_run_is_kept
    ],
    /// Reservations are not kept.
    reservations_forgotten_is_noticed, ReservationsForgotten: [open_calls_and_reservations_are_kept_until_settled],
    /// What has ended can be cancelled.
    illegal_moves_is_noticed, IllegalMoves: [
        approval_is_answered_once cancel_of_an_ended_run_is_refused end_of_a_run_takes_its_approvals_back
        illegal_moves_are_refused run_waits_for_an_answer_until_it_is_too_late
    ],
    /// A cancellation waits for a worker that is gone.
    cancel_trusts_old_leases_is_noticed, CancelTrustsOldLeases: [cancel_ends_a_run_without_a_live_lease],
    /// Who cancelled is not kept.
    actor_forgotten_is_noticed, ActorForgotten: [
        answer_lets_a_waiting_run_go_on cancel_ends_a_queued_run_at_once cancel_ends_a_run_without_a_live_lease
        cancel_ends_a_waiting_run
    ],
    /// A signal to no run is answered as if there were one.
    signal_to_nothing_is_noticed, SignalToNothing: [
        approval_is_answered_once expired_run_is_gone_with_all_that_is_its signal_does_not_reach_another_tenant
        signal_to_an_unknown_run_is_refused
    ],
    /// The tenant is left out of `run`.
    run_of_any_tenant_is_noticed, RunOfAnyTenant: [fork_is_queued_with_its_journal run_of_another_tenant_is_not_read],
    /// The tenant is left out of `runs`.
    runs_of_any_tenant_is_noticed, RunsOfAnyTenant: [runs_show_nothing_of_another_tenant],
    /// The tenant is left out of `agent_costs`.
    costs_of_any_tenant_is_noticed, CostsOfAnyTenant: [costs_show_nothing_of_another_tenant],
    /// Costs are those of all blueprints.
    costs_unfiltered_is_noticed, CostsUnfiltered: [costs_are_summed_by_day_and_blueprint],
    /// The tenant is left out of `journal`.
    journal_of_any_tenant_is_noticed, JournalOfAnyTenant: [journal_of_another_tenant_is_not_read],
    /// The tenant is left out of `events`.
    events_of_any_tenant_is_noticed, EventsOfAnyTenant: [events_of_another_tenant_are_not_read],
    /// The tenant is left out of `signal`.
    signal_of_any_tenant_is_noticed, SignalOfAnyTenant: [signal_does_not_reach_another_tenant],
    /// The tenant of a lease is not looked at.
    lease_of_any_tenant_is_noticed, LeaseOfAnyTenant: [lease_under_another_tenant_is_worth_nothing],
    /// Runs are not filtered by status.
    runs_unfiltered_is_noticed, RunsUnfiltered: [
        many_claims_at_once_keep_to_the_limit_of_runs raised_limit_frees_runs_at_once
        runs_are_listed_newest_first_and_filtered
    ],
    /// A fork begins without the steps that it goes on from.
    fork_begins_anew_is_noticed, ForkBeginsAnew: [
        fork_goes_on_where_its_steps_end fork_is_queued_with_its_journal refused_fork_leaves_nothing
    ],
    /// A fork whose id is taken is answered with the run that has it.
    fork_overwrites_is_noticed, ForkOverwrites: [refused_fork_leaves_nothing],
    /// A fork has the deadline of what it lives by.
    fork_inherits_is_noticed, ForkInherits: [deadline_of_a_fork_counts_from_its_first_start],
    /// What a trial would have written is not kept.
    tried_forgotten_is_noticed, TriedForgotten: [what_a_trial_tried_comes_back_and_is_not_written],
    /// Large payloads are lost.
    payloads_cut_is_noticed, PayloadsCut: [
        deadline_of_a_fork_counts_from_its_first_start fork_goes_on_where_its_steps_end fork_is_queued_with_its_journal
        large_payloads_come_back_whole payload_of_a_remaining_run_stays refused_fork_leaves_nothing
    ],
    /// What a run lives by is not kept.
    snapshot_forgotten_is_noticed, SnapshotForgotten: [
        deadline_of_a_fork_counts_from_its_first_start fork_goes_on_where_its_steps_end fork_is_queued_with_its_journal
        journal_returns_what_was_committed large_payloads_come_back_whole refused_fork_leaves_nothing
    ],
    /// Events of steps are lost.
    events_lost_is_noticed, EventsLost: [
        commit_is_all_or_nothing_with_its_changes events_are_numbered_without_gaps fork_goes_on_where_its_steps_end
        fork_is_queued_with_its_journal
    ],
    /// The first wait waits.
    first_wait_sleeps_is_noticed, FirstWaitSleeps: [
        answer_lets_a_waiting_run_go_on dropped_wait_loses_nothing enqueue_wakes_a_waiting_worker
        every_waiting_worker_is_woken first_wait_returns_at_once release_wakes_a_waiting_worker
        work_between_claim_and_wait_is_not_missed
    ],
    /// New work wakes nobody.
    nobody_woken_is_noticed, NobodyWoken: [
        answer_lets_a_waiting_run_go_on dropped_wait_loses_nothing enqueue_wakes_a_waiting_worker
        every_waiting_worker_is_woken release_wakes_a_waiting_worker work_between_claim_and_wait_is_not_missed
    ],
    /// New work wakes one worker only.
    one_woken_is_noticed, OneWoken: [
        dropped_wait_loses_nothing enqueue_wakes_a_waiting_worker every_waiting_worker_is_woken
        work_between_claim_and_wait_is_not_missed
    ],
    /// Only what comes while somebody waits wakes.
    work_before_the_wait_missed_is_noticed, WorkBeforeTheWaitMissed: [
        answer_lets_a_waiting_run_go_on dropped_wait_loses_nothing release_wakes_a_waiting_worker
        work_between_claim_and_wait_is_not_missed
    ],
}
