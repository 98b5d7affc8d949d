//! What listing and counting promise.

use super::lab::{Lab, SCOPE, new_owner, new_picture, scopes, unique};
use crate::{
    backend::MediaBackend,
    error::ErrorKind,
    media::{ListOptions, Media, MediaStats, Upload},
    owner::Owner,
};

impl<B: MediaBackend> Lab<'_, B> {
    async fn upload_some(&self, owner: &Owner, count: usize) -> Vec<Media> {
        let mut uploaded = Vec::new();
        for _ in 0..count {
            uploaded.push(self.upload_new(owner, SCOPE).await);
        }
        uploaded
    }
}

/// The newest come first, on every page and from page to page.
pub async fn list_is_newest_first(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "list_is_newest_first");
    let owner = new_owner();
    lab.upload_some(&owner, 7).await;
    for limit in [2, 50] {
        let listed = lab.list(&owner, ListOptions::new().with_limit(limit)).await;
        lab.equal("the number of records", listed.len(), 7);
        let sorted = listed.is_sorted_by(|newer, older| newer.created_at >= older.created_at);
        lab.holds(sorted, format_args!("older before newer with pages of {limit}"));
    }
}

/// Only what is owned in one of the scopes asked is listed, and each once.
pub async fn list_keeps_to_scopes(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "list_keeps_to_scopes");
    let (owner, shared) = (new_owner(), new_picture());
    let a = lab.upload_new(&owner, "a").await.id;
    let b = lab.upload_new(&owner, "b").await.id;
    let upload = |scope: &str| Upload::new(shared.clone()).scope(scope);
    let ab = lab.upload(&owner, upload("a")).await.id;
    lab.upload(&owner, upload("b")).await;
    for (asked, expected) in [
        (scopes(["a"]), vec![&a, &ab]),
        (scopes(["b"]), vec![&b, &ab]),
        (scopes(["a", "b"]), vec![&a, &b, &ab]),
        (scopes(["b", "c"]), vec![&b, &ab]),
        (scopes(["c"]), vec![]),
    ] {
        for limit in [1, 50] {
            let options = ListOptions::new().with_scopes(asked.clone()).with_limit(limit);
            let listed = lab.list_ids(&owner, options).await;
            lab.same_ids(format_args!("the list of {asked:?}"), &listed, expected.clone());
        }
    }
}

/// Going from page to page gives each record once, wherever the pages end.
pub async fn pages_give_each_once(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "pages_give_each_once");
    let owner = new_owner();
    let uploaded = lab.upload_some(&owner, 6).await;
    for limit in [1, 2, 5, 6, 7, 500] {
        let listed = lab.list_ids(&owner, ListOptions::new().with_limit(limit)).await;
        let what = format!("the pages of {limit}");
        lab.same_ids(what, &listed, uploaded.iter().map(|media| &media.id));
    }
    lab.has_nothing(&new_owner()).await;
}

/// What is there from the first page to the last is given once, though other media are removed and
/// uploaded in between, the one that the page ended with included.
pub async fn pages_hold_while_media_come_and_go(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "pages_hold_while_media_come_and_go");
    let owner = new_owner();
    lab.upload_some(&owner, 9).await;
    let first = ListOptions::new().with_limit(3);
    let page = lab.ok("the first page", backend.list(&owner, &first).await);
    lab.equal("the length of the first page", page.items.len(), 3);
    let rest = lab.list_ids(&owner, ListOptions::new()).await;
    let rest: Vec<_> =
        rest.iter().filter(|id| page.items.iter().all(|seen| seen.id != **id)).collect();

    for seen in [&page.items[0], &page.items[2]] {
        lab.equal("the removal", lab.delete(&owner, &seen.id).await, true);
    }
    let new = lab.upload_new(&owner, SCOPE).await;
    let Some(next) = page.next else { lab.broken("the first of three pages names no other") };
    let mut later = lab.list_ids(&owner, first.with_after(next)).await;
    // Whether what came in between is given is open.
    later.remove(&new.id);
    lab.same_ids("the later pages", &later, rest);
}

/// To go on behind a page that there never was is refused, and not read as the first page.
pub async fn unknown_page_is_refused(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "unknown_page_is_refused");
    let owner = new_owner();
    lab.upload_new(&owner, SCOPE).await;
    for next in ["", "no such page", "-1", "null", "' OR 1=1 --", &unique()] {
        let listed = backend.list(&owner, &ListOptions::new().with_after(next)).await;
        lab.fails(format_args!("the page behind {next:?}"), listed, ErrorKind::InvalidInput);
    }
}

/// The count and the bytes are those of the whole list, as media come and go.
pub async fn stats_agree_with_list(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "stats_agree_with_list");
    let (owner, shared) = (new_owner(), new_picture());
    let agree = async || {
        let listed = lab.list(&owner, ListOptions::new().with_limit(2)).await;
        let bytes = listed.iter().map(|media| media.size).sum();
        let expected = MediaStats::new(listed.len() as u64, bytes);
        lab.equal("the stats", lab.stats(&owner).await, expected);
    };
    agree().await;
    for scope in ["a", "b", "a"] {
        lab.upload_new(&owner, scope).await;
        lab.upload(&owner, Upload::new(shared.clone()).scope(scope)).await;
        lab.upload(&new_owner(), Upload::new(shared.clone()).scope(scope)).await;
        agree().await;
    }
    for media in lab.list(&owner, ListOptions::new()).await {
        lab.delete(&owner, &media.id).await;
        agree().await;
    }
    lab.equal("the last stats", lab.stats(&owner).await, MediaStats::default());
}
