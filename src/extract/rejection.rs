//! The rejections of the guard and of its extractors. Each one is a response.

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

/// The reason why [`VerifyMedia`](crate::verify::VerifyMedia) refused a request.
///
/// As a response it is `application/problem+json`; `VerifyMediaLayer::on_reject` replaces that. In both
/// cases the rejection is in the extensions of the response, for outer layers.
///
/// A rejection of the extractor is not included: it is passed through unchanged.
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

/// The request has no authenticated owner, or an invalid one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingOwner;

/// The extractor reads path parameters, and no route matched the path: `Router::layer` puts the layer on
/// the fallback as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoSuchRoute;

/// The body is larger than axum's body limit, or ended early.
#[derive(Debug, Clone)]
pub struct UnreadableBody {
    pub(crate) too_large: bool,
}

/// The closure of `VerifyMediaLayer::with_ids` found invalid text in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidIds(pub(crate) InvalidMediaId);

/// The payload carries fewer ids than the route requires.
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

/// At least one id is not owned: unknown, deleted, of another owner, or in another scope. The response
/// is the same for all of these (promise G5).
#[derive(Debug, Clone)]
pub struct MediaNotOwned {
    pub(crate) missing: Arc<[UnverifiedId]>,
}

/// The ownership query failed, so it is unknown whether the ids are owned.
#[derive(Debug, Clone)]
pub struct CheckFailed(pub(crate) Arc<Error>);

/// The layer is at a place where it cannot work. The log at level `error` names its extractor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongWiring {
    pub(crate) reason: &'static str,
}

impl UnreadableBody {
    /// Returns `true` if the body is larger than the limit, and `false` if it ended early.
    pub fn is_too_large(&self) -> bool {
        self.too_large
    }
}

impl TooFewIds {
    /// Returns the number of distinct ids that the payload carries.
    pub fn found(&self) -> usize {
        self.found
    }

    /// Returns the smallest number of distinct ids that the route accepts.
    pub fn min(&self) -> usize {
        self.min
    }
}

impl TooManyIds {
    /// Returns the greatest number of distinct ids that the route accepts.
    pub fn max(&self) -> usize {
        self.max
    }
}

impl MediaNotOwned {
    /// Returns the ids that are not owned, in the spelling and order of the request.
    pub fn missing(&self) -> impl ExactSizeIterator<Item = &str> {
        self.missing.iter().map(UnverifiedId::text)
    }
}

impl CheckFailed {
    /// Returns the error of the ownership query.
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl VerifyMediaRejection {
    /// Returns the problem details for the client.
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

    /// Returns the text of the response: one or two sentences without internals.
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

/// Formats the range of ids that a route accepts.
fn count(min: usize, max: usize) -> String {
    match (min, max) {
        (1, 1) => "exactly one media id".to_owned(),
        (min, max) if min == max => format!("exactly {min} media ids"),
        (min, max) => format!("{min} to {max} media ids"),
    }
}

impl fmt::Display for WrongWiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`VerifyMediaLayer` {}.", self.reason)
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

/// A refusal of the guard, or the response of an extractor, passed through.
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

/// The reason why [`VerifiedMedia`](crate::VerifiedMedia) could not be extracted: 500.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifiedMediaRejection {
    /// No layer with this extractor ran, or the value was extracted before.
    #[error(transparent)]
    MissingVerifyMediaLayer(#[from] MissingVerifyMediaLayer),
    /// The request's extensions hold another `MediaState` than the layer verified with.
    #[error(transparent)]
    MismatchedMediaState(#[from] MismatchedMediaState),
}

/// The reason why [`MediaState`](crate::MediaState) could not be extracted: 500.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaStateRejection {
    /// The request's extensions hold no `MediaState`.
    #[error(transparent)]
    MissingMediaState(#[from] MissingMediaState),
    /// The request's extensions hold another `MediaState` than the layer verified with.
    #[error(transparent)]
    MismatchedMediaState(#[from] MismatchedMediaState),
}

/// `VerifiedMedia` was extracted, but no [`VerifyMediaLayer`](crate::VerifyMediaLayer) with this
/// extractor ran, or the value was extracted before: 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingVerifyMediaLayer {
    pub(crate) extractor: &'static str,
    pub(crate) taken: bool,
}

/// [`MediaState`](crate::MediaState) was extracted, but [`MediaState::layer`](crate::MediaState::layer)
/// inserted none into the request: 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`MediaState` was extracted, but is not in the request's extensions. Add `.layer(media.layer())` \
     to the router, after the routes that need it."
)]
#[non_exhaustive]
pub struct MissingMediaState;

/// The request was verified with one [`MediaState`](crate::MediaState), and another one is in its
/// extensions: 500 (promise G19).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The media ids of this request were verified by {verified}, but its extensions hold {inserted}. \
     Give `VerifyMediaLayer` and `.layer(media.layer())` clones of one `MediaState`."
)]
pub struct MismatchedMediaState {
    /// The numbers, which the response names, and the names for the log.
    pub(crate) numbers: (usize, usize),
    pub(crate) verified: String,
    pub(crate) inserted: String,
}

