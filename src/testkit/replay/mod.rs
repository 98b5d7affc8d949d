//! The replay harness: what an attacker would send, to every guarded route of an application.

mod attack;
mod report;

use std::{collections::BTreeSet, fmt};

use axum::{Router, extract::Request, http};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use self::attack::Attack;
pub use self::report::{Finding, Report};
use crate::{
    error::Result,
    id::MediaId,
    media::Upload,
    owner::{Owner, Scope},
    state::MediaState,
};

/// Sends every guarded route what an attacker would send, and reports what got through.
///
/// It runs in an application's own tests, against its real router and over any backend. For each
/// route the application says how a request with given ids looks, and how somebody signs in; the rest
/// the harness reads from the guards: how many ids they allow and in which scopes they count. It
/// uploads media for two people and then sends another user's ids, mixed batches, removed, unknown and
/// malformed ids, ids of another scope, too few and too many, and requests without a login. Each has
/// to be refused by the guard, for the right reason, with an answer that tells foreign from unknown
/// ids in nothing (promise G3–G6, G10, G14). Guards of the same [`MediaState`] that no route led to
/// are reported as well.
///
/// Handlers run only with the caller's own media, once or twice per route.
///
/// # Example
///
/// ```
/// use axum::{Json, Router, extract::{Path, Request}, http::header, routing::{get, post}};
/// use tower_media::{testkit::Replay, MediaState, UnverifiedId, VerifiedMedia, VerifyMediaLayer};
///
/// fn app(media: &MediaState) -> Router {
///     Router::new()
///         .route("/posts", post(|_: VerifiedMedia| async {}).layer(
///             VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media.clone()).scopes(["me"]).id_count(1..=8),
///         ))
///         .route("/pictures/{id}", get(|_: VerifiedMedia| async {}).layer(
///             VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone()),
///         ))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let media = MediaState::in_memory();
/// Replay::new(app(&media), media)
///     .route("POST /posts", |ids| {
///         Request::post("/posts")
///             .header(header::CONTENT_TYPE, "application/json")
///             .body(serde_json::json!(ids).to_string().into())
///     })
///     .route_with_one("GET /pictures/{id}", |id| Request::get(format!("/pictures/{id}")).body("".into()))
///     .run()
///     .await
///     .assert_clean();
/// # }
/// ```
#[must_use = "nothing is sent until `run`"]
pub struct Replay {
    app: Router,
    media: MediaState,
    caller: Owner,
    other: Owner,
    sign_in: Box<SignIn>,
    supply: Box<Supply>,
    routes: Vec<Route>,
}

type SignIn = dyn Fn(&mut Request, &Owner) + Send + Sync;
type Supply = dyn Fn(Owner, Vec<Scope>) -> BoxFuture<'static, Result<MediaId>> + Send + Sync;
type Build = dyn Fn(&[&str]) -> http::Result<Request> + Send + Sync;

struct Route {
    name: String,
    // How many ids a request can hold; guards may allow more.
    capacity: usize,
    build: Box<Build>,
}

impl Replay {
    /// Prepares to attack `app`, whose guards and uploads go through `media`: the guards have to be
    /// made with this very state, or with a clone of it.
    ///
    /// # Default
    ///
    /// The caller is `replay-caller` and the other person `replay-other`; both are signed in by an
    /// [`Owner`] in the request's extensions; media is supplied by uploading it.
    pub fn new(app: Router, media: MediaState) -> Self {
        let uploads = media.clone();
        Self {
            app,
            media,
            caller: Owner::new("replay-caller").expect("a subject"),
            other: Owner::new("replay-other").expect("a subject"),
            sign_in: Box::new(|request, owner| {
                request.extensions_mut().insert(owner.clone());
            }),
            supply: Box::new(move |owner, scopes| {
                Box::pin(upload_somewhere(uploads.clone(), owner, scopes))
            }),
            routes: Vec::new(),
        }
    }

    /// Sets who calls, and whose media must stay out of reach.
    pub fn people(mut self, caller: Owner, other: Owner) -> Self {
        (self.caller, self.other) = (caller, other);
        self
    }

    /// Sets how a request is signed in: with a token, a cookie, whatever the application checks.
    pub fn sign_in(
        mut self,
        sign_in: impl Fn(&mut Request, &Owner) + Send + Sync + 'static,
    ) -> Self {
        self.sign_in = Box::new(sign_in);
        self
    }

    /// Sets how somebody comes to own new media in some scopes, where an upload is not enough: with
    /// an [`Ownership`](crate::Ownership) of the application's own, insert a row into its table.
    pub fn supply<F, Fut>(mut self, supply: F) -> Self
    where
        F: Fn(Owner, Vec<Scope>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<MediaId>> + Send + 'static,
    {
        self.supply = Box::new(move |owner, scopes| Box::pin(supply(owner, scopes)));
        self
    }

    /// Adds a route by a name for the report, and by how a request with these ids looks.
    pub fn route(
        mut self,
        name: impl Into<String>,
        build: impl Fn(&[&str]) -> http::Result<Request> + Send + Sync + 'static,
    ) -> Self {
        let route = Route { name: name.into(), capacity: usize::MAX, build: Box::new(build) };
        self.routes.push(route);
        self
    }

    /// Adds a route whose request holds one id, such as one in the path. Where no ids are tried, the
    /// id is empty. A text that cannot be sent at all may fail to build; it is then taken as refused.
    pub fn route_with_one(
        mut self,
        name: impl Into<String>,
        build: impl Fn(&str) -> http::Result<Request> + Send + Sync + 'static,
    ) -> Self {
        let build = move |ids: &[&str]| build(ids.first().copied().unwrap_or_default());
        self.routes.push(Route { name: name.into(), capacity: 1, build: Box::new(build) });
        self
    }

    /// Sends everything and reports.
    ///
    /// # Panics
    ///
    /// If media cannot be supplied: then nothing could be said about any route.
    pub async fn run(self) -> Report {
        let mut report = Report::default();
        let mut reached = BTreeSet::new();
        for route in &self.routes {
            reached.extend(Attack::on(&self, route, &mut report).run().await);
        }
        for (number, guard) in self.media.guards().all().iter().enumerate() {
            if !reached.contains(&number) {
                let scopes = guard.scopes.as_slice().map_or("any scope".to_owned(), |scopes| {
                    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
                });
                let what = format!(
                    "no route led to `VerifyMediaLayer::<{}>` with {:?} ids in {scopes}",
                    guard.extractor, guard.ids
                );
                report.find("(none)", "every guard is reached", what);
            }
        }
        report
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<&str> = self.routes.iter().map(|route| route.name.as_str()).collect();
        f.debug_struct("Replay").field("routes", &routes).finish_non_exhaustive()
    }
}

/// Uploads the same new content in each of the scopes.
async fn upload_somewhere(media: MediaState, owner: Owner, scopes: Vec<Scope>) -> Result<MediaId> {
    let content = Bytes::from(format!("replay {}", MediaId::random()));
    let mut id = None;
    for scope in scopes {
        let upload = Upload::new(content.clone()).scope(scope);
        id = Some(media.upload(&owner, upload).await?.id);
    }
    Ok(id.expect("there is at least one scope"))
}
