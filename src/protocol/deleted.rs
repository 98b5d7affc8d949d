//! `DELETE /{id}`.

use serde::Serialize;

/// The body of the response to a successful delete.
#[derive(Serialize)]
pub(crate) struct DeletedResponse {
    success: bool,
}

impl DeletedResponse {
    pub(crate) const SUCCESS: Self = Self { success: true };
}
