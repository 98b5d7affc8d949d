//! `POST /owned`: the ownership query.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The body of a `POST /owned` request.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnedQuery<'a> {
    pub(crate) user_id: Cow<'a, str>,
    /// The scopes to search; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) apps: Option<Vec<Cow<'a, str>>>,
    pub(crate) ids: Vec<Cow<'a, str>>,
}

/// The body of the response to `POST /owned`: those of the ids that the user owns.
#[derive(Serialize, Deserialize)]
pub(crate) struct OwnedResponse<'a> {
    pub(crate) owned: Vec<Cow<'a, str>>,
}
