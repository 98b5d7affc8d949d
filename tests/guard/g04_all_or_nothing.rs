//! g04_all_or_nothing
