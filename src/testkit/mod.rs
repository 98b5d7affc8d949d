//! Tools for an application's own tests: fault injection, the replay harness, and conformance checks.
//!
//! - [`Faulty`] wraps any backend and injects failures, hangs, panics, and wrong answers.
//! - [`Replay`] sends the requests of an attacker to every guarded route, and reports those that passed.
//! - [`OwnedMedia::for_test`](crate::OwnedMedia::for_test) calls a handler without a request.

pub mod conformance;
mod faulty;
pub(crate) mod guard_registry;
#[cfg(feature = "images")]
mod image_processor;
mod replay;

#[cfg(feature = "images")]
#[doc(hidden)]
pub use self::image_processor::Images;
pub use self::{
    faulty::{Fault, Faulty},
    replay::{Finding, Replay, Report},
};
