//! The settings of the delivery routes.

use std::{collections::BTreeMap, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    media::{Rendition, Transform, Variant},
    state::MediaState,
};

/// The `Cross-Origin-Resource-Policy` of files that a signed URL opens: the pages that may embed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ResourcePolicy {
    /// Pages of the same origin.
    #[default]
    SameOrigin,
    /// Pages of the same site, such as `app.example.org` for `media.example.org`.
    SameSite,
    /// Pages of every origin.
    CrossOrigin,
}

impl ResourcePolicy {
    /// Sets the header of a response.
    pub(in crate::routes) fn insert_into(self, headers: &mut HeaderMap) {
        let policy = match self {
            Self::SameOrigin => "same-origin",
            Self::SameSite => "same-site",
            Self::CrossOrigin => "cross-origin",
        };
        let name = HeaderName::from_static("cross-origin-resource-policy");
        headers.insert(name, HeaderValue::from_static(policy));
    }
}

/// The MIME types, or kinds such as `video/*`, that browsers display besides raster images.
#[derive(Debug, Clone, Default)]
pub(in crate::routes) struct InlineTypes(pub(super) Vec<String>);

impl InlineTypes {
    pub(super) fn contains(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let kind = essence.split('/').next().unwrap_or_default();
        self.0.iter().any(|allowed| match allowed.strip_suffix("/*") {
            Some(allowed) => allowed.eq_ignore_ascii_case(kind),
            None => allowed.eq_ignore_ascii_case(essence),
        })
    }
}

/// The settings that the handlers share.
#[derive(Clone)]
pub(super) struct DeliveryConfig {
    pub(super) media: MediaState,
    pub(super) transforms: BTreeMap<String, Transform>,
    pub(super) cross_origin_resource_policy: ResourcePolicy,
    pub(super) inline_types: InlineTypes,
    /// How long the URL of a redirect is valid; `None` if the bytes are always delivered from here.
    pub(super) redirect: Option<Duration>,
}

/// Bounds the validity of the URL of a redirect.
pub(in crate::routes) fn redirect_expiry(expires_in: Duration) -> Duration {
    expires_in.clamp(Duration::from_secs(5), Duration::from_secs(60 * 60))
}

impl DeliveryConfig {
    /// Returns the rendition with this name.
    pub(super) fn named(&self, name: &str) -> Option<Rendition> {
        let variant = name.parse::<Variant>().ok();
        let transform = || self.transforms.get(name).copied().map(Rendition::Transform);
        variant.map(Rendition::Variant).or_else(transform)
    }
}
