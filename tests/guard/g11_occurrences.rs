//! g11_occurrences
