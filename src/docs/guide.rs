#![doc = include_str!("guide/contents.md")]
// Compiled by rustdoc only: there is no code here.

// Pages name items as users do, without a path.
use crate::*;

#[doc = include_str!("guide/layers.md")]
pub mod layers {}

#[doc = include_str!("guide/identity.md")]
pub mod identity {}

#[doc = include_str!("guide/ids.md")]
pub mod ids {}

#[doc = include_str!("guide/uploads.md")]
pub mod uploads {}

#[doc = include_str!("guide/delivery.md")]
pub mod delivery {}

#[doc = include_str!("guide/backends.md")]
pub mod backends {}

#[doc = include_str!("guide/errors.md")]
pub mod errors {}

#[doc = include_str!("guide/security.md")]
pub mod security {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/operations.md")]
pub mod operations {}

#[doc = include_str!("guide/migration.md")]
pub mod migration {}
