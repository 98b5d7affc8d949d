//! The contract of a backend as runnable checks.
//!
//! [`run`] checks what stands under *Behavior* at [`MediaBackend`] and [`Ownership`], one public
//! function for each promise, and panics with the name of the first check that the backend does not
//! pass. Every check makes up its own owners, so a backend that others use at the same time may be
//! checked as well, and the checks may run in any order or side by side. What they upload stays there
//! unless removing it is part of the check: some thousand tiny pictures. One check writes a file
//! to the system's folder for temporary files, and takes it away again.
//!
//! A backend that makes no renditions passes, as long as it says so; so does one that knows no tenants, as
//! long as it refuses owners in one.
//!
//! # Example
//!
//! ```
//! use tower_media::{testkit::conformance, InMemory};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::run(&InMemory::new()).await;
//! # }
//! ```
//!
//! [`Ownership`]: crate::Ownership

mod delivery;
mod lab;
mod list;
mod owned;
mod owners;
mod removal;
mod search;
mod upload;

pub use self::{
    delivery::{
        a_range_is_these_bytes_or_the_whole, a_range_without_bytes_is_refused_or_the_whole,
        original_is_what_was_uploaded, rendition_is_never_the_original, unknown_media_is_not_found,
        urls_name_the_media_alone,
    },
    list::{
        list_is_newest_first, list_keeps_to_scopes, pages_give_each_once,
        pages_hold_while_media_come_and_go, stats_agree_with_list, unknown_page_is_refused,
    },
    owned::{
        explanation_agrees_with_answer, ids_are_compared_by_bytes, owned_answers_exactly,
        owned_in_any_of_the_scopes, repeats_in_the_question_change_nothing,
    },
    owners::{
        equal_bytes_of_two_owners_stay_apart, owners_never_collide,
        removal_leaves_what_others_have, scopes_never_collide,
    },
    removal::{
        removal_by_another_owner_is_nothing, removed_media_are_gone, upload_after_removal_is_new,
    },
    search::{
        a_backend_that_works_is_ready, content_is_found_while_somebody_has_it,
        removal_for_any_owner_takes_one_record, search_agrees_with_list,
    },
    upload::{
        broken_upload_leaves_nothing, dropped_upload_leaves_nothing,
        empty_upload_is_kept_or_refused, equal_bytes_are_one_record,
        equal_uploads_at_once_are_one_record, invalid_scope_is_refused,
        upload_from_a_file_is_whole, upload_in_pieces_is_whole, upload_is_described,
        upload_is_owned_and_listed_at_once,
    },
};

use crate::backend::MediaBackend;

/// Runs every check, one after the other.
///
/// # Panics
///
/// If the backend breaks one of its promises: the message names the check and what was found.
pub async fn run(backend: &impl MediaBackend) {
    upload_is_owned_and_listed_at_once(backend).await;
    upload_is_described(backend).await;
    upload_in_pieces_is_whole(backend).await;
    upload_from_a_file_is_whole(backend).await;
    empty_upload_is_kept_or_refused(backend).await;
    equal_bytes_are_one_record(backend).await;
    equal_uploads_at_once_are_one_record(backend).await;
    invalid_scope_is_refused(backend).await;
    broken_upload_leaves_nothing(backend).await;
    dropped_upload_leaves_nothing(backend).await;

    original_is_what_was_uploaded(backend).await;
    a_range_is_these_bytes_or_the_whole(backend).await;
    a_range_without_bytes_is_refused_or_the_whole(backend).await;
    rendition_is_never_the_original(backend).await;
    unknown_media_is_not_found(backend).await;
    urls_name_the_media_alone(backend).await;

    removed_media_are_gone(backend).await;
    removal_by_another_owner_is_nothing(backend).await;
    upload_after_removal_is_new(backend).await;

    pages_give_each_once(backend).await;
    list_is_newest_first(backend).await;
    list_keeps_to_scopes(backend).await;
    pages_hold_while_media_come_and_go(backend).await;
    unknown_page_is_refused(backend).await;
    stats_agree_with_list(backend).await;
    search_agrees_with_list(backend).await;

    owned_answers_exactly(backend).await;
    owned_in_any_of_the_scopes(backend).await;
    repeats_in_the_question_change_nothing(backend).await;
    ids_are_compared_by_bytes(backend).await;
    explanation_agrees_with_answer(backend).await;

    equal_bytes_of_two_owners_stay_apart(backend).await;
    removal_leaves_what_others_have(backend).await;
    owners_never_collide(backend).await;
    scopes_never_collide(backend).await;
    content_is_found_while_somebody_has_it(backend).await;
    removal_for_any_owner_takes_one_record(backend).await;

    a_backend_that_works_is_ready(backend).await;
}
