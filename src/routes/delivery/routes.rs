//! The routes, and what can be set on them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{Router, extract::FromRequestParts, middleware::from_fn_with_state, routing::get};

use super::{
    address::Address,
    serve::{Delivery, Naming, by_link, by_owner, unsigned_transform},
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::Transform,
    owner::{InvalidOwner, InvalidScope, Owner, Scope},
    state::MediaState,
    verify::VerifyMediaLayer,
};

/// Routes that deliver media to its owner, and to whoever holds a signed URL.
///
/// | path | delivers | to |
/// |---|---|---|
/// | `/media/{id}/file` | the original | owner, link |
/// | `/media/{id}/file/{name}` | `thumb`, `medium`, `large`, or a transform that was given this name | owner, link |
/// | `/media/{id}/transform?w&h&fit&format&q` | any transform | link |
///
/// # Default
///
/// The owner is the [`Owner`] in the request's extensions, and owns the media in any scope. There are no
/// named transforms. Links work once the state has a
/// [`url_signer`](crate::state::MediaStateBuilder::url_signer), and what they open is not for pages of other
/// origins.
///
/// See the [module docs](crate::routes) for what is answered.
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
#[must_use = "the routes are made by `into_router`"]
pub struct DeliveryRoutes<S = ()> {
    guard: VerifyMediaLayer<Address, S>,
    delivery: Delivery,
}

/// Pages of which origins may embed what a signed URL opens: `Cross-Origin-Resource-Policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ResourcePolicy {
    /// Of the origin that delivers it.
    #[default]
    SameOrigin,
    /// Of the same site, such as `app.example.org` for `media.example.org`.
    SameSite,
    /// Of every origin.
    CrossOrigin,
}

impl DeliveryRoutes {
    /// Begins with the defaults.
    pub fn new(media: MediaState) -> Self {
        Self::new_with_state(media, ())
    }
}

impl<S> DeliveryRoutes<S> {
    /// Begins with the defaults, and with the state that the extractor of
    /// [`owner_from`](Self::owner_from) needs.
    pub fn new_with_state(media: MediaState, state: S) -> Self
    where
        S: Send + Sync + 'static,
    {
        Self {
            guard: VerifyMediaLayer::new_with_state(media.clone(), state).id_count(1..=1),
            delivery: Delivery {
                media,
                transforms: BTreeMap::new(),
                links_embedded_by: ResourcePolicy::default(),
            },
        }
    }

    /// Delivers a transform under a name, so that owners can ask for it without a signature.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] unless the name is 1 to 64 bytes of `A-Z a-z 0-9 - _`, and neither
    /// taken nor that of a variant.
    pub fn transform(mut self, name: impl Into<String>, transform: Transform) -> Result<Self> {
        let name = name.into();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_name) {
            let what = "the name of a transform is 1 to 64 bytes of `A-Z a-z 0-9 - _`";
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        if self.delivery.named(&name).is_some() {
            let what = format!("there is a rendition named {name} already");
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        self.delivery.transforms.insert(name, transform);
        Ok(self)
    }

    /// Sets the scopes that count for owners: media must be owned in one of them. Links are not asked.
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

    /// Sets pages of which origins may embed what links open. What owners get with a cookie is for this
    /// origin only.
    pub fn links_embedded_by(mut self, policy: ResourcePolicy) -> Self {
        self.delivery.links_embedded_by = policy;
        self
    }

    /// Takes the owner from the extractor `X`, like
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

    /// Makes the routes, for a router of any state.
    pub fn into_router<T>(self) -> Router<T>
    where
        T: Clone + Send + Sync + 'static,
        S: Clone + Send + Sync + 'static,
    {
        let delivery = Arc::new(self.delivery);
        let link = |naming| from_fn_with_state((Arc::clone(&delivery), naming), by_link);
        let file = get(by_owner).route_layer(self.guard).layer(link(Naming::File));
        let transform = get(unsigned_transform).layer(link(Naming::Transform));
        Router::new()
            .route("/media/{media_id}/file", file.clone())
            .route("/media/{media_id}/file/{rendition}", file)
            .route("/media/{media_id}/transform", transform)
            .with_state(delivery)
    }
}

impl<S> fmt::Debug for DeliveryRoutes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryRoutes")
            .field("guard", &self.guard)
            .field("transforms", &self.delivery.transforms)
            .field("links_embedded_by", &self.delivery.links_embedded_by)
            .finish()
    }
}

impl ResourcePolicy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::SameSite => "same-site",
            Self::CrossOrigin => "cross-origin",
        }
    }
}
