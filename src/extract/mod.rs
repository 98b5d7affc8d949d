//! What the guard takes out of a request, and what a handler takes out of the guard.
//!
//! - [`MediaIds`] says which ids a payload carries.
//! - [`OwnerSource`] says who is asking.
//! - [`GuardedExtractor`] runs any axum extractor and gives the request back.
//! - [`MultipartForm`] is a multipart form whose ids are verified before its files are read.
//! - [`VerifiedMedia`] is what the handler gets.

mod guarded;
mod ids;
mod multipart;
mod owner;
mod rejection;
mod verified;

#[cfg(feature = "routes")]
pub(crate) use self::multipart::{Part, Reader, is_file, reader};
pub use self::{
    guarded::{GuardedExtractor, ViaBody, ViaParts, ViaStream},
    ids::MediaIds,
    multipart::{FilePart, MultipartForm},
    owner::{OwnerExtension, OwnerFrom, OwnerSource},
    rejection::{
        CheckFailed, InvalidIds, MediaNotOwned, MissingOwner, MissingVerifyMediaLayer, NoSuchRoute,
        TooFewIds, TooManyIds, UnreadableBody, VerifyMediaRejection, WrongWiring,
    },
    verified::VerifiedMedia,
};
pub(crate) use self::{rejection::Refusal, verified::seal};
