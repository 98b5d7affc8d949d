//! The guard's refusals, each of which is a response.

use std::{error::Error as StdError, fmt, sync::Arc};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    error::Error,
    id::{InvalidMediaId, UnverifiedId},
    problem::Problem,
};

/// Why [`VerifyMedia`](crate::verify::VerifyMedia) refused a request.
///
/// As a response it is `application/problem+json`; `VerifyMediaLayer::on_reject` puts another body
/// in its place. Whoever made the body, the rejection is in the extensions of the response, where
/// an outer layer finds it.
///
/// What the extractor itself refuses is not here: its own rejection is passed through unchanged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum VerifyMediaRejection {
    /// 401
    MissingOwner(MissingOwner),
    /// 404
    NoSuchRoute(NoSuchRoute),
    /// 413 or 400
    UnreadableBody(UnreadableBody),
    /// 422
    InvalidIds(InvalidIds),
    /// 422
    TooFewIds(TooFewIds),
    /// 422
    TooManyIds(TooManyIds),
    /// 404
    MediaNotOwned(MediaNotOwned),
    /// 503, 504, 502 or 500
    CheckFailed(CheckFailed),
    /// 500
    WrongWiring(WrongWiring),
}

/// Nobody is signed in, or what signed them in names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingOwner;

/// The extractor reads path parameters, and the router found no route for the path: `Router::layer`
/// puts a layer on the fallback as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoSuchRoute;

/// The body is larger than axum's body limit, or broke off.
#[derive(Debug, Clone)]
pub struct UnreadableBody {
    pub(crate) too_large: bool,
}

/// `VerifyMediaLayer::with_ids` found something in the payload that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidIds(pub(crate) InvalidMediaId);

/// The payload carries fewer ids than the route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFewIds {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) found: usize,
}

/// The payload carries more distinct ids than the route allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyIds {
    pub(crate) min: usize,
    pub(crate) max: usize,
}

/// At least one id is not the owner's: unknown, removed, another's, or in another scope. The answer
/// is the same for all of these (promise G5).
#[derive(Debug, Clone)]
pub struct MediaNotOwned {
    pub(crate) missing: Arc<[UnverifiedId]>,
}

/// The question could not be answered, so nothing is known of the ids.
#[derive(Debug, Clone)]
pub struct CheckFailed(pub(crate) Arc<Error>);

/// The layer was declared in a way that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongWiring {
    pub(crate) extractor: &'static str,
    pub(crate) reason: &'static str,
}

impl UnreadableBody {
    /// Returns whether the body is larger than the limit, rather than broken off.
    pub fn is_too_large(&self) -> bool {
        self.too_large
    }
}

impl TooFewIds {
    /// Returns how many distinct ids the payload carries.
    pub fn found(&self) -> usize {
        self.found
    }

    /// Returns the least number of distinct ids that the route needs.
    pub fn min(&self) -> usize {
        self.min
    }
}

impl TooManyIds {
    /// Returns the greatest number of distinct ids that the route allows.
    pub fn max(&self) -> usize {
        self.max
    }
}

impl MediaNotOwned {
    /// Returns the ids that are not the owner's, in the caller's spelling and order.
    pub fn missing(&self) -> impl ExactSizeIterator<Item = &str> {
        self.missing.iter().map(UnverifiedId::text)
    }
}

