#![doc = include_str!("docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod backend;
mod docs;
mod error;
pub mod extract;
mod id;
#[cfg(feature = "embedded")]
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
#[cfg(feature = "embedded")]
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
#[cfg(feature = "embedded")]
#[doc(inline)]
pub use self::{
    image::PictureLimits,
    store::{Embedded, EmbeddedBuilder, MakeVariants},
};
#[cfg(feature = "derive")]
pub use tower_media_derive::MediaIds;

#[doc(inline)]
pub use self::{
    backend::{InMemory, MediaBackend, MediaBackendExt, Picture},
    error::{Error, ErrorKind, Result},
    extract::{MediaIds, VerifiedMedia},
    id::{ContentHash, InvalidContentHash, InvalidMediaId, MediaId, UnverifiedId},
    media::{
        ByteRange, ContentRange, Download, DownloadOptions, Exif, Fit, Format, ListAll,
        ListOptions, ListPage, Media, MediaStats, MediaStatus, MediaUrls, Metadata, OwnerView,
        Page, Rendition, SortBy, Transform, UnknownName, Upload, UploadBody, UploadClaims, Variant,
        is_raster_image,
    },
    owner::{InvalidOwner, InvalidScope, Owner, Scope, Scopes},
    ownership::{DynOwnership, IdCollector, OwnedMedia, Ownership, OwnershipQuestion, Standing},
    problem::Problem,
    state::{MediaState, MediaStateBuilder, MissingMediaState},
    verify::VerifyMediaLayer,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
