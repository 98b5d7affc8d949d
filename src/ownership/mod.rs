//! The question that everything here turns on: *which of these ids does this owner own?*
//!
//! An [`Ownership`] answers an [`OwnershipQuestion`] about many ids at once. The answer becomes
//! [`OwnedMedia`], the proof, only if it covers every id asked and no other.

mod ids;
mod proof;
mod question;

pub use self::{
    ids::IdCollector,
    proof::OwnedMedia,
    question::{DynOwnership, Ownership, OwnershipQuestion, OwnershipStatus},
};
pub(crate) use self::{
    ids::IdSet,
    proof::{Claim, contained, verify},
};
