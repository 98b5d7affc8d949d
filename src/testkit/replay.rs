//! The replay harness: what an attacker would send, to every guarded route of an application.

use std::{collections::BTreeSet, fmt};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{self, HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tower_service::Service as _;

use crate::{
    declared::{Declaration, Probe, Sighting, Verdict},
    error::Result,
    id::MediaId,
    owner::{Owner, Scope},
    state::MediaState,
    upload::Upload,
};

/// The most ids that the harness sends to find out whether one too many is refused.
const MAX_SENT: usize = 10_000;

/// Texts that are no ids. Some can stand in a URL as they are, so that they reach a path parameter.
const MALFORMED: [&str; 9] =
    ["..", ".", "a%2Fb", "a%20b", "a%00", "a/b", "a b", "\u{ff11}\u{ff12}", "%C3%A9"];

/// Sends every guarded route what an attacker would send, and reports what got through.
///
/// It runs in an application's own tests, against its real router and over any backend. For each
/// route the application says how a request with given ids looks, and how somebody signs in; the rest
/// the harness reads from the guards: how many ids they allow and in which scopes they count. It
/// uploads media for two people and then sends another user's ids, mixed batches, removed, unknown and
/// malformed ids, ids of another scope, too few and too many, and requests without a login. Each has
/// to be refused by the guard, for the right reason, with an answer that tells foreign from unknown
/// ids in nothing (contract G3–G6, G10, G14). Guards of the same [`MediaState`] that no route led to
/// are reported as well.
///
/// Handlers run only with the caller's own media, once or twice per route.
///
/// # Example
///
/// ```
/// use axum::{Json, Router, extract::{Path, Request}, http::header, routing::{get, post}};
/// use tower_media::{MediaState, UnverifiedId, VerifiedMedia, VerifyMediaLayer, testkit::Replay};
///
/// fn app(media: &MediaState) -> Router {
///     Router::new()
///         .route("/posts", post(|_: VerifiedMedia| async {}).layer(
///             VerifyMediaLayer::<Json<Vec<UnverifiedId>>, _>::new(media.clone()).scopes(["me"]).ids(1..=8),
///         ))
///         .route("/pictures/{id}", get(|_: VerifiedMedia| async {}).layer(
///             VerifyMediaLayer::<Path<UnverifiedId>, _>::new(media.clone()),
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
    /// Prepares to attack `app`, whose guards and uploads go through `media`.
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
    /// an [`Ownership`](crate::Ownership) of the application's own.
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

    /// Adds a route whose request holds exactly one id, such as one in the path. A text that cannot
    /// be sent at all may fail to build; it is then taken as refused.
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
                report.findings.push(Finding {
                    route: "(none)".to_owned(),
                    case: "every guard is reached".to_owned(),
                    what: format!(
                        "no route led to `VerifyMediaLayer::<{}, _>` with {:?} ids in {:?}",
                        guard.extractor, guard.ids, guard.scopes
                    ),
                });
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
        let upload = Upload::new(content.clone()).owned_by(&owner).scope(scope);
        id = Some(media.upload(upload).await?.id);
    }
    Ok(id.expect("there is at least one scope"))
}

/// What [`Replay`] found.
#[derive(Debug, Default)]
#[must_use = "a report is there to be looked at"]
pub struct Report {
    requests: usize,
    findings: Vec<Finding>,
}

/// Something that should not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    route: String,
    case: String,
    what: String,
}

impl Report {
    /// Returns how many requests were sent.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Returns what should not have happened.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Panics with all findings, if there are any.
    ///
    /// # Panics
    ///
    /// See above.
    pub fn assert_clean(&self) {
        let list: String = self.findings.iter().map(|finding| format!("\n- {finding}")).collect();
        assert!(self.findings.is_empty(), "guarded routes let through or went wrong:{list}");
    }
}

impl Finding {
    /// Returns the route, by the name it was given.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Returns what was tried.
    pub fn case(&self) -> &str {
        &self.case
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, case, what } = self;
        write!(f, "{route}: {case}: {what}")
    }
}

/// One route under attack.
struct Attack<'a> {
    replay: &'a Replay,
    route: &'a Route,
    report: &'a mut Report,
    guards: BTreeSet<usize>,
}

/// What came of one request.
struct Outcome {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    sightings: Vec<Sighting>,
}

impl<'a> Attack<'a> {
    fn on(replay: &'a Replay, route: &'a Route, report: &'a mut Report) -> Self {
        Self { replay, route, report, guards: BTreeSet::new() }
    }