impl fmt::Display for MissingVerifyMediaLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extractor = self.extractor;
        if self.taken {
            return write!(
                f,
                "`VerifiedMedia<{extractor}>` was extracted twice from one request. Take it once and \
                 pass it on, or take a bare `VerifiedMedia`, which gives the proof alone."
            );
        }
        write!(
            f,
            "`VerifiedMedia<{extractor}>` was extracted, but no `VerifyMediaLayer::<{extractor}>` ran. \
             Put the layer on this route with exactly this extractor; `Router::layer` covers only \
             routes that were added before it."
        )
    }
}

impl StdError for MissingVerifyMediaLayer {}

/// Rejections of the handler's own extractors, all of which are errors in the wiring. `Display` is for
/// the log and names Rust types; `body_text` is for the response and names the layer and the cure.
macro_rules! wrong_wiring {
    ($($rejection:ident, $this:ident => $body_text:expr;)*) => {
        $(impl $rejection {
            /// Returns the status of the response.
            pub fn status(&self) -> StatusCode {
                StatusCode::INTERNAL_SERVER_ERROR
            }

            /// Returns the text of the response: the error in the wiring, and the way to correct it,
            /// without the types of the application. `Display`, which the log prints, has those too.
            pub fn body_text(&self) -> String {
                let $this = self;
                $body_text
            }
        }

        impl IntoResponse for $rejection {
            fn into_response(self) -> Response {
                tracing::error!("{self}");
                Problem::new(self.status(), "wrong-wiring", self.body_text()).into_response()
            }
        })*
    };
}

wrong_wiring! {
    VerifiedMediaRejection, this => match this {
        Self::MissingVerifyMediaLayer(rejection) => rejection.body_text(),
        Self::MismatchedMediaState(rejection) => rejection.body_text(),
    };
    MediaStateRejection, this => match this {
        Self::MissingMediaState(rejection) => rejection.body_text(),
        Self::MismatchedMediaState(rejection) => rejection.body_text(),
    };
    MissingVerifyMediaLayer, this => if this.taken {
        "`VerifiedMedia` was extracted twice from one request. Take it once and pass it on, or take a \
         bare `VerifiedMedia`, which gives the proof alone."
            .to_owned()
    } else {
        "`VerifiedMedia` was extracted, but no `VerifyMediaLayer` with its extractor ran. Put the layer \
         on this route with exactly the extractor of the handler, which the log names; \
         `Router::layer` covers only routes that were added before it."
            .to_owned()
    };
    MissingMediaState, this => this.to_string();
    MismatchedMediaState, this => {
        let (verified, inserted) = this.numbers;
        format!(
            "The media ids of this request were verified by `MediaState` {verified}, but its \
             extensions hold `MediaState` {inserted}. Give `VerifyMediaLayer` and \
             `.layer(media.layer())` clones of one `MediaState`."
        )
    };
}
