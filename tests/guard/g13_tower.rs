//! g13_tower
