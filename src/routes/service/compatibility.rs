//! Behavior of the original service that is off by default.

use super::{
    error::{NO_FILE, ServiceError},
    query,
};
use crate::{
    error::Result,
    id::MediaId,
    media::{Format, Media, Rendition, Transform, Variant},
    owner::Owner,
    state::MediaState,
};

/// The tenant of apps' owners. Users have no tenant, so no `userId` names such an owner.
const APP_TENANT: &str = "app";

/// The longest side of `small` in pixels.
const SMALL_SIDE: u32 = 400;

/// The quality of the JPEG that the original service makes of a HEIC.
const HEIC_QUALITY: u32 = 90;

/// The parts of [`ServiceRoutes::compatible`](super::ServiceRoutes::compatible).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compatibility {
    pub(super) app_owners: bool,
    pub(super) keep_small_formats: bool,
    pub(super) variant_names: bool,
    pub(super) heic_as_jpeg: bool,
}

impl Compatibility {
    /// Returns the user, or else the owner of the app.
    pub(super) fn owner(
        self,
        user_id: Option<&str>,
        app: Option<&str>,
    ) -> Result<Owner, ServiceError> {
        let app = match (user_id, app) {
            (None, Some(app)) if self.app_owners => app,
            _ => return query::owner(user_id),
        };
        let owner = Owner::new(app).and_then(|owner| owner.with_tenant(APP_TENANT));
        owner.map_err(|error| ServiceError::bad_request(format!("app: {error}")))
    }

    /// Returns the rendition for `GET /{id}/file`.
    pub(super) async fn original(self, media: &MediaState, id: &MediaId) -> Result<Rendition> {
        if self.heic_as_jpeg && is_heic(&media.get(id).await?) {
            let jpeg = Transform::new().with_format(Format::Jpeg).with_quality(HEIC_QUALITY);
            return Ok(jpeg.into());
        }
        Ok(Rendition::Original)
    }

    /// Returns the rendition for `GET /{id}/file/{name}`.
    pub(super) async fn named(
        self,
        media: &MediaState,
        id: &MediaId,
        name: &str,
    ) -> Result<Rendition, ServiceError> {
        if let Ok(variant) = name.parse::<Variant>() {
            // A thumbnail is a WebP in the original service, too.
            if !self.keep_small_formats || variant == Variant::Thumbnail {
                return Ok(variant.into());
            }
            let (media, transform) = (media.get(id).await?, variant.transform());
            let longest = media.metadata.as_ref().map(|size| size.width.max(size.height));
            return Ok(match longest {
                Some(longest) if Some(longest) <= transform.width() => {
                    transform.with_format(kept_format(&media)).into()
                }
                _ => variant.into(),
            });
        }
        match name {
            "original" if self.variant_names => Ok(self.original(media, id).await?),
            "small" if self.variant_names => {
                let format = kept_format(&media.get(id).await?);
                let small = Transform::new().with_width(SMALL_SIDE).with_height(SMALL_SIDE);
                Ok(small.with_format(format).into())
            }
            _ => Err(ServiceError::not_found(NO_FILE)),
        }
    }
}

/// Returns the format that clients can show which support the format of the original.
fn kept_format(media: &Media) -> Format {
    match &*media.mime_type {
        "image/jpeg" => Format::Jpeg,
        "image/png" | "image/gif" => Format::Png,
        _ if is_heic(media) => Format::Jpeg,
        _ => Format::WebP,
    }
}

fn is_heic(media: &Media) -> bool {
    matches!(&*media.mime_type, "image/heic" | "image/heif")
}