impl CheckFailed {
    /// Returns what kept the question from being answered.
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl VerifyMediaRejection {
    /// Returns the problem that the client is told.
    pub fn problem(&self) -> Problem {
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        match self {
            Self::MissingOwner(_) => Problem::new(
                StatusCode::UNAUTHORIZED,
                "not-signed-in",
                "Sign in to refer to media.",
            ),
            Self::NoSuchRoute(_) => Problem::new(
                StatusCode::NOT_FOUND,
                "no-such-route",
                "There is nothing at this path.",
            ),
            Self::UnreadableBody(UnreadableBody { too_large: true }) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The request body is larger than this route allows.",
            ),
            Self::UnreadableBody(_) => Problem::new(
                StatusCode::BAD_REQUEST,
                "body-unreadable",
                "The request body could not be read to its end.",
            ),
            Self::InvalidIds(InvalidIds(error)) => Problem::new(
                unprocessable,
                "invalid-media-id",
                format!("The request holds something that is not a media id: {error}."),
            ),
            Self::TooFewIds(TooFewIds { min, max, found }) => Problem::new(
                unprocessable,
                "too-few-media-ids",
                format!("This needs {}, and the request has {found}.", count(*min, *max)),
            )
            .with_limit(*min),
            Self::TooManyIds(TooManyIds { min, max }) => Problem::new(
                unprocessable,
                "too-many-media-ids",
                format!("This takes {}, and the request has more.", count(*min, *max)),
            )
            .with_limit(*max),
            Self::MediaNotOwned(not_owned) => {
                Error::not_owned(not_owned.missing.to_vec()).problem()
            }
            Self::CheckFailed(CheckFailed(error)) => error.problem(),
            Self::WrongWiring(wiring) => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "wrong-wiring", wiring.to_string())
            }
        }
    }

    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        self.problem().status
    }

    /// Returns the text for people: one or two sentences without internals.
    pub fn body_text(&self) -> String {
        self.problem().detail.into_owned()
    }

    /// A bounded name for logs and metrics (promise G16).
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::MissingOwner(_) => "missing_owner",
            Self::NoSuchRoute(_) => "no_such_route",
            Self::UnreadableBody(_) => "unreadable_body",
            Self::InvalidIds(_) => "invalid_ids",
            Self::TooFewIds(_) => "too_few_ids",
            Self::TooManyIds(_) => "too_many_ids",
            Self::MediaNotOwned(_) => "not_owned",
            Self::CheckFailed(_) => "check_failed",
            Self::WrongWiring(_) => "wrong_wiring",
        }
    }
}

/// How many ids a route takes, in words.
fn count(min: usize, max: usize) -> String {
    match (min, max) {
        (1, 1) => "exactly one media id".to_owned(),
        (min, max) if min == max => format!("exactly {min} media ids"),
        (min, max) => format!("{min} to {max} media ids"),
    }
}

impl fmt::Display for WrongWiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { extractor, reason } = self;
        write!(f, "`VerifyMediaLayer::<{extractor}>` {reason}.")
    }
}

impl fmt::Display for VerifyMediaRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.body_text())
    }
}

impl StdError for VerifyMediaRejection {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::CheckFailed(CheckFailed(error)) => Some(&**error),
            Self::InvalidIds(InvalidIds(error)) => Some(error),
            _ => None,
        }
    }
}

impl IntoResponse for VerifyMediaRejection {
    fn into_response(self) -> Response {
        self.problem().into_response()
    }
}

impl IntoResponse for MissingOwner {
    fn into_response(self) -> Response {
        VerifyMediaRejection::MissingOwner(self).into_response()
    }
}

/// Either a refusal of the guard, or the answer of somebody's extractor, passed through.
#[derive(Debug)]
pub enum Refusal {
    /// The guard's own.
    Guard(VerifyMediaRejection),
    /// The extractor's, unchanged.
    Extractor(Response),
}

impl From<VerifyMediaRejection> for Refusal {
    fn from(rejection: VerifyMediaRejection) -> Self {
        Self::Guard(rejection)
    }
}

/// `VerifiedMedia` was extracted where no [`VerifyMediaLayer`](crate::VerifyMediaLayer) put one: 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingVerifyMediaLayer {
    pub(crate) extractor: &'static str,
    pub(crate) taken: bool,
}

impl MissingVerifyMediaLayer {
    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    /// Returns what is wrong with the wiring, and how to mend it.
    pub fn body_text(&self) -> String {
        let extractor = self.extractor;
        if self.taken {
            return format!(
                "`VerifiedMedia<{extractor}>` was extracted twice from one request. Take it once \
                 and pass it on, or take a bare `VerifiedMedia`, which gives the proof alone."
            );
        }
        format!(
            "`VerifiedMedia<{extractor}>` was extracted, but no `VerifyMediaLayer::<{extractor}>` \
             ran. Put the layer on this route with exactly this extractor; `Router::layer` covers \
             only routes that were added before it."
        )
    }
}

impl fmt::Display for MissingVerifyMediaLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.body_text())
    }
}

impl StdError for MissingVerifyMediaLayer {}

impl IntoResponse for MissingVerifyMediaLayer {
    fn into_response(self) -> Response {
        tracing::error!(extractor = self.extractor, "{self}");
        Problem::new(self.status(), "wrong-wiring", self.body_text()).into_response()
    }
}
