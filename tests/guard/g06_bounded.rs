//! g06_bounded
