//! g14_order
