//! The body of an error response.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The JSON body of a response with an error status.
#[derive(Serialize, Deserialize)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) error: Cow<'a, str>,
}
