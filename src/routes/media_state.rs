//! Routers and signed URLs of a `MediaState`.

use std::time::Duration;

use axum::Router;

use super::{DeliveryRoutes, UploadPolicy, UploadRoutes};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::Rendition,
    routes::signed_url::LinkOptions,
    state::MediaState,
};

impl MediaState {
    /// Returns the routes that deliver media, with the defaults of [`DeliveryRoutes`]. See
    /// [`routes`](crate::routes).
    pub fn delivery_routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        DeliveryRoutes::new(self.clone()).into_router()
    }

    /// Returns the route that stores the files of a multipart form for the authenticated owner, with the
    /// defaults of [`UploadRoutes`]. See [`routes`](crate::routes).
    pub fn upload_routes<S: Clone + Send + Sync + 'static>(
        &self,
        path: impl Into<String>,
        policy: UploadPolicy,
    ) -> Router<S> {
        UploadRoutes::new(self.clone(), path, policy).into_router()
    }

    /// Returns a URL with which every client can read one rendition from the
    /// [delivery routes](DeliveryRoutes), for at least `valid_for`. See
    /// [`UrlSigner`](crate::routes::UrlSigner).
    ///
    /// Its prefix is that of the [`urls`](Self::urls) of the media. The backend is not queried, so the URL can be
    /// of media that does not exist, or of a rendition that cannot be made.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the state has no
    /// [`url_signer`](crate::state::MediaStateBuilder::url_signer), or if the backend's URLs are not those of
    /// the delivery routes; [`ErrorKind::InvalidInput`] if `valid_for` exceeds
    /// [`UrlSigner::with_longest`](crate::routes::UrlSigner::with_longest).
    pub fn signed_url(
        &self,
        id: &MediaId,
        what: impl Into<LinkOptions>,
        valid_for: Duration,
    ) -> Result<String> {
        let unsupported = |what| Error::new(ErrorKind::Unsupported, what);
        let signer = self.url_signer().ok_or_else(|| unsupported("the state has no URL signer"))?;
        let options = what.into();
        let original = self.urls(id).original;
        let media = original.strip_suffix("/file").ok_or_else(|| {
            unsupported("the backend's URLs are not those of the delivery routes")
        })?;
        let path = match options.rendition() {
            Rendition::Original => "file".to_owned(),
            Rendition::Variant(variant) => format!("file/{variant}"),
            Rendition::Transform(_) => "transform".to_owned(),
        };
        let query = signer.query(id.as_str(), options, valid_for)?;
        Ok(format!("{media}/{path}?{query}"))
    }
}
