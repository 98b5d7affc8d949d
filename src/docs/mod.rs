//! The guide and the promises, as pages of the docs.

#[cfg(doc)]
// Some pages name items of features.
#[cfg_attr(
    not(all(
        feature = "store",
        feature = "images",
        feature = "remote",
        feature = "routes",
        feature = "testkit",
        feature = "tus"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
pub mod guide;

#[doc = include_str!("promises.md")]
pub mod promises {}
