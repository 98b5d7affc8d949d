//! The guard's answers and the ids in an application's OpenAPI document.

use std::{borrow::Cow, collections::BTreeMap};

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{
        Content, ObjectBuilder, RefOr, Response, ResponseBuilder,
        schema::{Schema, Type},
    },
};

use crate::{
    extract::VerifyMediaRejection,
    id::{MediaId, UnverifiedId},
    problem::Problem,
};

/// The grammar of an id as a schema: what [`InvalidMediaId`](crate::error::InvalidMediaId) says in words.
fn id_schema(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .min_length(Some(1))
        .max_length(Some(128))
        .pattern(Some("^(?!\\.{1,2}$)[A-Za-z0-9_.:~-]+$"))
        .into()
}

impl PartialSchema for UnverifiedId {
    fn schema() -> RefOr<Schema> {
        id_schema("The id of media that the caller owns")
    }
}

impl ToSchema for UnverifiedId {
    fn name() -> Cow<'static, str> {
        "OwnedMediaId".into()
    }
}

impl PartialSchema for MediaId {
    fn schema() -> RefOr<Schema> {
        id_schema("The id of media")
    }
}

impl ToSchema for MediaId {}

/// What a guarded route answers beside what its handler does. Name it among an operation's
/// responses: `#[utoipa::path(responses(VerifyMediaRejection, …))]`.
impl IntoResponses for VerifyMediaRejection {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [
            ("401", "Nobody is signed in"),
            ("404", "At least one of the media ids was not found; `missing` names them"),
            ("413", "The request body is larger than this route allows"),
            ("422", "Too few or too many media ids, or one that is none; `limit` is the bound"),
            ("502", "The media could not be checked"),
            ("503", "The media could not be reached; try again after `Retry-After`"),
            ("504", "The media did not answer in time; try again"),
        ]
        .into_iter()
        .map(|(status, description)| {
            let content = Content::new(Some(Problem::schema()));
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", content)
                .build();
            (status.to_owned(), response.into())
        })
        .collect()
    }
}
