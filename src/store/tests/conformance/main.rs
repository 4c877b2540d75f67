//! What the store promises, on SQLite and on PostgreSQL alike: each function here
//! runs on both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admins;
mod adoption;
mod app_passwords;
mod config;
mod contention;
mod deletion;
mod documents;
mod durability;
mod epochs;
mod factors;
mod failures;
mod grants;
mod handles;
mod isolation;
mod janitor;
mod links;
mod login;
mod logouts;
mod opening;
mod people;
mod profiles;
mod provisioned;
mod pushed;
mod rollovers;
mod sealing;
mod shapes;
mod signals;
mod support;
mod sync_states;
mod traces;
mod upgrade;
mod upstream_tokens;

/// Makes a test of each function for each database.
macro_rules! on_both {
    ($module:ident: $($test:ident),+ $(,)?) => {
        mod $module {
            mod sqlite {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(crate::support::Database::sqlite()).await;
                })+
            }
            mod postgres {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(crate::support::Database::postgres().await).await;
                })+
            }
        }
    };
}

mod run {
    on_both!(login: a_login_is_stored_and_read_back, a_failed_guard_undoes_the_whole_unit, sessions_live_and_end,
        a_session_is_renewed_in_place, a_one_time_key_counts_until_it_expires, many_units_commit_together);
    on_both!(grants: a_code_is_redeemed_once, refresh_tokens_rotate, an_old_refresh_token_revokes_the_family,
        a_refresh_family_ends, a_rotation_keeps_what_the_grant_is_by_then, standing_says_what_stops_a_grant, ending_a_session_spares_offline_access,
        an_expired_session_has_ended,        tokens_are_revoked_by_themselves);
    on_both!(config: what_is_put_is_loaded, a_change_is_whole_or_not_at_all, a_stale_version_conflicts,
        people_hold_their_tenant_and_connection, deleting_takes_everything_along, a_domain_moves_between_tenants,
        another_process_sees_a_change, a_tenant_that_cannot_be_read_says_what_is_off,
        a_version_that_went_back_is_read_whole, a_change_is_read_past_a_pool_that_is_used_up, one_of_many_parallel_changes_wins);
    on_both!(admins: administrators_are_made_once, a_setup_code_is_good_once, api_keys_are_made_and_revoked,
        a_rotation_keeps_the_text_before_for_a_while, one_of_many_uses_or_rotations_wins, tenants_take_theirs_along,
        nothing_in_the_store_lets_anybody_in);
    on_both!(contention: one_redemption_wins, one_rotation_wins, one_replay_wins, one_link_wins,
        every_joiner_is_told_or_refused);
    on_both!(epochs: kills_are_numbered_and_found, a_killed_person_keeps_nothing,
        no_number_is_seen_before_those_below_it, changes_are_told_at_once, kills_go_with_what_they_killed);
    on_both!(links: a_person_has_several_logins, an_identity_that_was_unlinked_leaves_a_tombstone,
        a_proof_is_bound_once_and_used_once, a_proof_dies_with_what_it_hangs_on, one_of_many_uses_of_a_proof_wins,
        one_of_many_proofs_of_one_subject_wins, two_unlinks_leave_one_login,
        no_login_outruns_its_unlink, a_blocked_subject_that_is_linked_still_is_refused, scopes_are_noted_once);
    on_both!(people: sessions_and_grants_of_a_person, consents_are_kept_and_forgotten, a_consent_is_held_as_it_was_read,
        no_login_outruns_a_forgotten_consent, an_address_is_found_by_its_hash);
    on_both!(profiles: what_is_said_last_is_kept, who_is_kept_out_is_killed_once, a_sweep_finds_who_was_not_seen,
        changes_are_found_by_their_time, a_lost_login_takes_its_profile_along, people_are_read_page_by_page,
        a_number_is_nobody_elses_ever, no_number_is_given_twice);
    on_both!(adoption: a_record_becomes_whose_login_shows_it, a_record_is_taken_by_one_and_from_nobody_else,
        who_is_shut_out_is_out_everywhere,
        who_is_switched_off_meanwhile_does_not_come_in);
    on_both!(pushed: a_record_is_kept_found_and_deleted, a_name_is_one_records, no_update_is_lost, members_come_and_go,
        no_member_is_lost, records_are_read_page_by_page, who_is_switched_off_is_counted_and_ended,
        a_push_is_whole_or_not_at_all, marks_wait_for_the_worker,
        who_marks_many_holds_up_no_other_connection, connections_never_see_each_others_records,
        what_is_pushed_is_sealed);
    on_both!(provisioned: whom_an_app_has_is_kept, many_are_read_page_by_page, one_node_tells_an_app);
    on_both!(sync_states: a_sync_goes_on_where_it_ended, one_of_many_syncs);
    on_both!(factors: an_answer_is_good_once, a_factor_is_its_persons, one_of_many_uses_of_a_code_wins);
    on_both!(app_passwords: each_is_of_one_person_and_one_app, one_that_is_taken_back_is_heard_of,
        a_changed_password_is_heard_of);
    on_both!(failures: nodes_add_up, no_count_is_lost, a_device_is_known_for_its_time, what_counts_no_more_goes);
    on_both!(signals: a_signal_is_made_with_its_unit, a_receiver_is_served_by_one, a_stream_is_its_receivers);
    on_both!(shapes: shapes_add_up, no_shape_is_lost);
    on_both!(upstream_tokens: tokens_are_asked_with_in_turns, one_of_many_takes_the_turn, a_new_login_ends_the_turn,
        tokens_outlive_their_session_for_offline_access, a_killed_person_gives_up_all,
        tokens_that_nobody_needs_are_swept, each_token_is_given_up_to_one_caller);
    on_both!(deletion: a_deleted_person_leaves_tombstones, what_is_deleted_is_named_nowhere,
        the_other_logins_of_a_person_stay);
    on_both!(isolation: tenants_never_see_each_other, nothing_of_a_person_is_seen_by_another_tenant,
        nothing_of_a_directory_is_seen_by_another_tenant, nothing_of_a_password_is_seen_by_another_tenant);
    on_both!(janitor: expired_rows_go_and_others_stay, what_chaining_keeps_goes_when_it_expires, a_grant_outlives_its_longest_token,
        a_bound_that_was_met_is_told);
    on_both!(sealing: secrets_and_claims_are_unreadable, another_master_key_opens_nothing);
    on_both!(documents: documents_come_with_the_configuration, one_of_two_nodes_looks,
        a_document_is_put_in_force_once, what_waits_stays_beside);
    on_both!(logouts: sessions_are_found_by_what_peers_call_them, a_session_is_found_by_each_of_its_upstreams,
        a_logout_tells_everybody_but_its_asker_once, what_upstreams_were_told_is_noted, the_outbox_leases_and_gives_up);
    on_both!(rollovers: sightings_keep_the_first_and_the_last_time, a_partner_that_is_gone_is_left_out,
        rollovers_change_with_the_configuration);
    on_both!(handles: a_handle_is_taken_once, a_persistent_identifier_stays);
    on_both!(traces: traces_are_listed_and_found, traces_are_forgotten);
    on_both!(opening: many_open_a_new_database_together, an_existing_database_is_found_again);
    on_both!(upgrade: a_filled_database_of_the_version_before_is_brought_up_to_date);
    on_both!(durability: a_kill_loses_nothing_that_was_acknowledged, closing_carries_out_what_waits);
}
