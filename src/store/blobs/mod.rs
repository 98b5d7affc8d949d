//! Blobs by key: in a folder of this machine, or in an object store.

mod blob_store;
mod disk;

pub(crate) use self::disk::Found;

pub(crate) use self::blob_store::{
    Blobs, all_renditions_key, content_key, content_of, contents_key, damaged, rendition_of,
    renditions_key,
};
