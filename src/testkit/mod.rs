//! For an application's own tests: a backend that fails on command, and the replay harness.
//!
//! - [`Faulty`] wraps any backend and makes it fail, hang, panic, or answer wrongly.
//! - [`Replay`] sends every guarded route what an attacker would send, and reports what got through.
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
