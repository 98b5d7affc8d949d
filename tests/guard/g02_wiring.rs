//! G2: a misplaced guard answers 500 with the reason, and never lets a request pass.

use std::{
    any::type_name,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{FromRequestParts, Path, Query, Request},
    handler::Handler as _,
    http::{Method, StatusCode},
    response::Response,
    routing::{any, get, post},
};
use serde::Deserialize;
use serde_json::json;
use tower::{Layer as _, Service};
use tower_media::{
    MediaIds, MediaState, Scope, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::GuardedExtractor,
};

use super::{
    log::Log,
    support::{Answer, World, get as request, post_json, send},
};

type Posted = Json<Vec<UnverifiedId>>;
type InPath = Path<UnverifiedId>;

#[derive(Deserialize, MediaIds)]
struct Search {
    id: UnverifiedId,
}

/// Counts the calls of a handler.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn call(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The handler of most routes here: responds with the verified ids.
async fn show<E>(
    Extension(calls): Extension<Calls>,
    VerifiedMedia(_, owned): VerifiedMedia<E>,
) -> String {
    calls.call();
    let ids: Vec<_> = owned.ids().iter().map(|id| id.as_str()).collect();
    ids.join(" ")
}

/// An application, one id of Ana, and one of Bob.
struct Site {
    world: World,
    calls: Calls,
    own: String,
    foreign: String,
}

impl Site {
    async fn new() -> Self {
        let world = World::new();
        let own = world.upload(&world.ana, "me").await;
        let foreign = world.upload(&world.bob, "me").await;
        Self { world, calls: Calls::default(), own, foreign }
    }

    fn posted(&self) -> VerifyMediaLayer<Posted> {
        VerifyMediaLayer::new(self.world.media.clone())
    }

    fn in_path(&self) -> VerifyMediaLayer<InPath> {
        VerifyMediaLayer::new(self.world.media.clone())
    }

    async fn send(&self, routes: &Router, request: Request) -> Answer {
        let routes = routes.clone().layer(Extension(self.calls.clone()));
        send(&self.world.app(routes), request).await
    }

    fn post(&self, uri: &str, id: &str) -> Request {
        post_json(&self.world.ana, uri, &json!([id]))
    }

    /// Asserts that Ana's id passes and Bob's id does not.
    async fn assert_guards(&self, routes: &Router, request: impl Fn(&str) -> Request) {
        let calls = self.calls.count();
        let refused = self.send(routes, request(&self.foreign)).await;
        assert_eq!(refused.status, 404, "{}", refused.text());
        assert_eq!(refused.missing(), [self.foreign.as_str()]);
        assert_eq!(self.calls.count(), calls);

        let passed = self.send(routes, request(&self.own)).await;
        assert_eq!(passed.status, 200, "{}", passed.text());
        assert_eq!(passed.text(), self.own);
        assert_eq!(self.calls.count(), calls + 1);
    }

    async fn assert_guards_posts(&self, routes: &Router, uri: &str) {
        self.assert_guards(routes, |id| self.post(uri, id)).await;
    }

    /// Asserts that the response, even for Ana's own id, is a 500 with this text.
    /// The response names the layer and the cure, and the log the Rust type as well.
    async fn assert_wrong(&self, routes: &Router, request: Request, wrong: &Wrong) {
        let calls = self.calls.count();
        let log = Log::of("tower_media=error");
        let answer = self.send(routes, request).await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert_eq!(answer.json()["type"], "urn:problem:tower-media:wrong-wiring");
        assert_eq!(answer.json()["detail"], wrong.detail);
        let logged = log.take();
        assert!(logged.contains(wrong.extractor), "{} is not in {logged}", wrong.extractor);
        assert_eq!(self.calls.count(), calls);
    }
}

/// The text of a response, and the type that only the log names.
struct Wrong {
    detail: &'static str,
    extractor: &'static str,
}

