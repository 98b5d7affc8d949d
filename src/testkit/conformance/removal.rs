//! What a removal promises.

use super::lab::{Lab, SCOPE, new_owner, new_picture, scopes};
use crate::{backend::MediaBackend, id::MediaId, media::Upload, owner::Owner};

/// Removing returns whether there was something; afterwards the media are unknown and owned in no
/// scope, and all else is as it was.
pub async fn removed_media_are_gone(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "removed_media_are_gone");
    let (owner, bytes) = (new_owner(), new_picture());
    let kept = lab.upload_new(&owner, "one").await;
    let upload = |scope: &str| Upload::new(bytes.clone()).scope(scope);
    let removed = lab.upload(&owner, upload("one")).await;
    lab.upload(&owner, upload("two")).await;

    lab.equal("the first removal", lab.delete(&owner, &removed.id).await, true);
    for scope in ["one", "two"] {
        let owned = lab.owns(&owner, &scopes([scope]), &removed.id).await;
        lab.equal(format_args!("ownership in scope {scope} after the removal"), owned, false);
    }
    lab.is_unknown(&removed.id).await;
    lab.has(&owner, &[&kept]).await;
    lab.equal("the second removal", lab.delete(&owner, &removed.id).await, false);
    lab.equal("a removal of nothing", lab.delete(&owner, &MediaId::random()).await, false);
    lab.has(&owner, &[&kept]).await;
}

/// Nobody else removes an owner's media, not even who has the same subject in another tenant.
pub async fn removal_by_another_owner_is_nothing(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "removal_by_another_owner_is_nothing");
    let (owner, stranger) = (new_owner(), new_owner());
    let namesake = |tenant| owner.clone().with_tenant(tenant).expect("a tenant");
    let (bytes, others): (_, [Owner; 3]) =
        (new_picture(), [stranger, namesake("a"), namesake("b")]);
    let media = lab.upload(&owner, Upload::new(bytes.clone()).scope(SCOPE)).await;
    for other in &others {
        let removed = backend.delete(other, &media.id).await;
        if lab.refuses_tenant(other, &removed) {
            continue;
        }
        lab.equal("a foreign removal", lab.ok("a removal", removed), false);
        // Having the same bytes gives no right to another's record of them.
        lab.upload(other, Upload::new(bytes.clone()).scope(SCOPE)).await;
        lab.equal("a foreign removal", lab.delete(other, &media.id).await, false);
        lab.has(&owner, &[&media]).await;
        lab.equal("the bytes", lab.read(&media.id).await.1, &bytes);
    }
}

/// The same bytes can be uploaded again after a removal, and are owned where that upload says only.
pub async fn upload_after_removal_is_new(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "upload_after_removal_is_new");
    let (owner, bytes) = (new_owner(), new_picture());
    let upload = |scope: &str| Upload::new(bytes.clone()).scope(scope);
    let removed = lab.upload(&owner, upload("one")).await;
    lab.equal("the removal", lab.delete(&owner, &removed.id).await, true);

    let again = lab.upload(&owner, upload("two")).await;
    lab.has(&owner, &[&again]).await;
    lab.equal("the bytes", lab.read(&again.id).await.1, &bytes);
    for (scope, owned) in [("one", false), ("two", true)] {
        let found = lab.owns(&owner, &scopes([scope]), &again.id).await;
        lab.equal(format_args!("ownership in scope {scope}"), found, owned);
    }
}
