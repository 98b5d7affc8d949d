//! The replay harness: sends the requests of an attacker to every guarded route of an application.

mod attack;
mod exchange;
mod reach;
mod report;

use std::{collections::BTreeMap, fmt};

use axum::{Router, extract::Request, http};
use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use self::report::{Finding, Report};
use self::{attack::Attack, exchange::Reached};
use crate::{
    error::Result,
    id::MediaId,
    media::Upload,
    owner::{Owner, Scope},
    state::MediaState,
};

/// Sends the requests of an attacker to every guarded route, and reports those that passed.
///
/// It runs in an application's own tests, against its real router and over any backend. The application
/// describes for each route how a request with given ids looks, and how a request is signed in. The
/// harness reads the rest from the guards: the number of ids that they accept and their scopes. It uploads
/// media for two owners, and then sends ids of the other owner, mixed batches, deleted, unknown and malformed
/// ids, ids of another scope, too few and too many ids, and requests without a login. The guard must refuse
/// each of them, for the right reason, with a response that does not distinguish foreign ids from unknown
/// ones (promises G3 to G6, G10, G14).
///
/// It also reports every guard of this [`MediaState`] that no request reached: a layer that is cloned onto
/// two routes is two guards, so a forgotten route shows up. [`leave_out`](Self::leave_out) excludes a
/// route on purpose. A control request with the caller's own ids, which the handler must accept, shows that
/// the refusals are due to the ids.
///
/// Handlers run only with the caller's own media, a few times per route. Handlers of `any(..)` and of
/// fallbacks also receive such requests with the method `REPLAY`, on the paths of the routes and above
/// them.
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
    owners: Owners,
    // By the name of the route.
    owners_of_route: BTreeMap<String, Owners>,
    left_out: Vec<String>,
    sign_in: Box<SignIn>,
    supply: Box<Supply>,
    routes: Vec<Route>,
}

/// The owner who sends the requests, and the owner whose media they must not reach.
struct Owners {
    caller: Owner,
    other: Owner,
}

type SignIn = dyn Fn(&mut Request, &Owner) + Send + Sync;
type Supply = dyn Fn(Owner, Vec<Scope>) -> BoxFuture<'static, Result<MediaId>> + Send + Sync;
type Build = dyn Fn(&[&str]) -> http::Result<Request> + Send + Sync;

struct Route {
    name: String,
    // The greatest number of ids in a request; guards may accept more.
    capacity: usize,
    build: Box<Build>,
}

impl Replay {
    /// Prepares to attack `app`, whose guards were made with `media` or a clone of it.
    ///
    /// # Default
    ///
    /// The caller is `replay-caller` and the other owner `replay-other`; both are signed in by an
    /// [`Owner`] in the request's extensions; media is supplied by an upload.
    pub fn new(app: Router, media: MediaState) -> Self {
        let uploads = media.clone();
        let owner = |subject| Owner::new(subject).expect("a subject");
        Self {
            // Makes the services of all routes, and with them their guards, once.
            app: app.with_state(()),
            media,
            owners: Owners { caller: owner("replay-caller"), other: owner("replay-other") },
            owners_of_route: BTreeMap::new(),
            left_out: Vec::new(),
            sign_in: Box::new(|request, owner| {
                request.extensions_mut().insert(owner.clone());
            }),
            supply: Box::new(move |owner, scopes| {
                Box::pin(upload_to_scopes(uploads.clone(), owner, scopes))
            }),
            routes: Vec::new(),
        }
    }

    /// Sets the owner who sends the requests, and the owner whose media they must not reach.
    pub fn owners(mut self, caller: Owner, other: Owner) -> Self {
        self.owners = Owners { caller, other };
        self
    }

    /// Sets the owners for the route of this name, such as two teams for a route that acts for a team.
    /// The function of [`sign_in`](Self::sign_in) receives the caller of the route.
    pub fn route_owners(mut self, name: impl Into<String>, caller: Owner, other: Owner) -> Self {
        self.owners_of_route.insert(name.into(), Owners { caller, other });
        self
    }

