#![doc = include_str!("../docs/verify.md")]

mod future;
mod guard;
mod layer;
mod observe;
#[cfg(feature = "utoipa")]
mod openapi;
mod service;

pub use self::{
    future::ResponseFuture,
    guard::{ByClosure, ByTrait, IdSource},
    layer::VerifyMediaLayer,
    service::VerifyMedia,
};
