//! g09_owner
