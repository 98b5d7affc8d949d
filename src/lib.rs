#![doc = include_str!("docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod backend;
mod docs;
pub mod error;
pub mod extract;
mod id;
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
#[cfg(feature = "sqlx")]
mod sql_text;
pub mod state;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod util;
pub mod verify;

#[cfg(feature = "derive")]
pub use tower_media_derive::MediaIds;

#[cfg(doc)]
pub use self::docs::guide;
pub use self::docs::promises;
#[cfg(feature = "remote")]
#[doc(inline)]
pub use self::remote::Remote;
#[cfg(feature = "store")]
#[doc(inline)]
pub use self::store::Store;
#[doc(inline)]
pub use self::{
    backend::InMemory,
    error::{Error, ErrorKind, Result},
    extract::{MediaIds, VerifiedMedia},
    id::{MediaId, UnverifiedId},
    media::{Media, Rendition, Upload},
    owner::{Owner, Scope, Scopes},
    ownership::{OwnedMedia, Ownership, OwnershipQuestion},
    state::MediaState,
    verify::VerifyMediaLayer,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
