//! [`MediaState`]: the handle that an application keeps and its handlers use.

mod admin;
mod builder;
mod inner;
mod media_state;

pub use self::{admin::Admin, builder::MediaStateBuilder, media_state::MediaState};
