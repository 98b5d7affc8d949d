//! g07_same_value
