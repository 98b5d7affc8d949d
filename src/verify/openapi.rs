//! The responses of the guard and the schemas of ids in an application's OpenAPI document.

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

/// The grammar of an id as a schema, which [`InvalidMediaId`](crate::error::InvalidMediaId) describes.
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

/// The responses of a guarded route in addition to those of its handler. List it among the responses of an
/// operation: `#[utoipa::path(responses(VerifyMediaRejection, …))]`.
impl IntoResponses for VerifyMediaRejection {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [
            ("401", "The request has no authenticated owner"),
            ("404", "At least one of the media ids was not found; `missing` names them"),
            ("413", "The request body is larger than this route allows"),
            ("422", "Too few or too many media ids, or an invalid one; `limit` is the bound"),
            ("502", "The ownership check failed"),
            ("503", "The ownership check is unavailable; try again after `Retry-After`"),
            ("504", "The ownership check timed out; try again"),
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
