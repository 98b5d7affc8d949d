//! The promises of the guard, one file for each number of the contract.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

#[path = "../common/log.rs"]
mod log;
mod support;

mod attack;
mod g01_fails_closed;
mod g02_wiring;
mod g03_empty;
mod g04_all_or_nothing;
mod g05_no_oracle;
mod g06_bounded;
mod g07_same_value;
mod g08_seeing_grants_nothing;
mod g09_owner;
mod g10_spelling;
mod g11_occurrences;
mod g12_fresh;
mod g13_tower;
mod g14_order;
mod g15_unforgeable;
mod g16_observed;
mod g17_one_owner;
mod g19_built;
mod p11_multipart;
mod replay;
mod shapes;
