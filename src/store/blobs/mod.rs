//! Content-addressed blobs: in a local folder, or in an object store.

mod blob_store;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod bucket;
mod multipart;
mod persist;
mod presigner;

pub(super) use self::{
    blob_store::{
        Blobs, all_blobs_prefix, all_renditions_prefix, blob_key, damaged, is_disk_full,
        parse_blob_key, parse_rendition_key, rendition_key, renditions_prefix,
    },
    persist::{BlobRead, BlobSource, new_temp_file, not_written},
};
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub(super) use self::{bucket::BucketConfig, presigner::Presigner};
