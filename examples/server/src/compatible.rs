//! The parts of `COMPATIBLE`.

use tower_media::{backend::ImageLimits, routes::ServiceRoutes};

use crate::Result;

/// A behavior of the original service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    AppOwners,
    KeepSmallFormats,
    VariantNames,
    HeicAsJpeg,
    LargeImages,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::AppOwners,
        Self::KeepSmallFormats,
        Self::VariantNames,
        Self::HeicAsJpeg,
        Self::LargeImages,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::AppOwners => "app-owners",
            Self::KeepSmallFormats => "keep-small-formats",
            Self::VariantNames => "variant-names",
            Self::HeicAsJpeg => "heic-as-jpeg",
            Self::LargeImages => "large-images",
        }
    }

    fn is_built(self) -> bool {
        self != Self::HeicAsJpeg || cfg!(feature = "heic")
    }

    /// Parses `1`, `0`, or the names of parts. `1` is every part of this build.
    pub(crate) fn parse(value: &str) -> Result<Vec<Self>> {
        match value {
            "0" => Ok(Vec::new()),
            "1" => Ok(Self::ALL.into_iter().filter(|part| part.is_built()).collect()),
            names => names.split(',').map(str::trim).map(Self::named).collect(),
        }
    }

    fn named(name: &str) -> Result<Self> {
        let Some(part) = Self::ALL.into_iter().find(|part| part.name() == name) else {
            let names = Self::ALL.map(Self::name).join(", ");
            return Err(
                format!("COMPATIBLE: {name:?} is unknown; use 1, 0, or some of {names}").into()
            );
        };
        match part.is_built() {
            true => Ok(part),
            false => Err(format!("COMPATIBLE: {name} needs a server with the feature heic").into()),
        }
    }

    pub(crate) fn apply(self, routes: ServiceRoutes) -> ServiceRoutes {
        match self {
            Self::AppOwners => routes.app_owners(),
            Self::KeepSmallFormats => routes.keep_small_formats(),
            Self::VariantNames => routes.variant_names(),
            #[cfg(feature = "heic")]
            Self::HeicAsJpeg => routes.heic_as_jpeg(),
            #[cfg(not(feature = "heic"))]
            Self::HeicAsJpeg => routes,
            Self::LargeImages => routes,
        }
    }
}

/// The limits of images: with `large-images`, any side up to 50 megapixels, and HEIC up to 26 megapixels.
pub(crate) fn image_limits(parts: &[Part]) -> ImageLimits {
    let limits = ImageLimits::default();
    if parts.contains(&Part::LargeImages) {
        limits.with_max_side(65_535).with_max_memory(512 << 20)
    } else {
        limits
    }
}
