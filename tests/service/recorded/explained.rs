//! What differs from the recorded service on purpose, and why. The docs of `ServiceRoutes` say the same.

use std::fmt;

use super::compare::Difference;

/// A row of the table.
pub struct Explained {
    pub was: &'static str,
    pub is: &'static str,
    pub why: &'static str,
    pub covers: fn(&Difference) -> bool,
}

impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.was, self.is)
    }
}

pub const EXPLAINED: &[Explained] = &[];
