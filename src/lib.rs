#![doc = include_str!("docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "embedded")]
mod catalog;
#[cfg(feature = "testkit")]
mod declared;
mod delivered;
mod download;
mod error;
mod file_name;
mod id;
mod list;
mod media;
mod memory;
#[cfg(feature = "utoipa")]
mod openapi;
mod owner;
mod ownership;
#[cfg(feature = "embedded")]
mod pictures;
mod pieces;
mod problem;
mod range;
mod raster;
mod rendition;
#[cfg(feature = "routes")]
mod signing;
mod state;
mod upload;

pub mod backend;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod extract;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "routes")]
pub mod routes;
pub mod verify;

#[cfg(doc)]
// Some pages name items of features.
#[cfg_attr(
    not(all(feature = "embedded", feature = "remote", feature = "routes", feature = "testkit")),
    allow(rustdoc::broken_intra_doc_links)
)]
pub mod guide;
#[doc = include_str!("docs/promises.md")]
pub mod promises {}

#[cfg(feature = "testkit")]
pub mod conformance;
#[cfg(feature = "testkit")]
pub mod testkit;

#[cfg(feature = "remote")]
#[doc(inline)]
pub use self::remote::{Remote, RemoteBuilder};
#[cfg(feature = "routes")]
pub use self::signing::{LinkOptions, UrlSigner};
#[cfg(feature = "embedded")]
#[doc(inline)]
pub use self::{
    embedded::{Embedded, EmbeddedBuilder, MakeVariants},
    pictures::PictureLimits,
};
#[cfg(feature = "derive")]
pub use tower_media_derive::MediaIds;

#[doc(inline)]
pub use self::{
    backend::{MediaBackend, MediaBackendExt, Picture},
    download::{Download, DownloadOptions},
    error::{Error, ErrorKind, Result},
    extract::{MediaIds, VerifiedMedia},
    id::{ContentHash, InvalidContentHash, InvalidMediaId, MediaId, UnverifiedId},
    list::{ListAll, ListOptions, ListPage, MediaStats, Page, SortBy},
    media::{Exif, Media, MediaStatus, MediaUrls, Metadata, OwnerView},
    memory::InMemory,
    owner::{InvalidOwner, InvalidScope, Owner, Scope, Scopes},
    ownership::{
        DynOwnership, IdCollector, OwnedMedia, Ownership, OwnershipQuestion, OwnershipStatus,
    },
    problem::Problem,
    range::{ByteRange, ContentRange},
    raster::is_raster_image,
    rendition::{Fit, Format, Rendition, Transform, UnknownName, Variant},
    state::{MediaState, MediaStateBuilder},
    upload::{Upload, UploadBody, UploadClaims},
    verify::VerifyMediaLayer,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
