//! The promises of the routes: one file for each number of the contract.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

#[path = "../common/log.rs"]
mod log;
mod support;

mod all_or_none;
mod content_types;
mod g05_no_oracle;
mod g08_seeing_grants_nothing;
mod g09_owner;
mod g16_observed;
mod g18_clients;
mod g18_refusal_arrives;
mod p08_safe_headers;
mod p10_limits;
mod p12_parameters;
mod p13_ranges;
mod p14_ignored_parameters;
mod p14_signed_urls;
mod p16_cross_site;
mod p17_fair_shares;
mod p17_min_rate;
mod r07_overload;
mod u_tus;
mod u_tus_crash;
mod uploads;
