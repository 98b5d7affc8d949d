#![doc = include_str!("guide/contents.md")]
// Only rustdoc compiles this file. The imports let the pages link to items by their bare names.

#[cfg(feature = "remote")]
use crate::remote::*;
#[cfg(feature = "routes")]
use crate::routes::*;
#[cfg(feature = "store")]
use crate::store::*;
#[cfg(feature = "testkit")]
use crate::testkit::*;
use crate::{backend::*, error::*, extract::*, media::*, state::*, *};

#[doc = include_str!("guide/layers.md")]
pub mod layers {}

#[doc = include_str!("guide/identity.md")]
pub mod identity {}

#[doc = include_str!("guide/ids.md")]
pub mod ids {}

#[doc = include_str!("guide/uploads.md")]
pub mod uploads {}

#[doc = include_str!("guide/resumable.md")]
pub mod resumable {}

#[doc = include_str!("guide/delivery.md")]
pub mod delivery {}

#[doc = include_str!("guide/backends.md")]
pub mod backends {}

#[doc = include_str!("guide/buckets.md")]
pub mod buckets {}

#[doc = include_str!("guide/moving.md")]
pub mod moving {}

#[doc = include_str!("guide/errors.md")]
pub mod errors {}

#[doc = include_str!("guide/security.md")]
pub mod security {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/operations.md")]
pub mod operations {}

#[doc = include_str!("guide/many_machines.md")]
pub mod many_machines {}

#[doc = include_str!("guide/migration.md")]
pub mod migration {}
