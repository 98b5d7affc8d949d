//! g02_wiring