fn no_layer<E>() -> Wrong {
    let detail = "`VerifiedMedia` was extracted, but no `VerifyMediaLayer` with its extractor ran. Put \
                  the layer on this route with exactly the extractor of the handler, which the log \
                  names; `Router::layer` covers only routes that were added before it.";
    Wrong { detail, extractor: type_name::<E>() }
}

fn taken_twice<E>() -> Wrong {
    let detail = "`VerifiedMedia` was extracted twice from one request. Take it once and pass it on, or \
                  take a bare `VerifiedMedia`, which gives the proof alone.";
    Wrong { detail, extractor: type_name::<E>() }
}

fn outside_of_the_route<E>() -> Wrong {
    let detail = "`VerifyMediaLayer` reads path parameters outside of the route they belong to: put the \
                  layer on the route, or on the router that declares it, not around `nest_service` or a \
                  whole service.";
    Wrong { detail, extractor: type_name::<E>() }
}

// Supported placements.

#[tokio::test]
async fn g02_route_layer_guards() {
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Posted>)).route_layer(site.posted());
    site.assert_guards_posts(&routes, "/").await;
}

#[tokio::test]
async fn g02_router_layer_guards() {
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Posted>)).layer(site.posted());
    site.assert_guards_posts(&routes, "/").await;
}

#[tokio::test]
async fn g02_method_router_layer_guards() {
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Posted>).layer(site.posted()));
    site.assert_guards_posts(&routes, "/").await;
}

#[tokio::test]
async fn g02_method_router_route_layer_guards() {
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Posted>).route_layer(site.posted()));
    site.assert_guards_posts(&routes, "/").await;
}

#[tokio::test]
async fn g02_handler_layer_guards() {
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Posted>.layer(site.posted())));
    site.assert_guards_posts(&routes, "/").await;
}

#[tokio::test]
async fn g02_route_service_guards() {
    let site = Site::new().await;
    let inner = Router::new().route("/", post(show::<Posted>));
    let routes = Router::new().route_service("/", site.posted().layer(inner));
    site.assert_guards_posts(&routes, "/").await;
}

#[tokio::test]
async fn g02_nested_router_is_guarded_from_inside_and_outside() {
    let site = Site::new().await;
    let open = || Router::new().route("/posts", post(show::<Posted>));
    for routes in [
        Router::new().nest("/api", open().layer(site.posted())),
        Router::new().nest("/api", open().route_layer(site.posted())),
        Router::new().nest("/api", open()).layer(site.posted()),
        Router::new().nest("/api", open()).route_layer(site.posted()),
        Router::new().nest_service("/api", open().layer(site.posted())),
        Router::new().nest_service("/api", site.posted().layer(open())),
        Router::new().nest_service("/api", open()).layer(site.posted()),
    ] {
        site.assert_guards_posts(&routes, "/api/posts").await;
    }
}

#[tokio::test]
async fn g02_path_is_guarded_on_its_route_and_its_routers() {
    let site = Site::new().await;
    let open = || Router::new().route("/{id}", get(show::<InPath>));
    for routes in [
        Router::new().nest("/media", open().layer(site.in_path())),
        Router::new().nest("/media", open().route_layer(site.in_path())),
        Router::new().nest("/media", open()).layer(site.in_path()),
        Router::new().nest("/media", open()).route_layer(site.in_path()),
        Router::new().nest_service("/media", open().layer(site.in_path())),
        Router::new().route("/media/{id}", get(show::<InPath>).layer(site.in_path())),
        Router::new().route("/media/{id}", get(show::<InPath>.layer(site.in_path()))),
    ] {
        site.assert_guards(&routes, |id| request(&site.world.ana, &format!("/media/{id}"))).await;
    }
}

