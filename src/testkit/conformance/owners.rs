//! How owners, tenants and scopes are kept apart.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use super::lab::{Lab, SCOPE, new_owner, new_picture, scopes, unique};
use crate::{
    backend::MediaBackend,
    media::{ListOptions, Media, Upload},
    owner::{Owner, Scopes},
};

/// Two owners of the same bytes have an id, a name and a date of their own, and no answer tells one
/// of the other (promise P15).
pub async fn equal_bytes_of_two_owners_stay_apart(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "equal_bytes_of_two_owners_stay_apart");
    let (first, bytes) = (new_owner(), new_picture());
    let upload = || Upload::new(bytes.clone()).scope(SCOPE);
    let earlier = lab.upload(&first, upload().file_name("first.gif")).await;
    let tick = lab.clock_after(earlier.created_at).await;

    for name in [Some("second.gif"), None] {
        let second = new_owner();
        let upload = match name {
            Some(name) => upload().file_name(name),
            None => upload(),
        };
        let later = lab.upload(&second, upload).await;
        let got = lab.ok("getting", backend.get(&later.id).await);
        let listed = lab.list(&second, ListOptions::new()).await;
        lab.equal("the number listed", listed.len(), 1);
        for media in [&later, &got, &listed[0]] {
            lab.holds(media.id != earlier.id, "both have the same id");
            lab.equal("the name", media.file_name.as_deref(), name);
            lab.holds(media.created_at >= tick, "the date is not that of the owner's upload");
        }
        lab.equal("the answer to the upload", alike(&later), alike(&earlier));
        for (owner, id) in [(&first, &later.id), (&second, &earlier.id)] {
            let owned = lab.owns(owner, &Scopes::any(), id).await;
            lab.equal("ownership of the other's id", owned, false);
        }
        lab.has(&second, &[&later]).await;
    }
    lab.has(&first, &[&earlier]).await;
    let after = lab.ok("getting", backend.get(&earlier.id).await);
    lab.equal("the first owner's name", after.file_name.as_deref(), Some("first.gif"));
    lab.equal("the first owner's date", after.created_at, earlier.created_at);
}

/// Everything in a record that two owners of the same bytes have in common.
fn alike(media: &Media) -> String {
    let mut media = media.clone();
    (media.file_name, media.created_at) = (None, UNIX_EPOCH);
    let text = serde_json::to_string(&media.for_owner()).expect("a record serialises");
    text.replace(media.id.as_str(), "{id}")
}

impl<B: MediaBackend> Lab<'_, B> {
    /// Waits, by the backend's own clock, for a date behind `time`.
    async fn clock_after(&self, time: SystemTime) -> SystemTime {
        for _ in 0..1_000 {
            let now = self.upload_new(&new_owner(), SCOPE).await.created_at;
            if now > time {
                return now;
            }
        }
        self.broken("the dates of a thousand uploads are the same")
    }
}

/// Removing the bytes for one owner leaves them to the others, down to the last.
pub async fn removal_leaves_what_others_have(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "removal_leaves_what_others_have");
    let bytes = new_picture();
    let mut holders = Vec::new();
    for _ in 0..3 {
        let owner = new_owner();
        let media = lab.upload(&owner, Upload::new(bytes.clone()).scope(SCOPE)).await;
        holders.push((owner, media));
    }
    while let Some((owner, media)) = holders.pop() {
        lab.equal("the removal", lab.delete(&owner, &media.id).await, true);
        lab.is_unknown(&media.id).await;
        lab.has_nothing(&owner).await;
        for (owner, media) in &holders {
            lab.has(owner, &[media]).await;
            lab.equal("the bytes", lab.read(&media.id).await.1, &bytes);
        }
    }
}

/// Texts that a careless key or query would take for one another.
fn lookalikes() -> Vec<String> {
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

/// An owner is subject and tenant, byte by byte, whatever separators, quotes or wildcards are in
/// them; or the backend refuses owners in tenants.
pub async fn owners_never_collide(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "owners_never_collide");
    let owner = |subject: &str| Owner::new(subject).expect("a subject");
    let of = |subject: &str, tenant: &str| owner(subject).with_tenant(tenant).expect("a tenant");
    let (x, texts) = (unique(), lookalikes());
    let mut owners: Vec<Owner> = texts.iter().map(|text| owner(text)).collect();
    owners.extend(texts.iter().map(|text| of(&x, text)));
    owners.push(owner(&x));
    // Joined with a separator, the two of a row would be the same.
    for separator in [":", "/", "|", " "] {
        let joined = |a, b| format!("{a}{separator}{b}");
        owners.extend([of(&x, &joined("a", "b")), of(&joined(&x, "a"), "b")]);
        owners.extend([of(&joined("a", "b"), &x), of("b", &joined(&x, "a"))]);
        owners.extend([owner(&joined(&x, "c")), of(&x, "c"), of("c", &x)]);
    }
    owners.sort();
    owners.dedup();

    let bytes = new_picture();
    let mut media = Vec::new();
    let mut served = Vec::new();
    for owner in owners {
        let upload = Upload::new(bytes.clone()).scope(SCOPE);
        let stored = backend.upload(&owner, upload).await;
        if lab.refuses_tenant(&owner, &stored) {
            continue;
        }
        media.push(lab.ok("an upload", stored));
        served.push(owner);
    }
    let owners = served;
    let ids: Vec<_> = media.iter().map(|media| &media.id).collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    lab.equal("the number of ids of equal bytes", distinct.len(), owners.len());
    for (owner, own) in owners.iter().zip(&media) {
        let owned = lab.owned(owner, &scopes([SCOPE]), &ids).await;
        lab.same_ids(format_args!("what {owner:?} owns"), &owned, [&own.id]);
        lab.has(owner, &[own]).await;
    }
}

/// A scope is compared byte by byte as well, in questions and in lists.
pub async fn scopes_never_collide(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "scopes_never_collide");
    let (owner, texts) = (new_owner(), lookalikes());
    let mut media = Vec::new();
    for text in &texts {
        media.push(lab.upload_new(&owner, text).await.id);
    }
    for (text, own) in texts.iter().zip(&media) {
        let scope = scopes([text]);
        let owned = lab.owned(&owner, &scope, &media).await;
        lab.same_ids(format_args!("what is owned in {text:?}"), &owned, [own]);
        let listed = lab.list_ids(&owner, ListOptions::new().with_scopes(scope)).await;
        lab.same_ids(format_args!("the list of {text:?}"), &listed, [own]);
    }
}
