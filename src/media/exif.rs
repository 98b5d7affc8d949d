//! Image metadata: dimensions and format for everyone, EXIF for the owner.

use serde::{Deserialize, Serialize};

/// The dimensions and format of an image, for everyone who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Metadata {
    /// The width in pixels as displayed, after the EXIF orientation: a portrait photograph is higher than wide.
    pub width: u32,
    /// The height in pixels as displayed.
    pub height: u32,
    /// The name of the format: `jpeg`, `png`, `gif`, `webp`, or `heif` for HEIC and AVIF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// `true` if the file can hold transparent pixels, even if all pixels are opaque. JSON omits `false`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "utoipa", schema(required = false))]
    pub has_alpha: bool,
}

impl Metadata {
    /// Creates the metadata of an image of this size, without a format and without transparency.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, format: None, has_alpha: false }
    }
}

/// The EXIF data of a photograph. It can contain a home address: see [`Media::for_owner`](super::Media::for_owner).
///
/// The values are formatted as in the media protocol, such as `50mm`, `1/250` or `47.6603`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Exif {
    /// The maker of the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_make: Option<String>,
    /// The model of the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_model: Option<String>,
    /// The time of the exposure, in RFC 3339 if the file contains a complete date and time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_taken: Option<String>,
    /// The focal length with its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_length: Option<String>,
    /// The f-number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aperture: Option<String>,
    /// The ISO sensitivity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iso: Option<u32>,
    /// The exposure time in seconds, as a fraction below one second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_time: Option<String>,
    /// The latitude in decimal degrees, negative in the south.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gps_latitude: Option<String>,
    /// The longitude in decimal degrees, negative in the west.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gps_longitude: Option<String>,
}