#[tokio::test]
async fn g02_path_of_an_outer_router_is_guarded_with_the_route_s_own() {
    type Both = Path<(UnverifiedId, UnverifiedId)>;
    let site = Site::new().await;
    let guard = || VerifyMediaLayer::<Both>::new(site.world.media.clone());
    let open = || Router::new().route("/{picture}", get(show::<Both>));
    for routes in [
        Router::new().nest("/{album}", open().layer(guard())),
        Router::new().nest("/{album}", open()).layer(guard()),
        Router::new().nest_service("/{album}", open().layer(guard())),
    ] {
        let uri = |id: &str| format!("/{}/{id}", site.own);
        site.assert_guards(&routes, |id| request(&site.world.ana, &uri(id))).await;
        let uri = |id: &str| format!("/{id}/{}", site.own);
        site.assert_guards(&routes, |id| request(&site.world.ana, &uri(id))).await;
    }
}

#[tokio::test]
async fn g02_merge_keeps_the_guard_where_it_is() {
    let site = Site::new().await;
    let guarded = Router::new().route("/guarded", post(show::<Posted>)).layer(site.posted());
    let routes = guarded.merge(Router::new().route("/open", post(show::<Posted>)));
    site.assert_guards_posts(&routes, "/guarded").await;
    site.assert_wrong(&routes, site.post("/open", &site.own), &no_layer::<Posted>()).await;
}

#[tokio::test]
async fn g02_layer_after_merge_guards_both() {
    let site = Site::new().await;
    let [one, two] = ["/one", "/two"].map(|path| Router::new().route(path, post(show::<Posted>)));
    let routes = one.merge(two).layer(site.posted());
    site.assert_guards_posts(&routes, "/one").await;
    site.assert_guards_posts(&routes, "/two").await;
}

/// A service as a whole application, without a router before it.
fn whole<S>(service: S) -> Router
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    Router::new().fallback_service(service)
}

#[tokio::test]
async fn g02_whole_router_is_guarded() {
    let site = Site::new().await;
    let routes = whole(site.posted().layer(Router::new().route("/", post(show::<Posted>))));
    site.assert_guards_posts(&routes, "/").await;
}

#[tokio::test]
async fn g02_query_is_guarded_anywhere() {
    type Searched = Query<Search>;
    let site = Site::new().await;
    let guard = || VerifyMediaLayer::<Searched>::new(site.world.media.clone());
    let open = || Router::new().route("/", get(show::<Searched>));
    for routes in [
        open().layer(guard()),
        whole(guard().layer(open())),
        Router::new().fallback_service(open()).layer(guard()),
    ] {
        site.assert_guards(&routes, |id| request(&site.world.ana, &format!("/?id={id}"))).await;
    }
}

#[tokio::test]
async fn g02_fallback_is_guarded_by_its_own_layer_and_the_routers() {
    let site = Site::new().await;
    for routes in [
        Router::new().fallback(show::<Posted>.layer(site.posted())),
        Router::new().fallback(show::<Posted>).layer(site.posted()),
        Router::new().fallback_service(site.posted().layer(post(show::<Posted>))),
    ] {
        site.assert_guards_posts(&routes, "/any/where").await;
    }
}

#[tokio::test]
async fn g02_every_method_of_a_guarded_route_is_guarded() {
    let site = Site::new().await;
    let route = get(show::<Posted>).put(show::<Posted>).layer(site.posted());
    let routes = Router::new().route("/", route);
    for method in [Method::GET, Method::PUT] {
        site.assert_guards(&routes, |id| {
            let mut request = site.post("/", id);
            *request.method_mut() = method.clone();
            request
        })
        .await;
    }
}

#[tokio::test]
async fn g02_head_on_a_get_route_is_guarded() {
    let site = Site::new().await;
    let routes = Router::new().route("/{id}", get(show::<InPath>).layer(site.in_path()));
    for (id, status, calls) in [(&site.foreign, 404, 0), (&site.own, 200, 1)] {
        let mut head = request(&site.world.ana, &format!("/{id}"));
        *head.method_mut() = Method::HEAD;
        assert_eq!(site.send(&routes, head).await.status, status);
        assert_eq!(site.calls.count(), calls);
    }
}

#[tokio::test]
async fn g02_method_that_a_route_lacks_is_405_only_behind_the_guard() {
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Posted>).layer(site.posted()));
    for (id, status) in [(&site.foreign, 404), (&site.own, 405)] {
        let mut delete = site.post("/", id);
        *delete.method_mut() = Method::DELETE;
        assert_eq!(site.send(&routes, delete).await.status, status);
        assert_eq!(site.calls.count(), 0);
    }
}

