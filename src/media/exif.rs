//! Image metadata: dimensions and format for everyone, EXIF for the owner.

use serde::{Deserialize, Serialize};

/// What a picture is, as far as anyone may know who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Metadata {
    /// Pixels from left to right, as it is shown: a photograph taken upright is higher than wide.
    pub width: u32,
    /// Pixels from top to bottom, as it is shown.
    pub height: u32,
    /// The name of the format: `jpeg`, `png`, `gif`, `webp`, or `heif` for HEIC and AVIF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Whether the file can hold transparent pixels, though all may be opaque. In JSON only if so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "utoipa", schema(required = false))]
    pub has_alpha: bool,
}

impl Metadata {
    /// Names a size; format and transparency are set through the fields.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, format: None, has_alpha: false }
    }
}

/// What a camera wrote into a picture. It can tell where somebody lives: see [`Media::for_owner`](super::Media::for_owner).
///
/// The texts are those of the media protocol, such as `50mm`, `1/250` or `47.6603`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Exif {
    /// Maker of the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_make: Option<String>,
    /// Model of the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_model: Option<String>,
    /// When the picture was taken, as RFC 3339 where the file says so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_taken: Option<String>,
    /// Focal length with its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_length: Option<String>,
    /// The f-number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aperture: Option<String>,
    /// Sensitivity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iso: Option<u32>,
    /// Exposure time in seconds, as a fraction below one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_time: Option<String>,
    /// Decimal degrees, south negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gps_latitude: Option<String>,
    /// Decimal degrees, west negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gps_longitude: Option<String>,
}
