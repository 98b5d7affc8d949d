//! The router of deliveries and its builder.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use axum::{Router, extract::FromRequestParts, middleware::from_fn_with_state, routing::get};

use super::{
    config::{DeliveryConfig, InlineTypes, ResourcePolicy, redirect_expiry},
    media_path::MediaPath,
    serve::{RenditionSource, serve_owned, serve_signed, unsigned_transform},
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::{InlineType, Transform},
    owner::{InvalidOwner, InvalidScope, Owner, Scope},
    state::MediaState,
    verify::VerifyMediaLayer,
};

/// Routes that deliver media to its owner and to holders of signed URLs.
///
/// | path | delivers | to |
/// |---|---|---|
/// | `/media/{id}/file` | the original | owner, signed URL |
/// | `/media/{id}/file/{name}` | `thumb`, `medium`, `large`, or a named transform | owner, signed URL |
/// | `/media/{id}/transform?w&h&fit&format&q` | any transform | signed URL |
///
/// # Default
///
/// The owner is the [`Owner`] in the request's extensions, and media of any scope is delivered. No transform has
/// a name. Browsers display raster images and save every other type. Signed URLs are accepted if the state has a
/// [`url_signer`](crate::state::MediaStateBuilder::url_signer). Only pages of the same origin may embed media.
///
/// See the [module docs](crate::routes#delivery) for the responses.
///
/// ```
/// use axum::Router;
/// use tower_media::{media::{Fit, Transform}, routes::DeliveryRoutes, MediaState};
///
/// let media = MediaState::in_memory();
/// let avatar = Transform::new().with_width(96).with_height(96).with_fit(Fit::Cover);
/// let app: Router = Router::new().merge(
///     DeliveryRoutes::new(media).transform("avatar", avatar)?.scopes(["me"]).into_router(),
/// );
/// # Ok::<_, tower_media::Error>(())
/// ```
#[must_use = "routes do nothing until `into_router` is called"]
pub struct DeliveryRoutes<S = ()> {
    guard: VerifyMediaLayer<MediaPath, S>,
    config: DeliveryConfig,
}

impl DeliveryRoutes {
    /// Creates the routes with the defaults.
    pub fn new(media: MediaState) -> Self {
        Self::new_with_state(media, ())
    }
}

impl<S> DeliveryRoutes<S> {
    /// Creates the routes with the defaults, and the state for the extractor of
    /// [`owner_from`](Self::owner_from).
    pub fn new_with_state(media: MediaState, state: S) -> Self
    where
        S: Send + Sync + 'static,
    {
        Self {
            guard: VerifyMediaLayer::new_with_state(media.clone(), state).id_count(1..=1),
            config: DeliveryConfig {
                media,
                transforms: BTreeMap::new(),
                cross_origin_resource_policy: ResourcePolicy::default(),
                inline_types: InlineTypes::default(),
                redirect: None,
            },
        }
    }

    /// Adds a named transform, which owners can request without a signature.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the name is not 1 to 64 bytes of `A-Z a-z 0-9 - _`, is already
    /// used, or is the name of a variant.
    pub fn transform(mut self, name: impl Into<String>, transform: Transform) -> Result<Self> {
        let name = name.into();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_name) {
            let what = format!(
                "the transform name {name:?} is not valid: use 1 to 64 bytes of `A-Z a-z 0-9 - _`"
            );
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        if self.config.named(&name).is_some() {
            let what = format!("the rendition name {name:?} is already used: choose another");
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        self.config.transforms.insert(name, transform);
        Ok(self)
    }

    /// Sets the scopes of which an owner must own the media in at least one. Signed URLs are not affected.
    ///
    /// # Panics
    ///
    /// If the list is empty, or contains text that is not a scope.
    #[track_caller]
    pub fn scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.guard = self.guard.scopes(scopes);
        self
    }

    /// Sets the `Cross-Origin-Resource-Policy` of responses to signed URLs. Responses to owners are always
    /// `same-origin`, because a browser requests them with cookies.
    pub fn cross_origin_resource_policy(mut self, policy: ResourcePolicy) -> Self {
        self.config.cross_origin_resource_policy = policy;
        self
    }

    /// Lets browsers display originals of these MIME types instead of saving them: types of audio and video,
    /// `application/pdf`, and the kinds `audio/*` and `video/*`. Raster images are always displayed. Players
    /// of Safari need ranges, which the routes answer.
    ///
    /// # Panics
    ///
    /// If a type is another one: scripts of its author could run in it (promise P8).
    #[track_caller]
    pub fn inline_types<I: IntoIterator<Item: Into<String>>>(mut self, types: I) -> Self {
        self.config.inline_types = InlineTypes(types.into_iter().map(Into::into).collect());
        for inline in &self.config.inline_types.0 {
            let is_kind = matches!(&**inline, "audio/*" | "video/*");
            assert!(
                is_kind || InlineType::of(inline).is_some(),
                "the type {inline:?} cannot be displayed: use types of audio and video, `audio/*`, `video/*`, \
                 or `application/pdf`"
            );
        }
        self
    }

    /// Redirects to presigned URLs of the object store of a `Store` that signs them, valid for `expires_in`, which is
    /// clamped to 5 s to 1 h and to the expiry of a signed URL; 60 s is a good value. Default: off, and all
    /// bytes pass through this server.
    ///
    /// Originals and stored renditions are answered with 307 and `Cache-Control: private, no-store`. The type
    /// and the disposition are bound into the URL. `HEAD`, conditional requests, renditions that are not stored
    /// yet, and backends that cannot redirect are answered with the bytes. The client sends a `Range`
    /// to the object store.
    ///
    /// A presigned URL opens the media for everyone who has it until it expires, also after a deletion. The
    /// object store sends neither the other safe headers (promise P8) nor a hash that a client could verify,
    /// and pages need its origin in their `Content-Security-Policy`, and scripts a CORS rule of the bucket.
    pub fn presigned_redirects(mut self, expires_in: Duration) -> Self {
        self.config.redirect = Some(redirect_expiry(expires_in));
        self
    }

    /// Takes the owner from the extractor `X`, as does
    /// [`VerifyMediaLayer::owner_from`](crate::VerifyMediaLayer::owner_from).
    pub fn owner_from<X>(
        mut self,
        owner: impl Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync + 'static,
    ) -> Self
    where
        X: FromRequestParts<S> + 'static,
        S: Sync,
    {
        self.guard = self.guard.owner_from(owner);
        self
    }

    /// Builds the router, for a router of any state.
    pub fn into_router<T>(self) -> Router<T>
    where
        T: Clone + Send + Sync + 'static,
        S: Clone + Send + Sync + 'static,
    {
        let config = Arc::new(self.config);
        let signed = |source| from_fn_with_state((Arc::clone(&config), source), serve_signed);
        let file = get(serve_owned).route_layer(self.guard).layer(signed(RenditionSource::Path));
        let transform = get(unsigned_transform).layer(signed(RenditionSource::Query));
        Router::new()
            .route("/media/{media_id}/file", file.clone())
            .route("/media/{media_id}/file/{rendition}", file)
            .route("/media/{media_id}/transform", transform)
            .with_state(config)
    }
}

impl<S> fmt::Debug for DeliveryRoutes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryRoutes")
            .field("guard", &self.guard)
            .field("transforms", &self.config.transforms)
            .field("cross_origin_resource_policy", &self.config.cross_origin_resource_policy)
            .field("inline_types", &self.config.inline_types)
            .field("redirect", &self.config.redirect)
            .finish()
    }
}
