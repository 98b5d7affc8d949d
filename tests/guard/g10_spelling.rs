//! g10_spelling
