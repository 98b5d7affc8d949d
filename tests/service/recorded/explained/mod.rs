//! Intended differences from the original service, with reasons. The docs of `ServiceRoutes` have the same table.
//!
//! A row covers exactly its fields, values and files: any other difference fails the test.

use super::difference::Difference;

/// A row of the table, and a predicate of its differences.
pub struct Explained {
    pub was: &'static str,
    pub is: &'static str,
    pub why: &'static str,
    pub covers: fn(&Difference) -> bool,
}

macro_rules! explained {
    ($($was:literal, $is:literal, $why:literal, $covers:expr;)*) => {
        &[$(Explained { was: $was, is: $is, why: $why, covers: $covers }),*]
    };
}

mod compatible;
mod records;
mod requests;

/// All rows. The first row that covers a difference explains it.
pub fn explained() -> Vec<&'static Explained> {
    records::ROWS.iter().chain(requests::ROWS).collect()
}

/// The rows that only `ServiceRoutes::compatible` needs.
pub fn explained_if_compatible() -> &'static [Explained] {
    compatible::ROWS
}
