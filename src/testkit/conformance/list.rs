//! Checks of lists and stats.

use super::checker::{Checker, SCOPE, new_image, new_owner, scopes, unique};
use crate::{
    backend::MediaBackend,
    error::ErrorKind,
    media::{ListOptions, Media, MediaStats, Upload},
    owner::Owner,
};

impl<B: MediaBackend> Checker<'_, B> {
    async fn upload_some(&self, owner: &Owner, count: usize) -> Vec<Media> {
        let mut uploaded = Vec::new();
        for _ in 0..count {
            uploaded.push(self.upload_new(owner, SCOPE).await);
        }
        uploaded
    }
}

/// Newer records come before older ones, within a page and across pages.
pub(super) async fn list_is_newest_first<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    check.upload_some(&owner, 7).await;
    for limit in [2, 50] {
        let listed = check.list(&owner, ListOptions::new().with_limit(limit)).await;
        check.equal("the number of records", listed.len(), 7);
        let sorted = listed.is_sorted_by(|newer, older| newer.created_at >= older.created_at);
        check.holds(sorted, format_args!("an older record comes first, with pages of {limit}"));
    }
}

/// A list with scopes has only records that are owned in one of them, each once.
pub(super) async fn list_filters_by_scope<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, shared) = (new_owner(), new_image());
    let a = check.upload_new(&owner, "a").await.id;
    let b = check.upload_new(&owner, "b").await.id;
    let upload = |scope: &str| Upload::new(shared.clone()).scope(scope);
    let ab = check.upload(&owner, upload("a")).await.id;
    check.upload(&owner, upload("b")).await;
    for (asked, expected) in [
        (scopes(["a"]), vec![&a, &ab]),
        (scopes(["b"]), vec![&b, &ab]),
        (scopes(["a", "b"]), vec![&a, &b, &ab]),
        (scopes(["b", "c"]), vec![&b, &ab]),
        (scopes(["c"]), vec![]),
    ] {
        for limit in [1, 50] {
            let options = ListOptions::new().with_scopes(asked.clone()).with_limit(limit);
            let listed = check.list_ids(&owner, options).await;
            check.same_ids(format_args!("the list of {asked:?}"), &listed, expected.clone());
        }
    }
}

/// All pages together list each record once, for every page size.
pub(super) async fn pages_list_each_record_once<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let uploaded = check.upload_some(&owner, 6).await;
    for limit in [1, 2, 5, 6, 7, 500] {
        let listed = check.list_ids(&owner, ListOptions::new().with_limit(limit)).await;
        let what = format!("the pages of {limit}");
        check.same_ids(what, &listed, uploaded.iter().map(|media| &media.id));
    }
    check.has_nothing(&new_owner()).await;
}

/// Records that exist from the first page to the last are listed once, while other media is deleted and
/// uploaded in between, including the last record of a page.
pub(super) async fn pages_are_stable_under_changes<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    check.upload_some(&owner, 9).await;
    let first = ListOptions::new().with_limit(3);
    let page = check.ok("the first page", check.backend.list(&owner, &first).await);
    check.equal("the length of the first page", page.items.len(), 3);
    let rest = check.list_ids(&owner, ListOptions::new()).await;
    let rest: Vec<_> =
        rest.iter().filter(|id| page.items.iter().all(|seen| seen.id != **id)).collect();

    for seen in [&page.items[0], &page.items[2]] {
        check.equal("the deletion", check.delete(&owner, &seen.id).await, true);
    }
    let new = check.upload_new(&owner, SCOPE).await;
    let Some(next) = page.next else { check.fail("the first of three pages has no next page") };
    let mut later = check.list_ids(&owner, first.with_after(next)).await;
    // A record that was uploaded in between may be listed or not.
    later.remove(&new.id);
    check.same_ids("the later pages", &later, rest);
}

/// An unknown page token is refused, and not treated as the first page.
pub(super) async fn unknown_page_token_is_refused<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    check.upload_new(&owner, SCOPE).await;
    for next in ["", "no such page", "-1", "null", "' OR 1=1 --", &unique()] {
        let listed = check.backend.list(&owner, &ListOptions::new().with_after(next)).await;
        check.fails(format_args!("a list after {next:?}"), listed, ErrorKind::InvalidInput);
    }
}

/// The stats are those of the whole list, after each upload and each deletion.
pub(super) async fn stats_agree_with_list<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, shared) = (new_owner(), new_image());
    let agree = async || {
        let listed = check.list(&owner, ListOptions::new().with_limit(2)).await;
        let bytes = listed.iter().map(|media| media.size).sum();
        let expected = MediaStats::new(listed.len() as u64, bytes);
        check.equal("the stats", check.stats(&owner).await, expected);
    };
    agree().await;
    for scope in ["a", "b", "a"] {
        check.upload_new(&owner, scope).await;
        check.upload(&owner, Upload::new(shared.clone()).scope(scope)).await;
        check.upload(&new_owner(), Upload::new(shared.clone()).scope(scope)).await;
        agree().await;
    }
    for media in check.list(&owner, ListOptions::new()).await {
        check.delete(&owner, &media.id).await;
        agree().await;
    }
    check.equal("the last stats", check.stats(&owner).await, MediaStats::default());
}
