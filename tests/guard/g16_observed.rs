//! g16_observed
