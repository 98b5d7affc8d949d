//! Checks of the separation of owners, tenants and scopes.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use super::checker::{Checker, SCOPE, new_image, new_owner, scopes, unique};
use crate::{
    backend::MediaBackend,
    media::{ListOptions, Media, Upload},
    owner::{Owner, Scopes},
};

/// Two owners of the same bytes have separate ids, names and dates, and no answer reveals one to the
/// other (promise P15).
pub(super) async fn equal_bytes_of_two_owners_stay_apart<B: MediaBackend>(check: &Checker<'_, B>) {
    let (first, bytes) = (new_owner(), new_image());
    let upload = || Upload::new(bytes.clone()).scope(SCOPE);
    let earlier = check.upload(&first, upload().file_name("first.gif")).await;
    let tick = check.clock_after(earlier.created_at).await;

    for name in [Some("second.gif"), None] {
        let second = new_owner();
        let upload = match name {
            Some(name) => upload().file_name(name),
            None => upload(),
        };
        let later = check.upload(&second, upload).await;
        let got = check.ok("getting", check.backend.get(&later.id).await);
        let listed = check.list(&second, ListOptions::new()).await;
        check.equal("the number listed", listed.len(), 1);
        for media in [&later, &got, &listed[0]] {
            check.holds(media.id != earlier.id, "both have the same id");
            check.equal("the name", media.file_name.as_deref(), name);
            check.holds(media.created_at >= tick, "the date is not that of the owner's upload");
        }
        check.equal("the answer to the upload", common_fields(&later), common_fields(&earlier));
        for (owner, id) in [(&first, &later.id), (&second, &earlier.id)] {
            let owned = check.owns(owner, &Scopes::any(), id).await;
            check.equal("ownership of the other's id", owned, false);
        }
        check.has(&second, &[&later]).await;
    }
    check.has(&first, &[&earlier]).await;
    let after = check.ok("getting", check.backend.get(&earlier.id).await);
    check.equal("the first owner's name", after.file_name.as_deref(), Some("first.gif"));
    check.equal("the first owner's date", after.created_at, earlier.created_at);
}

/// The fields of a record that two owners of the same bytes have in common.
fn common_fields(media: &Media) -> String {
    let mut media = media.clone();
    (media.file_name, media.created_at) = (None, UNIX_EPOCH);
    let text = serde_json::to_string(&media.for_owner()).expect("a record serialises");
    text.replace(media.id.as_str(), "{id}")
}

impl<B: MediaBackend> Checker<'_, B> {
    /// Uploads until the backend's clock is past `time`.
    async fn clock_after(&self, time: SystemTime) -> SystemTime {
        for _ in 0..1_000 {
            let now = self.upload_new(&new_owner(), SCOPE).await.created_at;
            if now > time {
                return now;
            }
        }
        self.fail("the dates of a thousand uploads are the same")
    }
}

/// Deleting media of one owner leaves other owners' records of the same bytes unchanged.
pub(super) async fn deletion_leaves_other_owners_records<B: MediaBackend>(check: &Checker<'_, B>) {
    let bytes = new_image();
    let mut holders = Vec::new();
    for _ in 0..3 {
        let owner = new_owner();
        let media = check.upload(&owner, Upload::new(bytes.clone()).scope(SCOPE)).await;
        holders.push((owner, media));
    }
    while let Some((owner, media)) = holders.pop() {
        check.equal("the deletion", check.delete(&owner, &media.id).await, true);
        check.is_unknown(&media.id).await;
        check.has_nothing(&owner).await;
        for (owner, media) in &holders {
            check.has(owner, &[media]).await;
            check.equal("the bytes", check.read(&media.id).await.1, &bytes);
        }
    }
}

/// Returns texts that collide in a joined key, a case-insensitive comparison or a pattern.
fn similar_texts() -> Vec<String> {
    let x = unique();
    let mut texts = vec![
        x.clone(),
        x.to_uppercase(),
        format!("{x}\u{e9}"),
        format!("{x}e\u{301}"),
        format!("{x}{}", "y".repeat(255 - x.len())),
        format!("{x}{}", "y".repeat(254 - x.len())),
    ];
    for separator in [":", "/", "\\", "|", "#", ".", "?", "&", "%", "%20", "_", "*", "'", "\"", " "]
    {
        texts.push(format!("{x}{separator}b"));
        texts.push(format!("{x}{separator}{separator}b"));
    }
    texts
}

/// Owners are compared by the bytes of subject and tenant, including separators, quotes and wildcards. A
/// backend without tenants may answer `Unsupported`.
pub(super) async fn similar_owners_stay_apart<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = |subject: &str| Owner::new(subject).expect("a subject");
    let of = |subject: &str, tenant: &str| owner(subject).with_tenant(tenant).expect("a tenant");
    let (x, texts) = (unique(), similar_texts());
    let mut owners: Vec<Owner> = texts.iter().map(|text| owner(text)).collect();
    owners.extend(texts.iter().map(|text| of(&x, text)));
    owners.push(owner(&x));
    // Each pair collides in a key that joins the parts with this separator.
    for separator in [":", "/", "|", " "] {
        let joined = |a, b| format!("{a}{separator}{b}");
        owners.extend([of(&x, &joined("a", "b")), of(&joined(&x, "a"), "b")]);
        owners.extend([of(&joined("a", "b"), &x), of("b", &joined(&x, "a"))]);
        owners.extend([owner(&joined(&x, "c")), of(&x, "c"), of("c", &x)]);
    }
    owners.sort();
    owners.dedup();

    let bytes = new_image();
    let mut media = Vec::new();
    let mut supported = Vec::new();
    for owner in owners {
        let upload = Upload::new(bytes.clone()).scope(SCOPE);
        let stored = check.backend.upload(&owner, upload).await;
        if check.refuses_tenant(&owner, &stored) {
            continue;
        }
        media.push(check.ok("an upload", stored));
        supported.push(owner);
    }
    let owners = supported;
    let ids: Vec<_> = media.iter().map(|media| &media.id).collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    check.equal("the number of ids of equal bytes", distinct.len(), owners.len());
    for (owner, own) in owners.iter().zip(&media) {
        let owned = check.owned(owner, &scopes([SCOPE]), &ids).await;
        check.same_ids(format_args!("what {owner:?} owns"), &owned, [&own.id]);
        check.has(owner, &[own]).await;
    }
}

/// Scopes are compared by their bytes, in ownership queries and in lists.
pub(super) async fn similar_scopes_stay_apart<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, texts) = (new_owner(), similar_texts());
    let mut media = Vec::new();
    for text in &texts {
        media.push(check.upload_new(&owner, text).await.id);
    }
    for (text, own) in texts.iter().zip(&media) {
        let scope = scopes([text]);
        let owned = check.owned(&owner, &scope, &media).await;
        check.same_ids(format_args!("what is owned in {text:?}"), &owned, [own]);
        let listed = check.list_ids(&owner, ListOptions::new().with_scopes(scope)).await;
        check.same_ids(format_args!("the list of {text:?}"), &listed, [own]);
    }
}