    /// Leaves a route out, by its method and path, such as `POST /webhooks/{id}`, or by the name of a
    /// route of this replay.
    ///
    /// Its guard is then not reported as unreached. To find the guard, one request without ids and body is
    /// sent to the method and path; a guard that accepts requests without ids lets it pass to the handler.
    pub fn leave_out(mut self, name: impl Into<String>) -> Self {
        self.left_out.push(name.into());
        self
    }

    /// Sets the function that signs a request in, such as with a token or a cookie.
    pub fn sign_in(
        mut self,
        sign_in: impl Fn(&mut Request, &Owner) + Send + Sync + 'static,
    ) -> Self {
        self.sign_in = Box::new(sign_in);
        self
    }

    /// Sets the function that makes an owner the owner of new media in some scopes, if an upload does not:
    /// for an application's own [`Ownership`](crate::Ownership), insert a row into its table.
    pub fn supply<F, Fut>(mut self, supply: F) -> Self
    where
        F: Fn(Owner, Vec<Scope>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<MediaId>> + Send + 'static,
    {
        self.supply = Box::new(move |owner, scopes| Box::pin(supply(owner, scopes)));
        self
    }

    /// Adds a route, with a name for the report, and a function that builds a request with these ids.
    pub fn route(
        mut self,
        name: impl Into<String>,
        build: impl Fn(&[&str]) -> http::Result<Request> + Send + Sync + 'static,
    ) -> Self {
        let route = Route { name: name.into(), capacity: usize::MAX, build: Box::new(build) };
        self.routes.push(route);
        self
    }

    /// Adds a route whose request has one id, such as one in the path. For a request without ids, the
    /// id is empty. If text cannot be sent, the function may fail; that counts as a refusal.
    pub fn route_with_one(
        mut self,
        name: impl Into<String>,
        build: impl Fn(&str) -> http::Result<Request> + Send + Sync + 'static,
    ) -> Self {
        let build = move |ids: &[&str]| build(ids.first().copied().unwrap_or_default());
        self.routes.push(Route { name: name.into(), capacity: 1, build: Box::new(build) });
        self
    }

    /// Sends all requests and returns the report.
    ///
    /// # Panics
    ///
    /// If media cannot be supplied, or [`route_owners`](Self::route_owners) or
    /// [`leave_out`](Self::leave_out) name no route.
    pub async fn run(self) -> Report {
        let is_route = |name: &String| self.routes.iter().any(|route| route.name == *name);
        for name in self.owners_of_route.keys() {
            assert!(
                is_route(name),
                "`route_owners` names {name:?}, which is not a route of this replay"
            );
        }
        let mut report = Report::default();
        let mut reached = Reached::new();
        for route in &self.routes {
            if !self.left_out.contains(&route.name) {
                Attack::on(&self, route, &mut report, &mut reached).run().await;
            }
        }
        self.reach_left_out(&mut report, &mut reached).await;
        self.report_unreached(&reached, &mut report);
        report
    }

    fn owners_of(&self, route: &str) -> &Owners {
        self.owners_of_route.get(route).unwrap_or(&self.owners)
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<&str> = self.routes.iter().map(|route| route.name.as_str()).collect();
        f.debug_struct("Replay").field("routes", &routes).finish_non_exhaustive()
    }
}

/// Uploads the same new content to each of the scopes.
async fn upload_to_scopes(media: MediaState, owner: Owner, scopes: Vec<Scope>) -> Result<MediaId> {
    let content = Bytes::from(format!("replay {}", MediaId::random()));
    let mut id = None;
    for scope in scopes {
        let upload = Upload::new(content.clone()).scope(scope);
        id = Some(media.upload(&owner, upload).await?.id);
    }
    Ok(id.expect("there is at least one scope"))
}
