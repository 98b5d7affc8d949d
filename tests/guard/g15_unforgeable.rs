//! g15_unforgeable
