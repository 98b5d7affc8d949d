//! [`MediaState`]: the handle that an application keeps and its handlers use.

mod admin;
mod builder;
mod extractor;
mod media_state;

pub use self::{
    admin::Admin, builder::MediaStateBuilder, extractor::MissingMediaState, media_state::MediaState,
};
