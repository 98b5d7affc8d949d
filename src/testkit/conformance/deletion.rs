//! Checks of deletion.

use super::checker::{Checker, SCOPE, new_image, new_owner, scopes};
use crate::{backend::MediaBackend, id::MediaId, media::Upload, owner::Owner};

/// A deletion returns whether the owner had the media. Afterwards the id is unknown and owned in no
/// scope, and other media is unchanged.
pub(super) async fn deleted_media_is_unknown<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, bytes) = (new_owner(), new_image());
    let kept = check.upload_new(&owner, "one").await;
    let upload = |scope: &str| Upload::new(bytes.clone()).scope(scope);
    let deleted = check.upload(&owner, upload("one")).await;
    check.upload(&owner, upload("two")).await;

    check.equal("the first deletion", check.delete(&owner, &deleted.id).await, true);
    for scope in ["one", "two"] {
        let owned = check.owns(&owner, &scopes([scope]), &deleted.id).await;
        check.equal(format_args!("ownership in scope {scope} after the deletion"), owned, false);
    }
    check.is_unknown(&deleted.id).await;
    check.has(&owner, &[&kept]).await;
    check.equal("the second deletion", check.delete(&owner, &deleted.id).await, false);
    let unknown = check.delete(&owner, &MediaId::random()).await;
    check.equal("the deletion of an unknown id", unknown, false);
    check.has(&owner, &[&kept]).await;
}

/// Another owner cannot delete media, nor can the same subject in another tenant.
pub(super) async fn another_owner_cannot_delete<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let in_tenant = |tenant| owner.clone().with_tenant(tenant).expect("a tenant");
    let others: [Owner; 3] = [new_owner(), in_tenant("a"), in_tenant("b")];
    let bytes = new_image();
    let media = check.upload(&owner, Upload::new(bytes.clone()).scope(SCOPE)).await;
    for other in &others {
        let deleted = check.backend.delete(other, &media.id).await;
        if check.refuses_tenant(other, &deleted) {
            continue;
        }
        check.equal("another owner's deletion", check.ok("a deletion", deleted), false);
        // A record of the same bytes gives no right to the first owner's record.
        check.upload(other, Upload::new(bytes.clone()).scope(SCOPE)).await;
        check.equal("another owner's deletion", check.delete(other, &media.id).await, false);
        check.has(&owner, &[&media]).await;
        check.equal("the bytes", check.read(&media.id).await.1, &bytes);
    }
}

/// The same bytes can be uploaded again after a deletion, and are then owned only in the new scope.
pub(super) async fn upload_after_deletion_is_new<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, bytes) = (new_owner(), new_image());
    let upload = |scope: &str| Upload::new(bytes.clone()).scope(scope);
    let deleted = check.upload(&owner, upload("one")).await;
    check.equal("the deletion", check.delete(&owner, &deleted.id).await, true);

    let again = check.upload(&owner, upload("two")).await;
    check.has(&owner, &[&again]).await;
    check.equal("the bytes", check.read(&again.id).await.1, &bytes);
    check.is_owned_in(&owner, &again.id, [("one", false), ("two", true)]).await;
}

/// A deletion from one scope keeps the media in the owner's other scopes; from the last scope it deletes
/// the media. A backend may answer `Unsupported`.
pub(super) async fn deletion_from_scope_keeps_other_scopes<B: MediaBackend>(
    check: &Checker<'_, B>,
) {
    let (owner, bytes) = (new_owner(), new_image());
    let upload = |scope: &str| Upload::new(bytes.clone()).scope(scope);
    let media = check.upload(&owner, upload("one")).await;
    check.upload(&owner, upload("two")).await;
    let kept = check.upload_new(&owner, "one").await;

    let first = check.delete_from_scope(&owner, &media.id, "three").await;
    let Some(first) = first else { return };
    check.equal("the deletion from a scope without the media", first, false);
    check.has(&owner, &[&media, &kept]).await;

    for (deleted, what) in [(true, "the first deletion"), (false, "a repeated deletion")] {
        let found = check.delete_from_scope(&owner, &media.id, "one").await;
        check.equal(format_args!("{what} from a scope"), found, Some(deleted));
        check.is_owned_in(&owner, &media.id, [("one", false), ("two", true)]).await;
        check.is_owned_in(&owner, &kept.id, [("one", true)]).await;
        check.has(&owner, &[&media, &kept]).await;
        check.equal("the bytes", check.read(&media.id).await.1, &bytes);
    }

    let last = check.delete_from_scope(&owner, &media.id, "two").await;
    check.equal("the deletion from the last scope", last, Some(true));
    check.is_unknown(&media.id).await;
    check.has(&owner, &[&kept]).await;
    let unknown = check.delete_from_scope(&owner, &media.id, "two").await;
    check.equal("the deletion of deleted media from a scope", unknown, Some(false));
}

/// A deletion from one scope changes nothing for other owners of the same bytes in the same scope, and
/// they cannot delete the owner's media. A backend may answer `Unsupported`.
pub(super) async fn deletion_from_scope_leaves_other_owners<B: MediaBackend>(
    check: &Checker<'_, B>,
) {
    let (owner, other, bytes) = (new_owner(), new_owner(), new_image());
    let upload = || Upload::new(bytes.clone()).scope(SCOPE);
    let media = check.upload(&owner, upload()).await;
    let others = check.upload(&other, upload()).await;

    let foreign = check.delete_from_scope(&other, &media.id, SCOPE).await;
    let Some(foreign) = foreign else { return };
    check.equal("another owner's deletion from a scope", foreign, false);
    check.has(&owner, &[&media]).await;
    check.has(&other, &[&others]).await;

    let deleted = check.delete_from_scope(&owner, &media.id, SCOPE).await;
    check.equal("the deletion from a scope", deleted, Some(true));
    check.has_nothing(&owner).await;
    check.has(&other, &[&others]).await;
    check.is_owned_in(&other, &others.id, [(SCOPE, true)]).await;
    check.equal("the bytes", check.read(&others.id).await.1, &bytes);
}
