//! Who is let through, and to what.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    ResourcePolicy,
    address::{Address, no_such_media},
    answer::{Access, Order},
    transform::transform,
};
use crate::{
    error::Result,
    extract::VerifiedMedia,
    media::{Rendition, Transform, Variant, make_safe},
    problem::Problem,
    routes::signed_url::{Grant, LinkOptions, NotSigned},
    state::MediaState,
};

/// What is delivered, and how.
#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) media: MediaState,
    pub(super) transforms: BTreeMap<String, Transform>,
    pub(super) links_embedded_by: ResourcePolicy,
}

/// Where the path says which rendition it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Naming {
    File,
    Transform,
}

impl Delivery {
    /// The rendition of a name.
    pub(super) fn named(&self, name: &str) -> Option<Rendition> {
        let variant = name.parse::<Variant>().ok();
        let transform = || self.transforms.get(name).copied().map(Rendition::Transform);
        variant.map(Rendition::Variant).or_else(transform)
    }

    /// What a file's path names, or `None` if there is no rendition of that name.
    fn rendition(&self, address: &Address) -> Option<Rendition> {
        match &address.rendition {
            None => Some(Rendition::Original),
            Some(name) => self.named(name),
        }
    }

    /// Whether the request's URL has been signed, and for what.
    fn link(
        &self,
        naming: Naming,
        address: &Address,
        query: &str,
    ) -> Result<(Rendition, Access), NotSigned> {
        let rendition = match naming {
            Naming::File => self.rendition(address),
            Naming::Transform => transform(query).ok().map(Rendition::Transform),
        };
        let (Some(signer), Some(rendition)) = (self.media.url_signer(), rendition) else {
            return Err(NotSigned::Unsigned);
        };
        let grant = Grant { id: address.id.text(), options: LinkOptions::new(rendition) };
        let (options, left) = signer.verify(grant, query)?;
        Ok((rendition, Access::Link { left, attachment: options.is_attachment() }))
    }
}

/// Answers a request whose URL is signed; any other goes on to the guard.
pub(super) async fn by_link(
    State((delivery, naming)): State<(Arc<Delivery>, Naming)>,
    address: Result<Address>,
    RawQuery(query): RawQuery,
    request: Request,
    next: Next,
) -> Response {
    let query = query.unwrap_or_default();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // No path that is given out has one: decoded it would be a second text of the same URL.
    let is_plain = !request.uri().path().contains('%');
    let link = match &address {
        Ok(address) if reads && is_plain => delivery.link(naming, address, &query),
        _ => Err(NotSigned::Unsigned),
    };
    let mut policy = ResourcePolicy::default();
    let mut response = match (link, address) {
        (Ok((rendition, access)), Ok(address)) => {
            policy = delivery.links_embedded_by;
            // The signature is the proof: it was made for a `MediaId`.
            let id = address.id.to_candidate();
            let order = Order { id: &id, rendition, access };
            order.answer(&delivery.media, request.method(), request.headers()).await
        }
        (link, _) => {
            let response = next.run(request).await;
            let nobody = response.status() == StatusCode::UNAUTHORIZED;
            let expired = matches!(link, Err(NotSigned::Invalid));
            if nobody && expired { invalid_link() } else { response }
        }
    };
    make_safe(response.headers_mut());
    response.headers_mut().insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static(policy.as_str()),
    );
    response
}

/// Delivers to an owner: what the guard has verified.
pub(super) async fn by_owner(
    State(delivery): State<Arc<Delivery>>,
    VerifiedMedia(address, owned): VerifiedMedia<Address>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(rendition) = delivery.rendition(&address) else {
        let detail = "There is no rendition of this name.";
        return Problem::new(StatusCode::NOT_FOUND, "no-such-rendition", detail).into_response();
    };
    let order = Order { id: &owned[&address.id], rendition, access: Access::Owner };
    order.answer(&delivery.media, &method, &headers).await
}

/// Refuses a transform that nobody has signed: how many there are must be the application's decision
/// (promise P12).
pub(super) async fn unsigned_transform(
    address: Result<Address>,
    RawQuery(query): RawQuery,
) -> Response {
    if address.is_err() {
        return no_such_media().into_response();
    }
    match transform(&query.unwrap_or_default()) {
        Ok(_) => invalid_link(),
        Err(error) => error.into_response(),
    }
}

fn invalid_link() -> Response {
    let detail = "The link has expired, or it is not one that was given out.";
    Problem::new(StatusCode::FORBIDDEN, "invalid-link", detail).into_response()
}