// Two guards on one route.

#[tokio::test]
async fn g02_two_guards_of_one_extractor_must_both_let_pass() {
    let site = Site::new().await;
    let World { media, ana, backend, .. } = &site.world;
    let post_by = |scopes: [&str; 2]| {
        let [inner, outer] = scopes.map(|scope| site.posted().scopes([scope]));
        Router::new().route("/", post(scopes_of)).layer(inner).layer(outer)
    };
    let wardrobe = site.world.upload(ana, "wardrobe").await;
    for (id, scope) in [(&site.own, "me"), (&wardrobe, "wardrobe")] {
        for routes in [post_by(["me", "wardrobe"]), post_by(["wardrobe", "me"])] {
            let answer = site.send(&routes, site.post("/", id)).await;
            assert_eq!(answer.status, 404, "{scope}");
        }
    }

    let id = tower_media::MediaId::from_trusted(&site.own).unwrap();
    let bytes = media.download(&id, tower_media::Rendition::Original).await.unwrap();
    let again = tower_media::Upload::new(bytes.into_bytes(100).await.unwrap());
    media.upload(ana, again.scope("wardrobe")).await.unwrap();
    let asked = backend.questions();
    let answer = site.send(&post_by(["me", "wardrobe"]), site.post("/", &site.own)).await;
    assert_eq!(answer.text(), "me", "the handler gets the proof of the guard next to it");
    assert_eq!(backend.questions(), asked + 2);
}

/// Shows the scopes of the proof.
async fn scopes_of(VerifiedMedia(_, owned): VerifiedMedia<Posted>) -> String {
    let scopes: Vec<_> = owned.scopes().as_slice().unwrap().iter().map(Scope::as_str).collect();
    scopes.join(" ")
}

#[tokio::test]
async fn g02_two_guards_of_different_extractors_give_a_proof_each() {
    async fn both(
        VerifiedMedia(Path(id), path): VerifiedMedia<InPath>,
        VerifiedMedia(Json(ids), posted): VerifiedMedia<Posted>,
        VerifiedMedia((), inner): VerifiedMedia,
    ) -> String {
        assert_eq!(path.ids().len(), 1);
        assert_eq!(inner.ids(), path.ids());
        format!("{} {}", path[&id], posted[&ids[0]])
    }
    let site = Site::new().await;
    let other = site.world.upload(&site.world.ana, "me").await;
    let routes =
        Router::new().route("/{id}", post(both)).layer(site.in_path()).layer(site.posted());

    for (path, posted) in [(&site.own, &site.foreign), (&site.foreign, &site.own)] {
        let answer = site.send(&routes, site.post(&format!("/{path}"), posted)).await;
        assert_eq!(answer.missing(), [site.foreign.as_str()]);
    }
    let answer = site.send(&routes, site.post(&format!("/{}", site.own), &other)).await;
    assert_eq!(answer.text(), format!("{} {other}", site.own));
}

// Unsupported placements.

#[tokio::test]
async fn g02_handler_without_a_layer_is_500() {
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Posted>)).route("/bare", post(show::<()>));
    site.assert_wrong(&routes, site.post("/", &site.own), &no_layer::<Posted>()).await;
    site.assert_wrong(&routes, site.post("/bare", &site.own), &no_layer::<()>()).await;
}

#[tokio::test]
async fn g02_route_added_after_the_layer_is_500() {
    let site = Site::new().await;
    let routes = Router::new()
        .route("/before", post(show::<Posted>))
        .layer(site.posted())
        .route("/after", post(show::<Posted>));
    site.assert_guards_posts(&routes, "/before").await;
    site.assert_wrong(&routes, site.post("/after", &site.own), &no_layer::<Posted>()).await;
}

