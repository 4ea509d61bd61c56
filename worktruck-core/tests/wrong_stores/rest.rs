//! The defects of retention, tenants, approvals, secrets, the outbox and what a service needs, behind those that are
//! handed in.

macro_rules! and_the_rest {
    ($($before:tt)*) => {
        wrong_stores! {
            $($before)*
            /// Nothing is ever removed.
            nothing_expires_is_noticed, NothingExpires: [
                answers_are_the_same_between_pieces commits_of_a_run_end_at_the_horizon
                expired_idempotency_key_can_be_used_again expired_run_is_gone_with_all_that_is_its
                expiry_by_many_tasks_removes_everything_once expiry_leaves_other_tenants_alone expiry_of_the_future_is_refused
                feed_cursor_before_the_horizon_is_refused history_ends_at_the_horizon horizon_never_goes_back
                payload_of_a_remaining_run_stays pinned_walk_behind_the_horizon_is_refused provenance_outlives_its_commit
                read_before_the_horizon_is_refused slices_are_those_of_the_moment what_is_believed_stays_however_old
            ],
            /// The horizon is moved by the second piece.
            expiry_begins_late_is_noticed, ExpiryBeginsLate: [
                answers_are_the_same_between_pieces commits_of_a_run_end_at_the_horizon expiry_of_the_future_is_refused
                slices_are_those_of_the_moment
            ],
            /// What lies at the horizon is taken to lie before it.
            later_runs_expire_is_noticed, LaterRunsExpire: [
                answers_are_the_same_between_pieces commits_of_a_run_end_at_the_horizon
                feed_cursor_before_the_horizon_is_refused horizon_never_goes_back pinned_walk_behind_the_horizon_is_refused
                read_before_the_horizon_is_refused runs_that_ended_later_or_not_at_all_stay slices_are_those_of_the_moment
            ],
            /// Runs that have not ended are ended where they are old.
            live_runs_expire_is_noticed, LiveRunsExpire: [runs_that_ended_later_or_not_at_all_stay],
            /// Payloads go with the first run that names them.
            payloads_of_others_expire_is_noticed, PayloadsOfOthersExpire: [
                answers_are_the_same_between_pieces payload_of_a_remaining_run_stays runs_that_ended_later_or_not_at_all_stay
            ],
            /// Idempotency keys stay when their runs go.
            keys_outlive_runs_is_noticed, KeysOutliveRuns: [expired_idempotency_key_can_be_used_again],
            /// What was written long ago goes, although it is believed.
            beliefs_expire_is_noticed, BeliefsExpire: [
                answers_are_the_same_between_pieces commits_of_a_run_end_at_the_horizon
                expiry_by_many_tasks_removes_everything_once expiry_leaves_other_tenants_alone expiry_of_the_future_is_refused
                feed_cursor_before_the_horizon_is_refused history_ends_at_the_horizon horizon_never_goes_back
                pinned_walk_behind_the_horizon_is_refused provenance_outlives_its_commit versions_are_counted_on_after_expiry
                what_is_believed_stays_however_old
            ],
            /// A read before the horizon finds nothing, and says no more.
            horizon_unchecked_is_noticed, HorizonUnchecked: [
                horizon_never_goes_back pinned_walk_behind_the_horizon_is_refused read_before_the_horizon_is_refused
                slices_are_those_of_the_moment
            ],
            /// The horizon is what was last asked for.
            horizon_goes_back_is_noticed, HorizonGoesBack: [horizon_never_goes_back],
            /// Versions are counted anew where the first ones are gone.
            versions_counted_anew_is_noticed, VersionsCountedAnew: [versions_are_counted_on_after_expiry],
            /// A reader of the feed is not told that commits are gone.
            feed_silent_is_noticed, FeedSilent: [feed_cursor_before_the_horizon_is_refused],
            /// Provenance goes with its commit.
            provenance_expires_is_noticed, ProvenanceExpires: [
                provenance_outlives_its_commit what_is_believed_stays_however_old
            ],
            /// That there is more to remove is not said.
            rest_not_told_is_noticed, RestNotTold: [
                answers_are_the_same_between_pieces expiry_by_many_tasks_removes_everything_once
            ],
            /// What one task removed another one counts as well.
            removed_twice_is_noticed, RemovedTwice: [
                answers_are_the_same_between_pieces expired_run_is_gone_with_all_that_is_its
                expiry_by_many_tasks_removes_everything_once expiry_leaves_other_tenants_alone payload_of_a_remaining_run_stays
            ],
            /// The tenant is left out of `expire`.
            expiry_of_all_tenants_is_noticed, ExpiryOfAllTenants: [expiry_leaves_other_tenants_alone],
            /// A horizon in the future is one at the present.
            future_expires_is_noticed, FutureExpires: [expiry_of_the_future_is_refused],
            /// There is one page of tenants.
            tenants_cut_is_noticed, TenantsCut: [tenants_are_walked_by_id],
            /// How long a tenant keeps what it has is not kept.
            retention_forgotten_is_noticed, RetentionForgotten: [
                name_plan_and_zone_of_a_tenant_are_changed retention_of_a_tenant_is_kept
            ],
            /// Two tenants may have one slug.
            slug_given_twice_is_noticed, SlugGivenTwice: [tenant_slug_is_unique],
            /// Any slug will do.
            any_slug_is_noticed, AnySlug: [malformed_slug_is_refused],
            /// A slug is found in capitals, too.
            slugs_folded_is_noticed, SlugsFolded: [tenant_is_found_by_id_and_slug],
            /// An answer is taken and not kept.
            answer_forgotten_is_noticed, AnswerForgotten: [
                answer_lets_a_waiting_run_go_on answer_while_others_are_asked_is_not_lost approval_is_answered_once
                approvals_are_listed_as_they_were_asked_for end_of_a_run_takes_its_approvals_back
                run_waits_for_an_answer_until_it_is_too_late
            ],
            /// A second answer is taken too, and so is one that comes too late.
            answered_again_is_noticed, AnsweredAgain: [
                approval_is_answered_once end_of_a_run_takes_its_approvals_back run_waits_for_an_answer_until_it_is_too_late
            ],
            /// A question stays open for ever.
            nobody_too_late_is_noticed, NobodyTooLate: [
                answer_lets_a_waiting_run_go_on run_waits_for_an_answer_until_it_is_too_late
            ],
            /// A run that waits again asks again.
            questions_asked_anew_is_noticed, QuestionsAskedAnew: [
                answer_lets_a_waiting_run_go_on answer_while_others_are_asked_is_not_lost approval_is_answered_once
                approvals_are_listed_as_they_were_asked_for end_of_a_run_takes_its_approvals_back
                run_waits_for_an_answer_until_it_is_too_late
            ],
            /// What a run asked stays open when it ends.
            approvals_stay_open_is_noticed, ApprovalsStayOpen: [end_of_a_run_takes_its_approvals_back],
            /// A page of approvals has the newest first.
            approvals_newest_first_is_noticed, ApprovalsNewestFirst: [approvals_are_listed_as_they_were_asked_for],
            /// The tenant is left out of `approval`.
            approval_of_any_tenant_is_noticed, ApprovalOfAnyTenant: [approval_is_answered_once],
            /// A long value loses its last byte.
            sealed_values_cut_is_noticed, SealedValuesCut: [sealed_value_comes_back_as_it_was_kept],
            /// Every value is the first of its name.
            put_always_adds_is_noticed, PutAlwaysAdds: [sealed_value_comes_back_as_it_was_kept],
            /// A value is kept whether its data key is there or not.
            key_of_value_unchecked_is_noticed, KeyOfValueUnchecked: [
                secrets_of_another_tenant_are_not_there value_needs_its_data_key
            ],
            /// A data key goes although values are sealed under it, which stay.
            key_in_use_removed_is_noticed, KeyInUseRemoved: [data_key_in_use_stays value_is_never_left_without_its_key],
            /// There is one page of values.
            secrets_cut_is_noticed, SecretsCut: [secrets_are_walked_in_order secrets_of_another_tenant_are_not_there],
            /// A swap takes effect on whatever is there.
            swap_unchecked_is_noticed, SwapUnchecked: [
                one_of_many_swaps_wins secrets_of_another_tenant_are_not_there swap_needs_what_is_there
                value_needs_its_data_key
            ],
            /// What is not there can be removed.
            removal_forgiven_is_noticed, RemovalForgiven: [
                removed_secret_is_gone secrets_of_another_tenant_are_not_there
            ],
            /// A data key takes the place of another.
            data_key_replaced_is_noticed, DataKeyReplaced: [data_key_number_is_given_once],
            /// A data key is wrapped again whatever wraps it by then.
            rewrap_unchecked_is_noticed, RewrapUnchecked: [data_key_is_wrapped_again_once],
            /// There is one page of data keys.
            data_keys_cut_is_noticed, DataKeysCut: [data_keys_of_all_tenants_are_walked],
            /// The data keys of a tenant outlive its values.
            keys_outlive_values_is_noticed, KeysOutliveValues: [shredding_leaves_nothing],
            /// The tenant is left out of `secret`.
            secret_of_any_tenant_is_noticed, SecretOfAnyTenant: [
                secrets_of_another_tenant_are_not_there shredding_leaves_nothing
            ],
            /// What is malformed is passed over.
            malformed_secret_passed_over_is_noticed, MalformedSecretPassedOver: [malformed_secret_is_refused],
            /// No webhook is told of anything.
            nothing_told_is_noticed, NothingTold: [
                commit_made_again_tells_once deliveries_of_a_run_are_taken_in_order delivery_is_taken_by_one
                delivery_that_nobody_settles_is_taken_again event_that_a_webhook_asks_for_is_delivered
                late_answer_of_an_attempt_changes_nothing retry_waits_for_its_time webhook_is_told_only_what_it_asks_for
            ],
            /// Every webhook is told, whatever it asks for.
            everybody_told_is_noticed, EverybodyTold: [
                deliveries_of_a_run_are_taken_in_order delivery_is_taken_by_one delivery_that_nobody_settles_is_taken_again
                event_that_a_webhook_asks_for_is_delivered late_answer_of_an_attempt_changes_nothing retry_waits_for_its_time
                webhook_is_told_only_what_it_asks_for
            ],
            /// Webhooks are told of commits that did not take effect.
            refused_told_is_noticed, RefusedTold: [refused_commit_tells_nobody],
            /// Webhooks are told again of a commit that is made again.
            repeated_told_is_noticed, RepeatedTold: [commit_made_again_tells_once],
            /// A delivery is given to whoever asks.
            delivery_not_leased_is_noticed, DeliveryNotLeased: [
                deliveries_of_a_run_are_taken_in_order delivery_is_taken_by_one delivery_that_nobody_settles_is_taken_again
            ],
            /// A delivery that nobody settles is lost.
            delivery_leased_for_ever_is_noticed, DeliveryLeasedForEver: [
                delivery_that_nobody_settles_is_taken_again late_answer_of_an_attempt_changes_nothing
            ],
            /// What is told of a run comes in any order.
            order_of_deliveries_ignored_is_noticed, OrderOfDeliveriesIgnored: [deliveries_of_a_run_are_taken_in_order],
            /// What failed is tried again at once.
            retried_at_once_is_noticed, RetriedAtOnce: [deliveries_of_a_run_are_taken_in_order retry_waits_for_its_time],
            /// Any attempt settles a delivery.
            late_answer_counts_is_noticed, LateAnswerCounts: [late_answer_of_an_attempt_changes_nothing],
            /// A delivery is added over another.
            delivery_added_twice_is_noticed, DeliveryAddedTwice: [delivery_can_be_added_and_sent_again],
            /// What is to be sent again is not.
            sent_again_in_name_is_noticed, SentAgainInName: [
                delivery_can_be_added_and_sent_again late_answer_of_an_attempt_changes_nothing
            ],
            /// Deliveries are listed from the oldest on.
            oldest_delivery_first_is_noticed, OldestDeliveryFirst: [
                deliveries_are_listed_newest_first event_that_a_webhook_asks_for_is_delivered
                news_of_changes_are_delivered_with_them
            ],
            /// The tenant is left out of `deliveries`.
            deliveries_of_any_tenant_is_noticed, DeliveriesOfAnyTenant: [deliveries_of_another_tenant_are_not_there],
            /// Old deliveries stay.
            nothing_forgotten_is_noticed, NothingForgotten: [old_deliveries_are_forgotten],
            /// News that changes carry are not told.
            news_dropped_is_noticed, NewsDropped: [
                news_of_changes_are_delivered_with_them news_of_refused_changes_are_not_told
            ],
            /// Webhooks are told of changes that are refused.
            refused_news_told_is_noticed, RefusedNewsTold: [news_of_refused_changes_are_not_told],
            /// What changes carry for the audit log is not kept.
            audit_dropped_is_noticed, AuditDropped: [
                audit_entries_of_changes_are_kept_with_them audit_entries_of_refused_changes_are_not_kept
            ],
            /// Changes that are refused are in the audit log.
            refused_audited_is_noticed, RefusedAudited: [audit_entries_of_refused_changes_are_not_kept],
            /// That something was erased is not in the audit log.
            erasure_not_audited_is_noticed, ErasureNotAudited: [erasure_leaves_an_audit_entry],
            /// The audit log of anybody is asked for.
            audited_actors_ignored_is_noticed, AuditedActorsIgnored: [
                audit_log_is_listed_newest_first_by_what_is_asked
            ],
            /// The tenant is left out of `audit_log`.
            audit_of_any_tenant_is_noticed, AuditOfAnyTenant: [audit_log_of_another_tenant_is_empty],
            /// That a key was replaced is not in the audit log.
            keys_not_audited_is_noticed, KeysNotAudited: [what_is_done_to_api_keys_is_audited],
            /// A key is added over another.
            api_key_added_twice_is_noticed, ApiKeyAddedTwice: [
                api_key_is_added_once what_is_done_to_api_keys_is_audited
            ],
            /// A key may do everything.
            scopes_forgotten_is_noticed, ScopesForgotten: [
                api_key_is_added_once api_key_is_found_by_its_hash api_key_is_replaced_as_a_whole
                api_key_is_revoked_once
            ],
            /// The tenant is left out of `api_key`.
            api_key_of_any_tenant_is_noticed, ApiKeyOfAnyTenant: [api_keys_of_another_tenant_are_not_there],
            /// Keys are listed from the oldest on.
            oldest_api_key_first_is_noticed, OldestApiKeyFirst: [api_keys_are_listed_newest_first],
            /// Keys that are refused are not listed.
            revoked_api_keys_hidden_is_noticed, RevokedApiKeysHidden: [api_keys_are_listed_newest_first],
            /// A key is replaced in two transactions.
            api_key_replaced_in_halves_is_noticed, ApiKeyReplacedInHalves: [
                api_key_is_replaced_as_a_whole what_is_done_to_api_keys_is_audited
            ],
            /// A key is revoked again.
            api_key_revoked_twice_is_noticed, ApiKeyRevokedTwice: [
                api_key_is_replaced_as_a_whole api_key_is_revoked_once what_is_done_to_api_keys_is_audited
            ],
            /// That a key was used is not kept.
            use_of_api_keys_forgotten_is_noticed, UseOfApiKeysForgotten: [use_of_api_keys_is_noted],
            /// What was answered is not kept.
            answers_forgotten_is_noticed, AnswersForgotten: [
                effect_of_a_request_is_committed_once request_is_remembered_for_a_day
                request_that_was_answered_is_answered_again
            ],
            /// Everybody attempts a request.
            requests_attempted_by_many_is_noticed, RequestsAttemptedByMany: [
                old_requests_are_forgotten request_is_attempted_by_one request_is_remembered_for_a_day
            ],
            /// A key is for any request.
            any_request_under_a_key_is_noticed, AnyRequestUnderAKey: [key_of_another_request_is_refused],
            /// A request that is given up is kept.
            nothing_given_up_is_noticed, NothingGivenUp: [
                late_attempt_at_a_request_changes_nothing request_that_is_given_up_can_be_made
                request_that_was_answered_is_answered_again requests_of_tenants_have_nothing_to_do_with_each_other
            ],
            /// The tenant is left out of requests.
            requests_of_one_tenant_is_noticed, RequestsOfOneTenant: [
                requests_of_tenants_have_nothing_to_do_with_each_other
            ],
            /// Old requests stay.
            requests_never_forgotten_is_noticed, RequestsNeverForgotten: [old_requests_are_forgotten],
            /// What a request did is not kept.
            effects_not_remembered_is_noticed, EffectsNotRemembered: [
                effect_of_a_request_is_committed_once late_attempt_at_a_request_changes_nothing
                requests_of_tenants_have_nothing_to_do_with_each_other
            ],
            /// Only the first of what was used counts.
            usage_counted_once_is_noticed, UsageCountedOnce: [
                usage_adds_up_by_day usage_of_another_tenant_is_not_told
            ],
            /// The tenant is left out of what is used.
            usage_of_one_tenant_is_noticed, UsageOfOneTenant: [usage_of_another_tenant_is_not_told],
            /// There is one window for all times.
            quota_never_full_is_noticed, QuotaNeverFull: [
                quota_is_full_again_in_the_next_window quota_is_never_exceeded quota_that_is_given_back_can_be_taken
            ],
            /// Everybody gets what they ask for.
            quota_not_kept_is_noticed, QuotaNotKept: [
                quota_is_full_again_in_the_next_window quota_is_never_exceeded quota_that_is_given_back_can_be_taken
            ],
            /// What is given back is lost.
            nothing_given_back_is_noticed, NothingGivenBack: [quota_that_is_given_back_can_be_taken],
            /// Runs whose time has not come wait for a worker.
            delayed_runs_queue_is_noticed, DelayedRunsQueue: [queues_are_counted_by_blueprint],
        }
    };
}
