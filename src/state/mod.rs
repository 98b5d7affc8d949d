//! [`MediaState`]: the handle that an application keeps and its handlers use.

mod media_state;

pub use self::media_state::{MediaState, MediaStateBuilder, MissingMediaState};