#[tokio::test]
async fn g02_method_added_after_the_layer_is_500() {
    let site = Site::new().await;
    let route = post(show::<Posted>).layer(site.posted()).put(show::<Posted>);
    let routes = Router::new().route("/", route);
    site.assert_guards_posts(&routes, "/").await;
    let mut put = site.post("/", &site.own);
    *put.method_mut() = Method::PUT;
    site.assert_wrong(&routes, put, &no_layer::<Posted>()).await;
}

#[tokio::test]
async fn g02_fallback_behind_a_route_layer_is_500() {
    let site = Site::new().await;
    let routes = Router::new()
        .route("/", post(show::<Posted>))
        .fallback(show::<Posted>)
        .route_layer(site.posted());
    site.assert_wrong(&routes, site.post("/other", &site.own), &no_layer::<Posted>()).await;
}

#[tokio::test]
async fn g02_handler_with_another_extractor_than_the_layer_is_500() {
    type Other = Json<[UnverifiedId; 1]>;
    let site = Site::new().await;
    let routes = Router::new().route("/", post(show::<Other>)).layer(site.posted());
    site.assert_wrong(&routes, site.post("/", &site.own), &no_layer::<Other>()).await;
}

#[tokio::test]
async fn g02_path_outside_of_its_route_is_500() {
    let site = Site::new().await;
    let open = || Router::new().route("/{id}", get(show::<InPath>));
    for routes in [
        Router::new().nest_service("/{album}", site.in_path().layer(open())),
        Router::new().nest_service("/{album}", open()).layer(site.in_path()),
        Router::new().nest_service("/{album}", open()).route_layer(site.in_path()),
    ] {
        let request = request(&site.world.ana, &format!("/{0}/{0}", site.own));
        site.assert_wrong(&routes, request, &outside_of_the_route::<InPath>()).await;
    }
}

#[tokio::test]
async fn g02_path_without_a_route_is_404_and_never_a_pass() {
    let site = Site::new().await;
    let open = || Router::new().route("/pictures/{id}", get(show::<InPath>));
    for routes in [
        open().layer(site.in_path()),
        open().fallback(show::<InPath>).layer(site.in_path()),
        Router::new().fallback(show::<InPath>.layer(site.in_path())),
        whole(site.in_path().layer(open())),
    ] {
        let routes = site.world.app(routes);
        let answer = send(&routes, request(&site.world.ana, &format!("/{}", site.own))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.json()["detail"], "There is nothing at this path.");
    }
}

#[tokio::test]
async fn g02_path_in_another_extractor_is_500_outside_of_its_route() {
    async fn check<E, M>(site: &Site)
    where
        E: MediaIds + GuardedExtractor<(), M>,
        M: 'static,
    {
        let guard = VerifyMediaLayer::<E>::new(site.world.media.clone());
        let inner = Router::new().route("/{id}", any(show::<E>));
        let routes = Router::new().nest_service("/{album}", guard.layer(inner));
        let uri = format!("/{0}/{0}?id={0}", site.own);
        let request = site.post(&uri, &site.own);
        site.assert_wrong(&routes, request, &outside_of_the_route::<E>()).await;
    }
    let site = Site::new().await;
    check::<(InPath, Query<Search>), _>(&site).await;
    check::<(Query<Search>, InPath), _>(&site).await;
    check::<((Query<Search>, InPath), Posted), _>(&site).await;
    check::<Option<InPath>, _>(&site).await;
    check::<Result<InPath, axum::extract::rejection::PathRejection>, _>(&site).await;
}

/// An extractor derived by a macro.
#[derive(FromRequestParts, MediaIds)]
struct Combined {
    id: InPath,
}

#[tokio::test]
async fn g02_path_in_derived_extractor_is_500_outside_of_its_route() {
    let site = Site::new().await;
    let guard = VerifyMediaLayer::<Combined>::new(site.world.media.clone());
    let inner = Router::new().route("/{id}", get(show::<Combined>));
    let routes = Router::new().nest_service("/{album}", guard.layer(inner));
    let request = request(&site.world.ana, &format!("/{0}/{0}", site.own));
    site.assert_wrong(&routes, request, &outside_of_the_route::<Combined>()).await;
}

