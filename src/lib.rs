#![doc = include_str!("docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod backend;
mod docs;
mod error;
pub mod extract;
mod id;
#[cfg(feature = "store")]
mod image;
pub mod media;
mod owner;
mod ownership;
mod problem;
#[cfg(any(feature = "remote", feature = "routes"))]
mod protocol;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "routes")]
pub mod routes;
mod state;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod util;
pub mod verify;

#[cfg(doc)]
pub use self::docs::guide;
pub use self::docs::promises;

#[cfg(feature = "remote")]
#[doc(inline)]
pub use self::remote::{Remote, RemoteBuilder};
#[cfg(feature = "routes")]
pub use self::routes::{LinkOptions, UrlSigner};
#[cfg(feature = "testkit")]
pub use self::testkit::conformance;
#[cfg(feature = "store")]
#[doc(inline)]
pub use self::{
    image::ImageLimits,
    store::{MakeVariants, Store, StoreBuilder},
};
#[cfg(feature = "derive")]
pub use tower_media_derive::MediaIds;

#[doc(inline)]
pub use self::{
    backend::{DownloadedMedia, InMemory, MediaBackend, MediaBackendExt},
    error::{Error, ErrorKind, Result},
    extract::{MediaIds, VerifiedMedia},
    id::{ContentHash, InvalidContentHash, InvalidMediaId, MediaId, UnverifiedId},
    media::{
        ByteRange, ContentRange, Download, DownloadOptions, Exif, Fit, Format, ListOptions, Media,
        MediaStats, MediaStatus, MediaUrls, Metadata, OwnerView, Page, ParseVariantError,
        Rendition, SearchOptions, SearchPage, SortBy, Transform, Upload, UploadBody, UploadParts,
        Variant, is_raster_image,
    },
    owner::{InvalidOwner, InvalidScope, Owner, Scope, Scopes},
    ownership::{
        DynOwnership, IdCollector, OwnedMedia, Ownership, OwnershipQuestion, OwnershipStatus,
    },
    problem::Problem,
    state::{Admin, MediaState, MediaStateBuilder},
    verify::VerifyMediaLayer,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
