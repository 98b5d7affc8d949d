//! The conformance suite accepts the crate's backends and detects faulty ones.

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
async fn a_backend_in_use_can_be_checked_again() {
    let backend = InMemory::new();
    let (once, again) = (backend.clone(), backend.clone());
    let runs = [tokio::spawn(check(once)), tokio::spawn(check(again))];
    for run in runs {
        run.await.unwrap();
    }
    conformance::run(&backend).await;
}

#[tokio::test]
async fn a_backend_may_store_images_only() {
    conformance::run(&Broken::new(Fault::KeepsPicturesOnly)).await;
}

async fn check(backend: impl MediaBackend) {
    conformance::run(&backend).await;
}

/// Returns the name of the failed check from the panic message.
async fn caught_by(fault: Fault) -> String {
    let panicked = tokio::spawn(check(Broken::new(fault))).await.unwrap_err().into_panic();
    let message = panicked.downcast::<String>().unwrap();
    let name = message.strip_prefix("conformance check `").and_then(|rest| rest.split_once('`'));
    name.unwrap_or_else(|| panic!("{fault:?} is caught without a name: {message}")).0.to_owned()
}

#[tokio::test]
async fn each_fault_is_detected_by_the_check_for_it() {
    let mut wrong = Vec::new();
    for (fault, check) in [
        (Fault::AnswersSurplus, "upload_is_owned_and_listed_at_once"),
        (Fault::HidesAnOwnedId, "ownership_answer_is_exact"),
        (Fault::HidesBehindFiveHundred, "ownership_answer_is_exact"),
        (Fault::FailsOnUnknown, "equal_bytes_are_one_record"),
        (Fault::FailsOnNothing, "upload_is_owned_and_listed_at_once"),
        (Fault::IgnoresScopes, "equal_bytes_are_one_record"),
        (Fault::AsksTheFirstScopeOnly, "ownership_in_any_scope_counts"),
        (Fault::AnswersOncePerRepeat, "repeated_ids_change_nothing"),
        (Fault::FoldsIds, "ids_are_compared_by_bytes"),
        (Fault::ExplainsAllAsOwned, "explanation_is_true"),
        (Fault::ListsTwice, "upload_is_owned_and_listed_at_once"),
        (Fault::ListsOldestFirst, "list_is_newest_first"),
        (Fault::ListIgnoresScopes, "list_filters_by_scope"),
        (Fault::LosesOneBetweenPages, "pages_list_each_record_once"),
        (Fault::PagesByOffset, "pages_are_stable_under_changes"),
        (Fault::AcceptsAnyPage, "unknown_page_token_is_refused"),
        (Fault::CountsWrongly, "upload_is_owned_and_listed_at_once"),
        (Fault::RemovesForeign, "another_owner_cannot_delete"),
        (Fault::RemovesAlways, "deleted_media_is_unknown"),
        (Fault::RemembersRemoved, "deleted_media_is_unknown"),
        (Fault::RemovesForAll, "deletion_leaves_other_owners_records"),
        (Fault::ScopeDeletionDeletesAll, "deletion_from_scope_keeps_other_scopes"),
        (Fault::ScopeDeletionIsAlwaysTrue, "deletion_from_scope_keeps_other_scopes"),
        (Fault::ScopeDeletionKeepsTheRecord, "deletion_from_scope_keeps_other_scopes"),
        (Fault::ScopeDeletionIgnoresTheOwner, "deletion_from_scope_leaves_other_owners"),
        (Fault::ScopeDeletionDeletesOtherOwners, "deletion_from_scope_leaves_other_owners"),
        (Fault::KeepsBroken, "failed_upload_leaves_nothing"),
        (Fault::KeepsDropped, "dropped_upload_leaves_nothing"),
        (Fault::AcceptsInvalidScope, "invalid_scope_is_refused"),
        (Fault::EndsAtEmptyPiece, "chunked_upload_is_whole"),
        (Fault::ReordersPieces, "chunked_upload_is_whole"),
        (Fault::NewIdPerUpload, "equal_bytes_are_one_record"),
        (Fault::RacesItself, "concurrent_equal_uploads_are_one_record"),
        (Fault::FailsOnEmpty, "empty_upload_is_kept_or_refused"),
        (Fault::RevivesScopes, "upload_after_deletion_is_new"),
        (Fault::OneIdForAll, "equal_bytes_of_two_owners_stay_apart"),
        (Fault::TellsTheFirstName, "equal_bytes_of_two_owners_stay_apart"),
        (Fault::TellsTheFirstDate, "equal_bytes_of_two_owners_stay_apart"),
        (Fault::SubjectOnly, "another_owner_cannot_delete"),
        (Fault::JoinsOwners, "similar_owners_stay_apart"),
        (Fault::FoldsOwners, "similar_owners_stay_apart"),
        (Fault::FoldsScopes, "similar_scopes_stay_apart"),
        (Fault::WrongHash, "record_describes_the_upload"),
        (Fault::WrongType, "original_is_returned_unchanged"),
        (Fault::TruncatesOriginals, "chunked_upload_is_whole"),
        (Fault::OriginalAsRendition, "rendition_is_never_the_original"),
        (Fault::HidesThePart, "range_returns_its_bytes_or_the_whole"),
        (Fault::MovesThePart, "range_returns_its_bytes_or_the_whole"),
        (Fault::UnsatisfiableIsEmpty, "range_beyond_the_end_is_refused_or_the_whole"),
        (Fault::ForgetsFiles, "upload_from_path_is_whole"),
        (Fault::UnknownIsUnavailable, "unknown_media_is_not_found"),
        (Fault::UrlsWithoutId, "urls_reveal_only_the_id"),
        (Fault::UrlsTellTheOwner, "urls_reveal_only_the_id"),
    ] {
        let caught = caught_by(fault).await;
        if caught != check {
            wrong.push(format!("{fault:?} by {caught}, not {check}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn one_check_runs_by_its_name() {
    conformance::run_one(&InMemory::new(), "record_describes_the_upload").await;
    let broken = Broken::new(Fault::WrongHash);
    let check = tokio::spawn(async move {
        conformance::run_one(&broken, "upload_is_owned_and_listed_at_once").await;
        conformance::run_one(&broken, "record_describes_the_upload").await;
    });
    let message = *check.await.unwrap_err().into_panic().downcast::<String>().unwrap();
    assert!(message.contains("check `record_describes_the_upload`: the hash"), "{message}");
}

#[tokio::test]
#[should_panic(expected = "unknown conformance check `no_such_check`; the checks are \
                upload_is_owned_and_listed_at_once, record_describes_the_upload, ")]
async fn unknown_check_panics_with_all_names() {
    conformance::run_one(&InMemory::new(), "no_such_check").await;
}
