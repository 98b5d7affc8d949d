//! Extractors for guarded routes, the ids in their payloads, and the guard's rejections.
//!
//! - [`MediaIds`] lists the media ids of a payload.
//! - [`VerifiedMedia`] gives a handler the extracted value and the proof of ownership.
//! - [`MultipartForm`] is a multipart form whose ids are verified before its files are read.
//! - [`IdList`], [`empty_as_none`] and [`Skip`] are for query strings, HTML forms and foreign types.
//! - [`GuardedExtractor`] runs any axum extractor and restores the request for the handler.
//! - [`VerifyMediaRejection`] lists the refusals of the guard.

mod guarded;
mod ids;
mod media_state;
mod multipart;
mod owner;
mod rejection;
mod skip;
mod text;
mod verified;

#[cfg(feature = "routes")]
pub(crate) use self::multipart::{Part, Reader, reader};
pub use crate::ownership::IdCollector;

pub use self::{
    guarded::GuardedExtractor,
    ids::MediaIds,
    multipart::{FilePart, MultipartForm},
    rejection::{
        CheckFailed, InvalidIds, MediaNotOwned, MediaStateRejection, MismatchedMediaState,
        MissingMediaState, MissingOwner, MissingVerifyMediaLayer, NoSuchRoute, TooFewIds,
        TooManyIds, UnreadableBody, VerifiedMediaRejection, VerifyMediaRejection, WrongWiring,
    },
    skip::Skip,
    text::{IdList, empty_as_none},
    verified::VerifiedMedia,
};
pub(crate) use self::{
    owner::OwnerSource,
    rejection::Refusal,
    verified::{outer_owner, seal},
};