#[tokio::test]
async fn g02_path_read_by_a_closure_is_500_outside_of_its_route() {
    type Text = Path<String>;
    let site = Site::new().await;
    let guard = VerifyMediaLayer::<Text>::with_ids(site.world.media.clone(), |Path(id)| {
        Ok(vec![UnverifiedId::parse(id)?])
    });
    let inner = Router::new().route("/{id}", get(show::<Text>));
    let routes = Router::new().nest_service("/{album}", guard.layer(inner));
    let request = request(&site.world.ana, &format!("/{0}/{0}", site.own));
    site.assert_wrong(&routes, request, &outside_of_the_route::<Text>()).await;
}

#[tokio::test]
async fn g02_wrong_wiring_is_reported_without_an_owner() {
    let site = Site::new().await;
    let inner = Router::new().route("/{id}", get(show::<InPath>));
    let routes = Router::new().nest_service("/{album}", site.in_path().layer(inner));
    let anonymous = Request::get("/a/b").body(Body::empty()).unwrap();
    site.assert_wrong(&routes, anonymous, &outside_of_the_route::<InPath>()).await;
}

#[tokio::test]
async fn g02_handler_without_the_media_state_is_500() {
    async fn handler(Extension(calls): Extension<Calls>, _: MediaState) {
        calls.call();
    }
    let site = Site::new().await;
    let routes = Router::new()
        .route("/before", get(handler))
        .layer(site.world.media.layer())
        .route("/after", get(handler))
        .layer(Extension(site.calls.clone()));
    let ana = &site.world.ana;
    assert_eq!(send(&routes, request(ana, "/before")).await.status, 200);
    let answer = send(&routes, request(ana, "/after")).await;
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.json()["detail"],
        "`MediaState` was extracted, but is not in the request's extensions. Add \
         `.layer(media.layer())` to the router, after the routes that need it."
    );
    assert_eq!(site.calls.count(), 1);
}

// Extractors of the handler.

#[tokio::test]
async fn g02_an_optional_proof_is_absent_only_without_a_layer() {
    type Maybe<E> = Option<VerifiedMedia<E>>;
    async fn handler(posted: Maybe<Posted>, bare: Maybe<()>, other: Maybe<InPath>) -> String {
        format!("{} {} {}", posted.is_some(), bare.is_some(), other.is_some())
    }
    let site = Site::new().await;
    let routes = Router::new()
        .route("/guarded", post(handler))
        .layer(site.posted())
        .route("/open", post(handler));
    let answer = site.send(&routes, site.post("/guarded", &site.own)).await;
    assert_eq!(answer.text(), "true true false");
    let answer = site.send(&routes, site.post("/guarded", &site.foreign)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = site.send(&routes, site.post("/open", &site.own)).await;
    assert_eq!(answer.text(), "false false false");
}

#[tokio::test]
async fn g02_value_taken_twice_is_500() {
    type Verified = VerifiedMedia<Posted>;
    async fn twice(Extension(calls): Extension<Calls>, _: Verified, _: Verified) {
        calls.call();
    }
    async fn maybe(Extension(calls): Extension<Calls>, _: Verified, _: Option<Verified>) {
        calls.call();
    }
    let site = Site::new().await;
    let routes = Router::new()
        .route("/twice", post(twice))
        .route("/maybe", post(maybe))
        .layer(site.posted());
    for uri in ["/twice", "/maybe"] {
        site.assert_wrong(&routes, site.post(uri, &site.own), &taken_twice::<Posted>()).await;
    }
}

#[tokio::test]
async fn g02_bare_proof_can_be_taken_any_number_of_times() {
    async fn handler(_: VerifiedMedia, VerifiedMedia((), owned): VerifiedMedia) -> String {
        owned.ids()[0].to_string()
    }
    let site = Site::new().await;
    let routes = Router::new().route("/", post(handler)).layer(site.posted());
    assert_eq!(site.send(&routes, site.post("/", &site.own)).await.text(), site.own);
}
