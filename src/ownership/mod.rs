//! The ownership query and the proof.
//!
//! An [`Ownership`] answers an [`OwnershipQuestion`] about many ids with one query. The answer becomes
//! [`OwnedMedia`], the proof, only if it covers every id of the question and no other id.

#[cfg(feature = "remote")]
pub(crate) mod cache;
mod ids;
mod proof;
mod question;

pub use self::{
    ids::IdCollector,
    proof::OwnedMedia,
    question::{Ownership, OwnershipQuestion, OwnershipStatus},
};
pub(crate) use self::{
    ids::IdSet,
    proof::{Claim, contained, verify},
    question::DynOwnership,
};