    /// Attacks, and returns the guards that were met.
    async fn run(mut self) -> BTreeSet<usize> {
        let Some(own) = self.own_id_that_passes().await else { return self.guards };
        let (min, max) = self.bounds();
        let replay = self.replay;
        let scopes = self.scopes();
        let foreign = self.supply(&replay.other, scopes.clone()).await;
        let unknown = MediaId::random().to_string();
        let more = self.own_ids(&scopes, min.max(1), own.clone()).await;

        // Signed in as nobody, with ids that would be fine.
        self.refused("nobody is signed in", None, &more, &["missing_owner", "extractor"]).await;

        let caller = Some(&replay.caller);
        let not_owned = &["not_owned"];
        let with = |id: &str| replaced(&more, id);
        let foreign_answer =
            self.refused("an id of another user", caller, &with(&foreign), not_owned).await;
        let unknown_answer =
            self.refused("an unknown id", caller, &with(&unknown), not_owned).await;
        if let (Some(foreign_answer), Some(unknown_answer)) = (foreign_answer, unknown_answer)
            && foreign_answer.without(&foreign) != unknown_answer.without(&unknown)
        {
            self.find("foreign and unknown", "the answers tell one from the other");
        }
        let removed = self.supply(&replay.caller, scopes.clone()).await;
        let id = MediaId::from_trusted(&removed).expect("it was an id when it was supplied");
        if let Ok(true) = replay.media.remove(&replay.caller, &id).await {
            self.refused("a removed id", caller, &with(&removed), not_owned).await;
        }
        if self.declarations().iter().any(|guard| guard.scopes.as_slice().is_some()) {
            let elsewhere = Scope::new("replay-elsewhere").expect("a scope");
            let elsewhere = self.supply(&replay.caller, vec![elsewhere]).await;
            self.refused("an own id of another scope", caller, &with(&elsewhere), not_owned).await;
        }
        if max > more.len() {
            let mut mixed = more.clone();
            mixed.push(foreign.clone());
            self.refused("own ids and one of another user", caller, &mixed, not_owned).await;
            mixed.push(foreign.clone());
            self.refused("a foreign id twice", caller, &mixed, not_owned).await;
        }
        if self.route.capacity > more.len() {
            let mut repeated = more.clone();
            repeated.push(own);
            self.passed("an own id twice", &repeated).await;
        }
        if min > 0 {
            self.refused(
                "no ids",
                caller,
                &[],
                &["too_few_ids", "invalid_ids", "extractor", "unrouted"],
            )
            .await;
        }
        if max < self.route.capacity && max < MAX_SENT {
            let many: Vec<String> = (0..=max).map(|_| MediaId::random().to_string()).collect();
            let mut reasons = vec!["too_many_ids", "extractor", "unreadable_body"];
            if self.guards.len() > 1 {
                // An outer guard that allows more asks about them first, and nobody owns them.
                reasons.push("not_owned");
            }
            self.refused("one id too many", caller, &many, &reasons).await;
        }
        for text in MALFORMED {
            let reasons = &["invalid_ids", "extractor", "unrouted"];
            let case = format!("the malformed id {text:?}");
            self.refused(&case, caller, &with(text), reasons).await;
        }
        self.guards
    }

    /// Learns which guards are on the route by sending the caller's own ids until they pass.
    async fn own_id_that_passes(&mut self) -> Option<String> {
        let case = "the caller's own ids";
        // Each guard shows itself only once those outside of it have let the request pass.
        loop {
            let known = self.guards.len();
            let scopes = self.scopes();
            let own = self.supply(&self.replay.caller, scopes.clone()).await;
            let min = self.bounds().0.max(1);
            let ids = self.own_ids(&scopes, min, own.clone()).await;
            let Some(outcome) = self.send(Some(&self.replay.caller), &ids).await else {
                self.find(case, "the request could not be built");
                return None;
            };
            self.guards.extend(outcome.sightings.iter().map(|sighting| sighting.guard));
            if self.guards.is_empty() {
                let what = format!(
                    "no guard was met (status {}): is the layer on this route, with the same \
                     `MediaState`, and does `sign_in` sign in?",
                    outcome.status
                );
                self.find(case, what);
                return None;
            }
            if outcome.all_passed(&self.guards) {
                return Some(own);
            }
            if self.guards.len() == known {
                let what = format!(
                    "were refused (status {}: {}), so nothing can be said of other refusals",
                    outcome.status,
                    String::from_utf8_lossy(&outcome.body)
                );
                self.find(case, what);
                return None;
            }
        }
    }

