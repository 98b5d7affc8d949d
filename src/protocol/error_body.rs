//! The body of an error response.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::record;
use crate::media::FailureReason;

/// The JSON body of a response with an error status.
#[derive(Serialize, Deserialize)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) error: Cow<'a, str>,
    /// The reason why a rendition cannot be made. Absent from the original service.
    #[serde(
        default,
        deserialize_with = "record::failure_reason",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) reason: Option<FailureReason>,
}
