//! Media records and everything that describes, carries, or selects media.

mod download;
mod download_response;
mod exif;
mod failure_reason;
mod file_name;
#[cfg(any(feature = "images", feature = "store"))]
mod fitted;
mod listing;
mod mime;
mod parse;
mod range;
mod record;
mod rendition;
mod search;
mod transform;
mod upload;
mod upload_file;
mod upload_pump;
mod urls;
mod variant;

#[cfg(feature = "routes")]
pub(crate) use self::download_response::{InlineType, headers_of, is_http_date, make_safe};
pub(crate) use self::upload_file::{length as file_length, read as read_file};
pub use crate::id::ContentHash;

#[cfg(feature = "store")]
pub(crate) use self::search::TypeFilter;
pub use self::{
    download::{Download, DownloadOptions},
    exif::{Exif, Metadata},
    failure_reason::FailureReason,
    listing::{ListOptions, MediaStats, Page},
    mime::is_raster_image,
    parse::ParseNameError,
    range::{ByteRange, ContentRange},
    record::{Media, MediaStatus, OwnerView},
    rendition::Rendition,
    search::{SearchOptions, SearchPage, SortBy},
    transform::{Fit, Format, Transform},
    upload::{Upload, UploadBody, UploadParts},
    urls::MediaUrls,
    variant::Variant,
};
pub(crate) use self::{file_name::display_name, mime::media_type, upload_pump::pump};
#[cfg(feature = "images")]
pub(crate) use self::{
    fitted::{covering, inside},
    mime::sniff,
};
