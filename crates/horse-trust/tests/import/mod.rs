//! Files of `mongoexport` into an empty store of every engine, in every form that it writes.

mod content;
mod files;
mod forms;
mod place;
mod refusals;

use std::future::Future;

use self::content::{
    dates_in_the_future_are_brought_back, everything_arrives_and_twice_changes_nothing,
    texts_and_ids_stay_as_they_are, what_is_said_here_goes_on_behind_what_was_imported,
    what_is_twice_in_a_file_is_there_once,
};
use self::forms::{
    lines_and_arrays_are_alike, only_what_is_read_has_to_be_right, pretty_records_are_imported,
};
use self::place::Place;
use self::refusals::{
    a_bad_record_is_named_and_nothing_of_its_file_stays, a_store_that_is_served_is_left_alone,
};

async fn with_place<F: Future<Output = ()>>(engine: &str, check: impl FnOnce(Place) -> F) {
    check(Place::new(engine).await).await;
}

suite!(over [sqlite, postgresql], with with_place, [
    everything_arrives_and_twice_changes_nothing,
    lines_and_arrays_are_alike,
    pretty_records_are_imported,
    only_what_is_read_has_to_be_right,
    dates_in_the_future_are_brought_back,
    what_is_said_here_goes_on_behind_what_was_imported,
    texts_and_ids_stay_as_they_are,
    a_bad_record_is_named_and_nothing_of_its_file_stays,
    a_store_that_is_served_is_left_alone,
    what_is_twice_in_a_file_is_there_once,
]);
