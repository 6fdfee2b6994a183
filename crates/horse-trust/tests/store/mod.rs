//! What every engine's store does. [`suite`] makes a test of each check for an engine.

mod accounts;
mod audit;
mod changes;
mod counts;
mod delivery;
mod ends;
mod erasure;
mod listings;
mod lists;
mod messages;
mod model;
mod outbox;
mod platform;
mod reports;
mod standing;

use std::future::Future;
use std::sync::Arc;

use self::accounts::{accounts_have_an_email_each, blocks_go_one_way_and_hide_both};
use self::audit::what_admins_change_is_noted;
use self::changes::{
    a_reply_shows_what_its_message_now_says, messages_can_be_edited_and_deleted_for_some_time,
    what_the_platform_keeps_with_a_message_stays_until_it_is_deleted,
};
use self::delivery::{
    a_client_id_names_one_message, a_repeat_of_a_changed_message_finds_it, how_far_conversations_go_is_known,
    reading_marks_what_the_other_wrote, receipts_never_go_back, unread_counts_follow_each_write,
    what_was_missed_is_known,
};
use self::ends::after_the_close_appends_fail;
use self::erasure::an_erasure_takes_all_and_can_be_repeated;
use self::listings::the_newer_listing_of_a_conversation_and_its_horse_counts;
use self::lists::{
    lists_come_in_pages, nobody_sees_what_the_other_opened_and_never_wrote_in,
    settings_are_each_participants_own, the_list_has_the_newest_first,
    two_have_one_conversation_about_a_horse,
};
use self::messages::{
    a_text_with_u0000_is_kept_or_fails_alone, messages_are_read_by_pages_of_bounded_bytes,
    messages_come_back_as_they_were_stored, pages_count_from_the_newest, slices_have_no_holes,
    two_who_write_at_once_see_one_order, what_is_sent_without_waiting_keeps_its_order,
    what_was_committed_before_was_told,
};
use self::outbox::{
    beyond_a_bound_the_oldest_events_are_given_up, events_behind_one_that_failed_wait_for_it,
    what_was_given_up_is_listed_and_tried_anew,
};
use self::platform::{
    a_batch_counts_what_each_has_to_read, what_the_platform_says_is_for_both_to_read,
    what_the_platform_takes_back_is_unread_by_nobody, without_a_window_a_message_of_any_age_is_deleted,
};
use self::reports::{
    reports_are_decided_and_listed_by_what_became_of_them, reports_keep_what_was_said,
    what_was_said_around_a_message_is_found,
};
use self::standing::{
    changes_of_users_are_followed, revocations_count_by_the_store, tokens_are_made_void_one_by_one,
    whose_tokens_are_not_accepted_is_known,
};
use crate::fixture::store::{AnyStore, Place};

/// Gives a check a store of its own.
async fn with_store<F: Future<Output = ()>>(engine: &str, check: impl FnOnce(AnyStore) -> F) {
    let place = Place::new(engine).await;
    let store = place.open().await;
    check(Arc::clone(&store)).await;
    store.close().await;
}

suite!(
    over [sqlite, postgresql],
    with with_store,
    [
        messages_come_back_as_they_were_stored,
        a_text_with_u0000_is_kept_or_fails_alone,
        pages_count_from_the_newest,
        the_newer_listing_of_a_conversation_and_its_horse_counts,
        what_is_sent_without_waiting_keeps_its_order,
        two_who_write_at_once_see_one_order,
        reading_marks_what_the_other_wrote,
        the_list_has_the_newest_first,
        nobody_sees_what_the_other_opened_and_never_wrote_in,
        lists_come_in_pages,
        settings_are_each_participants_own,
        two_have_one_conversation_about_a_horse,
        accounts_have_an_email_each,
        after_the_close_appends_fail,
        a_client_id_names_one_message,
        a_repeat_of_a_changed_message_finds_it,
        unread_counts_follow_each_write,
        slices_have_no_holes,
        what_was_missed_is_known,
        messages_are_read_by_pages_of_bounded_bytes,
        what_was_committed_before_was_told,
        how_far_conversations_go_is_known,
        messages_can_be_edited_and_deleted_for_some_time,
        a_reply_shows_what_its_message_now_says,
        what_the_platform_keeps_with_a_message_stays_until_it_is_deleted,
        what_the_platform_says_is_for_both_to_read,
        what_the_platform_takes_back_is_unread_by_nobody,
        without_a_window_a_message_of_any_age_is_deleted,
        a_batch_counts_what_each_has_to_read,
        receipts_never_go_back,
        blocks_go_one_way_and_hide_both,
        reports_keep_what_was_said,
        reports_are_decided_and_listed_by_what_became_of_them,
        what_was_said_around_a_message_is_found,
        revocations_count_by_the_store,
        tokens_are_made_void_one_by_one,
        changes_of_users_are_followed,
        whose_tokens_are_not_accepted_is_known,
        what_admins_change_is_noted,
        an_erasure_takes_all_and_can_be_repeated,
        events_behind_one_that_failed_wait_for_it,
        beyond_a_bound_the_oldest_events_are_given_up,
        what_was_given_up_is_listed_and_tried_anew,
    ]
);
