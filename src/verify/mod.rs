#![doc = include_str!("../docs/verify.md")]

mod check;
mod future;
mod ids;
mod layer;
mod observe;
#[cfg(feature = "utoipa")]
mod openapi;
mod routing_position;
mod service;

pub use self::{future::ResponseFuture, layer::VerifyMediaLayer, service::VerifyMedia};