    async fn own_ids(&self, scopes: &[Scope], count: usize, first: String) -> Vec<String> {
        let mut ids = vec![first];
        while ids.len() < count.min(self.route.capacity) {
            ids.push(self.supply(&self.replay.caller, scopes.to_vec()).await);
        }
        ids
    }

    async fn supply(&self, owner: &Owner, scopes: Vec<Scope>) -> String {
        (self.replay.supply)(owner.clone(), scopes)
            .await
            .unwrap_or_else(|error| panic!("media for the replay could not be supplied: {error}"))
            .to_string()
    }

    fn declarations(&self) -> Vec<Declaration> {
        let all = self.replay.media.guards().all();
        self.guards.iter().map(|number| all[*number].clone()).collect()
    }

    /// How many ids all guards of the route together allow.
    fn bounds(&self) -> (usize, usize) {
        let guards = self.declarations();
        let min = guards.iter().map(|guard| *guard.ids.start()).max().unwrap_or(1);
        let max = guards.iter().map(|guard| *guard.ids.end()).min().unwrap_or(1);
        (min, max.min(self.route.capacity))
    }

    /// Scopes in which media counts for all guards of the route.
    fn scopes(&self) -> Vec<Scope> {
        let named = self.declarations();
        let first = named.iter().filter_map(|guard| guard.scopes.as_slice()?.first().cloned());
        let mut scopes: Vec<Scope> = first.collect();
        if scopes.is_empty() {
            scopes.push(Scope::new("replay").expect("a scope"));
        }
        scopes
    }

    async fn send(&mut self, who: Option<&Owner>, ids: &[String]) -> Option<Outcome> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut request = (self.route.build)(&ids).ok()?;
        let probe = Probe::default();
        request.extensions_mut().insert(probe.clone());
        if let Some(owner) = who {
            (self.replay.sign_in)(&mut request, owner);
        }
        self.report.requests += 1;
        let response = match self.replay.app.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.unwrap_or_default();
        let sightings = probe.sightings();
        Some(Outcome { status: parts.status, headers: parts.headers, body, sightings })
    }

    /// Expects a refusal for one of `reasons`, with a status that says so.
    async fn refused(
        &mut self,
        case: &str,
        who: Option<&Owner>,
        ids: &[String],
        reasons: &[&str],
    ) -> Option<Outcome> {
        // What cannot even be built cannot be sent by anybody.
        let outcome = self.send(who, ids).await?;
        let reason = outcome.reason();
        if outcome.all_passed(&self.guards) {
            self.find(case, format!("reached the handler (status {})", outcome.status));
        } else if who.is_some() && !reasons.contains(&reason) {
            let what = format!("was refused as {reason:?} instead of one of {reasons:?}");
            self.find(case, what);
        } else if outcome.status.is_success() || outcome.status.is_server_error() {
            self.find(case, format!("was refused, but with status {}", outcome.status));
        }
        Some(outcome)
    }

    async fn passed(&mut self, case: &str, ids: &[String]) {
        match self.send(Some(&self.replay.caller), ids).await {
            Some(outcome) if outcome.all_passed(&self.guards) => {}
            Some(outcome) => {
                self.find(case, format!("was refused (status {})", outcome.status));
            }
            None => self.find(case, "the request could not be built"),
        }
    }

    fn find(&mut self, case: &str, what: impl Into<String>) {
        let (route, case) = (self.route.name.clone(), case.to_owned());
        self.report.findings.push(Finding { route, case, what: what.into() });
    }
}

impl Outcome {
    fn all_passed(&self, guards: &BTreeSet<usize>) -> bool {
        let passed = |guard: &usize| {
            self.sightings.contains(&Sighting { guard: *guard, verdict: Verdict::Passed })
        };
        !guards.is_empty() && guards.iter().all(passed)
    }

    /// Why the request was refused, as far as the guards know.
    fn reason(&self) -> &'static str {
        match self.sightings.last().map(|sighting| sighting.verdict) {
            None => "unrouted",
            Some(Verdict::Passed) => "passed",
            Some(Verdict::Extractor) => "extractor",
            Some(Verdict::Guard(label)) => label,
        }
    }

    /// The answer without what the caller sent, and without what depends on its length or on time.
    fn without(&self, id: &str) -> (StatusCode, HeaderMap, String) {
        let mut headers = self.headers.clone();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::DATE);
        (self.status, headers, String::from_utf8_lossy(&self.body).replace(id, ""))
    }
}

/// `ids` with the last one replaced.
fn replaced(ids: &[String], id: &str) -> Vec<String> {
    let mut ids = ids.to_vec();
    if let Some(last) = ids.last_mut() {
        id.clone_into(last);
    }
    ids
}
