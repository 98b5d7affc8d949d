//! Auto traits of layers, services and handles (promise G13).

use std::rc::Rc;

use axum::{Json, response::Response};
use tower_media::{
    Error, InMemory, Media, MediaId, MediaState, OwnedMedia, Owner, Scopes, UnverifiedId, Upload,
    VerifyMediaLayer,
    extract::{MultipartForm, VerifyMediaRejection},
    media::Download,
    routes::{DeliveryRoutes, UploadPolicy, UploadRejection, UploadRoutes, Uploads, UrlSigner},
    verify::{ResponseFuture, VerifyMedia},
};

/// A type that is not `Send`, `Sync` or `Clone`.
struct Confined(#[expect(dead_code, reason = "for its type")] Rc<()>);

type Inner = tower::util::BoxCloneSyncService<axum::extract::Request, Response, Error>;

#[test]
fn g13_layer_and_service_are_clone_send_sync_for_any_extractor() {
    fn portable<T: Clone + Send + Sync + Unpin + 'static>() {}
    portable::<VerifyMediaLayer<Confined>>();
    portable::<VerifyMediaLayer<Json<Confined>>>();
    portable::<VerifyMedia<Inner, Confined>>();
    portable::<VerifyMedia<Inner, Json<Confined>>>();
}

#[test]
fn g13_shared_types_are_send_and_sync() {
    fn shared<T: Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<MediaState>();
    shared::<InMemory>();
    shared::<OwnedMedia>();
    shared::<(Owner, Scopes, MediaId, UnverifiedId, Media)>();
    shared::<Error>();
    shared::<VerifyMediaRejection>();
    shared::<(DeliveryRoutes, UploadRoutes, UploadPolicy, UploadRejection, UrlSigner)>();
    sent::<Uploads>();
    sent::<Upload>();
    sent::<Download>();
    sent::<MultipartForm<Vec<UnverifiedId>>>();
    sent::<ResponseFuture<Inner>>();
}
