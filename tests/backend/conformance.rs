//! The conformance suite passes the backends of the crate and catches those that are broken.

use tower_media::{
    InMemory,
    backend::MediaBackend,
    testkit::{Faulty, conformance},
};

use super::{
    broken::{Broken, Fault},
    support::Watched,
};

#[tokio::test]
async fn memory_conforms() {
    conformance::run(&InMemory::new()).await;
}

#[tokio::test]
async fn decorators_conform() {
    conformance::run(&Faulty::new(InMemory::new())).await;
    conformance::run(&Watched::default()).await;
}

#[tokio::test]
async fn a_backend_may_be_checked_again_while_it_is_in_use() {
    let backend = InMemory::new();
    let (once, again) = (backend.clone(), backend.clone());
    let runs = [tokio::spawn(check(once)), tokio::spawn(check(again))];
    for run in runs {
        run.await.unwrap();
    }
    conformance::run(&backend).await;
}

#[tokio::test]
async fn a_backend_may_keep_pictures_only() {
    conformance::run(&Broken::new(Fault::KeepsPicturesOnly)).await;
}

async fn check(backend: impl MediaBackend) {
    conformance::run(&backend).await;
}

/// The name of the check that caught the fault, taken from the panic.
async fn caught_by(fault: Fault) -> String {
    let panicked = tokio::spawn(check(Broken::new(fault))).await.unwrap_err().into_panic();
    let message = panicked.downcast::<String>().unwrap();
    let name = message.strip_prefix("conformance check `").and_then(|rest| rest.split_once('`'));
    name.unwrap_or_else(|| panic!("{fault:?} is caught without a name: {message}")).0.to_owned()
}

#[tokio::test]
async fn every_broken_promise_is_caught_by_the_check_of_its_name() {
    let mut wrong = Vec::new();
    for (fault, check) in [
        (Fault::AnswersSurplus, "upload_is_owned_and_listed_at_once"),
        (Fault::HidesAnOwnedId, "owned_answers_exactly"),
        (Fault::HidesBehindFiveHundred, "owned_answers_exactly"),
        (Fault::FailsOnUnknown, "equal_bytes_are_one_record"),
        (Fault::FailsOnNothing, "upload_is_owned_and_listed_at_once"),
        (Fault::IgnoresScopes, "equal_bytes_are_one_record"),
        (Fault::AsksTheFirstScopeOnly, "owned_in_any_of_the_scopes"),
        (Fault::AnswersOncePerRepeat, "repeats_in_the_question_change_nothing"),
        (Fault::FoldsIds, "ids_are_compared_by_bytes"),
        (Fault::ExplainsAllAsOwned, "explanation_agrees_with_answer"),
        (Fault::ListsTwice, "upload_is_owned_and_listed_at_once"),
        (Fault::ListsOldestFirst, "list_is_newest_first"),
        (Fault::ListIgnoresScopes, "list_keeps_to_scopes"),
        (Fault::LosesOneBetweenPages, "pages_give_each_once"),
        (Fault::PagesByOffset, "pages_hold_while_media_come_and_go"),
        (Fault::AcceptsAnyPage, "unknown_page_is_refused"),
        (Fault::CountsWrongly, "upload_is_owned_and_listed_at_once"),
        (Fault::RemovesForeign, "removal_by_another_owner_is_nothing"),
        (Fault::RemovesAlways, "removed_media_are_gone"),
        (Fault::RemembersRemoved, "removed_media_are_gone"),
        (Fault::RemovesForAll, "removal_leaves_what_others_have"),
        (Fault::KeepsBroken, "broken_upload_leaves_nothing"),
        (Fault::KeepsDropped, "dropped_upload_leaves_nothing"),
        (Fault::AcceptsInvalidScope, "invalid_scope_is_refused"),
        (Fault::EndsAtEmptyPiece, "upload_in_pieces_is_whole"),
        (Fault::ReordersPieces, "upload_in_pieces_is_whole"),
        (Fault::NewIdPerUpload, "equal_bytes_are_one_record"),
        (Fault::RacesItself, "equal_uploads_at_once_are_one_record"),
        (Fault::FailsOnEmpty, "empty_upload_is_kept_or_refused"),
        (Fault::RevivesScopes, "upload_after_removal_is_new"),
        (Fault::OneIdForAll, "equal_bytes_of_two_owners_stay_apart"),
        (Fault::TellsTheFirstName, "equal_bytes_of_two_owners_stay_apart"),
        (Fault::TellsTheFirstDate, "equal_bytes_of_two_owners_stay_apart"),
        (Fault::SubjectOnly, "removal_by_another_owner_is_nothing"),
        (Fault::JoinsOwners, "owners_never_collide"),
        (Fault::FoldsOwners, "owners_never_collide"),
        (Fault::FoldsScopes, "scopes_never_collide"),
        (Fault::WrongHash, "upload_is_described"),
        (Fault::WrongType, "original_is_what_was_uploaded"),
        (Fault::TruncatesOriginals, "upload_in_pieces_is_whole"),
        (Fault::OriginalAsRendition, "rendition_is_never_the_original"),
        (Fault::HidesThePart, "a_range_is_these_bytes_or_the_whole"),
        (Fault::MovesThePart, "a_range_is_these_bytes_or_the_whole"),
        (Fault::UnsatisfiableIsEmpty, "a_range_without_bytes_is_refused_or_the_whole"),
        (Fault::ForgetsFiles, "upload_from_a_file_is_whole"),
        (Fault::UnknownIsUnavailable, "unknown_media_is_not_found"),
        (Fault::UrlsWithoutId, "urls_name_the_media_alone"),
        (Fault::UrlsTellTheOwner, "urls_name_the_media_alone"),
    ] {
        let caught = caught_by(fault).await;
        if caught != check {
            wrong.push(format!("{fault:?} by {caught}, not {check}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
