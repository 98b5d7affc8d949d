//! Checks of search, of the operations that ignore owners, and of the health check.

use std::time::Duration;

use super::checker::{Checker, SCOPE, image, new_image, new_owner, scopes, unique};
use crate::{
    backend::{MediaBackend, MediaBackendExt as _},
    error::ErrorKind,
    id::MediaId,
    media::{ListOptions, SearchOptions, SearchPage, SortBy, Upload},
    owner::{Owner, Scopes},
};

/// The deadline for processing an upload.
const PROCESSING_TIMEOUT: Duration = Duration::from_secs(60);

impl<B: MediaBackend> Checker<'_, B> {
    async fn search(&self, owner: &Owner, options: &SearchOptions) -> SearchPage {
        self.ok("a search", self.backend.search(owner, options).await)
    }

    async fn search_ids(
        &self,
        owner: &Owner,
        options: &SearchOptions,
    ) -> (Vec<MediaId>, u64, bool) {
        let SearchPage { items, total, has_more } = self.search(owner, options).await;
        (items.into_iter().map(|media| media.id).collect(), total, has_more)
    }
}

/// A search returns the records of the list that match the filters, sorted, with their total number.
pub(super) async fn search_agrees_with_list<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    for (n, scope) in ["a", "b", "a", "c", "b"].into_iter().enumerate() {
        // Two lengths, so that some records have the same size.
        let bytes = image((unique() + &"-".repeat(n % 2)).as_bytes());
        let media = check.upload(&owner, Upload::new(bytes).scope(scope)).await;
        // Search finds only processed media, so wait until the set of results is fixed.
        check.ok("processing", check.backend.wait_until_ready(&media.id, PROCESSING_TIMEOUT).await);
        check.upload_new(&new_owner(), scope).await;
    }
    let middle = check.list(&owner, ListOptions::new()).await[2].clone();
    let kind = middle.mime_type.split('/').next().unwrap_or_default().to_owned() + "/*";
    for scopes in [scopes(["a"]), scopes(["a", "b"]), scopes(["z"]), Scopes::any()] {
        let listed = check.list(&owner, ListOptions::new().with_scopes(scopes.clone())).await;
        let all = SearchOptions::new().with_scopes(scopes);
        for options in [
            all.clone(),
            all.clone().with_mime_type(&middle.mime_type),
            all.clone().with_mime_type(&kind),
            all.clone().with_mime_type("text/html"),
            all.clone().with_mime_type("%/*"),
            all.clone().with_from(middle.created_at),
            all.clone().with_to(middle.created_at),
            all.clone().with_location(),
        ] {
            for (by, ascending) in SortBy::ALL.iter().flat_map(|by| [(*by, true), (*by, false)]) {
                for (limit, offset) in [(500, 0), (2, 0), (2, 1), (1, 3), (2, 50)] {
                    let asked = options
                        .clone()
                        .with_sort(by, ascending)
                        .with_limit(limit)
                        .with_offset(offset);
                    let matching = listed.iter().filter(|media| asked.matches(media)).cloned();
                    let SearchPage { items, total, has_more } = asked.page_of(matching.collect());
                    let ids: Vec<MediaId> = items.into_iter().map(|media| media.id).collect();
                    let found = check.search_ids(&owner, &asked).await;
                    check.equal(format_args!("{asked:?}"), found, (ids, total, has_more));
                }
            }
        }
    }
}

/// A lookup by hash returns one record while any owner has the bytes. A backend may answer
/// `Unsupported`.
pub(super) async fn record_is_found_by_hash_until_deleted<B: MediaBackend>(check: &Checker<'_, B>) {
    let (first, second, bytes) = (new_owner(), new_owner(), new_image());
    let upload = || Upload::new(bytes.clone()).scope(SCOPE);
    let one = check.upload(&first, upload()).await;
    let other = check.upload(&second, upload()).await;
    let find = async || match check.backend.find_by_hash(one.hash).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        found => Some(check.ok("a lookup by hash", found).map(|media| media.id)),
    };
    let Some(found) = find().await else { return };
    let (deleted, holder, left, last) = if found.as_ref() == Some(&one.id) {
        (&one.id, &first, &other.id, &second)
    } else {
        (&other.id, &second, &one.id, &first)
    };
    check.equal("the record that is found", found.as_ref(), Some(deleted));
    check.delete(holder, deleted).await;
    check.equal("the record that is left", find().await.flatten().as_ref(), Some(left));
    check.delete(last, left).await;
    check.equal("the record after the last deletion", find().await.flatten(), None);
}

/// A deletion that ignores owners deletes one record, and no other record of the same bytes. A backend
/// may answer `Unsupported`.
pub(super) async fn admin_deletion_deletes_one_record<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, other, bytes) = (new_owner(), new_owner(), new_image());
    let upload = || Upload::new(bytes.clone()).scope(SCOPE);
    let deleted = check.upload(&owner, upload()).await;
    let kept = check.upload(&other, upload()).await;
    let first = check.backend.delete_any_owner(&deleted.id).await;
    if first.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported) {
        return;
    }
    check.equal("the deletion", check.ok("the deletion", first), true);
    check.is_unknown(&deleted.id).await;
    check.has_nothing(&owner).await;
    check.has(&other, &[&kept]).await;
    for id in [deleted.id, MediaId::random()] {
        let again =
            check.ok("the deletion of an unknown id", check.backend.delete_any_owner(&id).await);
        check.equal("the deletion of an unknown id", again, false);
    }
}

/// The health check of a working backend passes.
pub(super) async fn health_check_passes<B: MediaBackend>(check: &Checker<'_, B>) {
    check.ok("the health check", check.backend.check_health().await);
}
