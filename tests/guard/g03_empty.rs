//! g03_empty
