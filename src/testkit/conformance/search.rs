//! What searching promises, and what only the operator may ask.

use std::time::Duration;

use super::lab::{Lab, SCOPE, new_owner, new_picture, picture, scopes, unique};
use crate::{
    backend::{MediaBackend, MediaBackendExt as _},
    error::ErrorKind,
    id::MediaId,
    media::{ListOptions, SearchOptions, SearchPage, SortBy, Upload},
    owner::{Owner, Scopes},
};

/// How long an upload may be processed.
const PROCESSING: Duration = Duration::from_secs(60);

impl<B: MediaBackend> Lab<'_, B> {
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

/// A search gives what the list gives and the filters let pass, sorted, and counts all of it.
pub async fn search_agrees_with_list(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "search_agrees_with_list");
    let owner = new_owner();
    for (n, scope) in ["a", "b", "a", "c", "b"].into_iter().enumerate() {
        // Of two lengths, so that some compare equal by size.
        let bytes = picture((unique() + &"-".repeat(n % 2)).as_bytes());
        let media = lab.upload(&owner, Upload::new(bytes).scope(scope)).await;
        // Only what is ready is found, and it must not become so in between.
        lab.ok("processing", backend.wait_until_ready(&media.id, PROCESSING).await);
        lab.upload_new(&new_owner(), scope).await;
    }
    let middle = lab.list(&owner, ListOptions::new()).await[2].clone();
    let kind = middle.mime_type.split('/').next().unwrap_or_default().to_owned() + "/*";
    for scopes in [scopes(["a"]), scopes(["a", "b"]), scopes(["z"]), Scopes::any()] {
        let listed = lab.list(&owner, ListOptions::new().with_scopes(scopes.clone())).await;
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
                    let found = lab.search_ids(&owner, &asked).await;
                    lab.equal(format_args!("{asked:?}"), found, (ids, total, has_more));
                }
            }
        }
    }
}

/// Who asks for a content gets a record of it as long as anybody has it; or the backend cannot say.
pub async fn content_is_found_while_somebody_has_it(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "content_is_found_while_somebody_has_it");
    let (first, second, bytes) = (new_owner(), new_owner(), new_picture());
    let upload = || Upload::new(bytes.clone()).scope(SCOPE);
    let one = lab.upload(&first, upload()).await;
    let other = lab.upload(&second, upload()).await;
    let find = async || match backend.find_by_hash(one.hash).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        found => Some(lab.ok("looking for content", found).map(|media| media.id)),
    };
    let Some(found) = find().await else { return };
    let (gone, holder, left, last) = if found.as_ref() == Some(&one.id) {
        (&one.id, &first, &other.id, &second)
    } else {
        (&other.id, &second, &one.id, &first)
    };
    lab.equal("the record that is found", found.as_ref(), Some(gone));
    lab.delete(holder, gone).await;
    lab.equal("the record that is left", find().await.flatten().as_ref(), Some(left));
    lab.delete(last, left).await;
    lab.equal("what is left of it", find().await.flatten(), None);
}

/// The operator removes a record whoever it belongs to, and no other of the same bytes; or the backend
/// removes for owners only.
pub async fn removal_for_any_owner_takes_one_record(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "removal_for_any_owner_takes_one_record");
    let (owner, other, bytes) = (new_owner(), new_owner(), new_picture());
    let upload = || Upload::new(bytes.clone()).scope(SCOPE);
    let removed = lab.upload(&owner, upload()).await;
    let kept = lab.upload(&other, upload()).await;
    let first = backend.delete_any_owner(&removed.id).await;
    if first.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported) {
        return;
    }
    lab.equal("the removal", lab.ok("the removal", first), true);
    lab.is_unknown(&removed.id).await;
    lab.has_nothing(&owner).await;
    lab.has(&other, &[&kept]).await;
    for id in [removed.id, MediaId::random()] {
        let again = lab.ok("a removal of nothing", backend.delete_any_owner(&id).await);
        lab.equal("a removal of nothing", again, false);
    }
}

/// A backend that works says that it is ready.
pub async fn a_backend_that_works_is_ready(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "a_backend_that_works_is_ready");
    lab.ok("asking whether it is ready", backend.check_health().await);
}
