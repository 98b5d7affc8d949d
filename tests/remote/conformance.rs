//! Conformance over the recorded protocol, with the checks that it cannot pass.

use std::collections::BTreeSet;

use tower_media::{Remote, testkit::conformance};

use super::service::Service;

const CHECKS: &[&str] = &[
    "upload_is_owned_and_listed_at_once",
    "record_describes_the_upload",
    "chunked_upload_is_whole",
    "upload_from_path_is_whole",
    "empty_upload_is_kept_or_refused",
    "equal_bytes_are_one_record",
    "concurrent_equal_uploads_are_one_record",
    "invalid_scope_is_refused",
    "failed_upload_leaves_nothing",
    "dropped_upload_leaves_nothing",
    "original_is_returned_unchanged",
    "range_returns_its_bytes_or_the_whole",
    "range_beyond_the_end_is_refused_or_the_whole",
    "rendition_is_never_the_original",
    "unknown_media_is_not_found",
    "urls_reveal_only_the_id",
    "deleted_media_is_unknown",
    "another_owner_cannot_delete",
    "upload_after_deletion_is_new",
    "deletion_from_scope_keeps_other_scopes",
    "deletion_from_scope_leaves_other_owners",
    "pages_list_each_record_once",
    "list_is_newest_first",
    "list_filters_by_scope",
    "pages_are_stable_under_changes",
    "unknown_page_token_is_refused",
    "stats_agree_with_list",
    "ownership_answer_is_exact",
    "ownership_in_any_scope_counts",
    "repeated_ids_change_nothing",
    "ids_are_compared_by_bytes",
    "explanation_is_true",
    "equal_bytes_of_two_owners_stay_apart",
    "deletion_leaves_other_owners_records",
    "similar_owners_stay_apart",
    "similar_scopes_stay_apart",
    "record_is_found_by_hash_until_deleted",
    "admin_deletion_deletes_one_record",
];

/// The checks that fail over this service, with their messages.
async fn failing(service: &Service) -> Vec<(&'static str, String)> {
    let public = format!("{}/api/v1", service.url);
    let remote = Remote::builder(&service.url).public_url(public).build().unwrap();
    let mut failing = Vec::new();
    for name in CHECKS {
        let remote = remote.clone();
        let check = tokio::spawn(async move { conformance::run_one(&remote, name).await });
        if let Err(error) = check.await {
            failing.push((*name, *error.into_panic().downcast::<String>().unwrap()));
        }
    }
    failing
}

#[tokio::test]
async fn the_recorded_protocol_fails_only_these_checks() {
    for service in [Service::start().await, Service::with_owned_route().await] {
        let failing = failing(&service).await;
        let names: BTreeSet<&str> = failing.iter().map(|(name, _)| *name).collect();
        let expected = BTreeSet::from([
            // Equal bytes of all owners are one record, with one id, name and date.
            "equal_bytes_of_two_owners_stay_apart",
            // A deletion deletes the record of all owners.
            "another_owner_cannot_delete",
            "deletion_leaves_other_owners_records",
            "admin_deletion_deletes_one_record",
            "record_is_found_by_hash_until_deleted",
            // For both reasons, and because the protocol lacks tenants.
            "similar_owners_stay_apart",
            // Pages begin at an offset, which shifts when an earlier record is deleted.
            "pages_are_stable_under_changes",
            // An image that cannot be decoded is a 500, like a fault of the service.
            "rendition_is_never_the_original",
        ]);
        assert_eq!(names, expected, "{failing:#?}");
    }
}
