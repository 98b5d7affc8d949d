//! What differs from the recorded service on purpose, and why. The docs of `ServiceRoutes` say the same.
//!
//! A row covers exactly the fields, values and files that it is about: anything else fails the test.

use super::difference::Difference;

/// A row of the table, and the differences that it is about.
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

mod records;
mod requests;

/// All rows. The first that covers a difference explains it.
pub fn explained() -> Vec<&'static Explained> {
    records::ROWS.iter().chain(requests::ROWS).collect()
}
