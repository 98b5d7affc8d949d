//! The conformance checks over the protocol of the original service.

use std::collections::BTreeSet;

use tower_media::{Remote, testkit::conformance};

use super::service::Service;

/// The checks that `remote` fails, with their messages.
macro_rules! failing {
    ($remote:expr; $($check:ident)*) => {{
        let mut failing = Vec::new();
        $(
            let remote = $remote.clone();
            let check = tokio::spawn(async move { conformance::$check(&remote).await });
            if let Err(error) = check.await {
                let message = *error.into_panic().downcast::<String>().unwrap();
                failing.push((stringify!($check), message));
            }
        )*
        failing
    }};
}

async fn failing(service: &Service) -> Vec<(&'static str, String)> {
    let public = format!("{}/api/v1", service.url);
    let remote = Remote::builder(&service.url).public_url(public).build().unwrap();
    failing! { remote;
        upload_is_owned_and_listed_at_once upload_is_described upload_in_pieces_is_whole
        upload_from_a_file_is_whole empty_upload_is_kept_or_refused equal_bytes_are_one_record
        equal_uploads_at_once_are_one_record invalid_scope_is_refused
        broken_upload_leaves_nothing dropped_upload_leaves_nothing
        original_is_what_was_uploaded a_range_is_these_bytes_or_the_whole
        a_range_without_bytes_is_refused_or_the_whole rendition_is_never_the_original
        unknown_media_is_not_found
        urls_name_the_media_alone
        removed_media_are_gone removal_by_another_owner_is_nothing upload_after_removal_is_new
        pages_give_each_once list_is_newest_first list_keeps_to_scopes
        pages_hold_while_media_come_and_go unknown_page_is_refused stats_agree_with_list
        owned_answers_exactly owned_in_any_of_the_scopes repeats_in_the_question_change_nothing
        ids_are_compared_by_bytes explanation_agrees_with_answer
        equal_bytes_of_two_owners_stay_apart removal_leaves_what_others_have owners_never_collide
        scopes_never_collide content_is_found_while_somebody_has_it
        removal_for_any_owner_takes_one_record
    }
}

#[tokio::test]
async fn remote_passes_conformance_except_for_these_checks() {
    for service in [Service::start().await, Service::with_owned_route().await] {
        let failing = failing(&service).await;
        let names: BTreeSet<&str> = failing.iter().map(|(name, _)| *name).collect();
        let expected = BTreeSet::from([
            // Equal bytes of all owners are one record with one id, name and date.
            "equal_bytes_of_two_owners_stay_apart",
            // A deletion affects all owners.
            "removal_by_another_owner_is_nothing",
            "removal_leaves_what_others_have",
            "removal_for_any_owner_takes_one_record",
            "content_is_found_while_somebody_has_it",
            // Both of these, and the protocol has no tenants.
            "owners_never_collide",
            // Pages start at an offset, which shifts when an earlier record is deleted.
            "pages_hold_while_media_come_and_go",
            // A broken image is 500, like a broken service.
            "rendition_is_never_the_original",
        ]);
        assert_eq!(names, expected, "{failing:#?}");
    }
}
