//! The replay harness: it accepts a guarded application, and finds each missing guard.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, Request},
    http::{self, header},
    routing::{get, post},
};
use serde_json::{Value, json};
use tower_media::{
    InMemory, MediaId, MediaState, Owner, Ownership, OwnershipQuestion, Result, UnverifiedId,
    Upload, VerifiedMedia, VerifyMediaLayer,
    backend::OwnershipStatus,
    testkit::{Replay, Report},
};

use super::support::{login, owner};

type Ids = Json<Vec<UnverifiedId>>;

async fn handler(_: VerifiedMedia) {}

fn post_ids(ids: &[&str]) -> http::Result<Request> {
    Request::post("/posts")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json!(ids).to_string()))
}

fn guarded(media: &MediaState) -> VerifyMediaLayer<Ids> {
    VerifyMediaLayer::new(media.clone()).scopes(["me", "wardrobe"]).id_count(1..=8)
}

async fn replay_posts(app: Router, media: MediaState) -> Report {
    Replay::new(app, media).route("posts", post_ids).run().await
}

/// The cases with a finding, in order.
fn cases(report: &Report) -> Vec<&str> {
    report.findings().iter().map(|finding| finding.case()).collect()
}

#[tokio::test]
async fn replay_of_a_guarded_application_finds_nothing() {
    #[derive(serde::Deserialize, tower_media::MediaIds)]
    struct One {
        id: UnverifiedId,
    }

    let media = MediaState::in_memory();
    let path = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone()).scopes(["me"]);
    let query = VerifyMediaLayer::<Query<One>>::new(media.clone()).id_count(1..=1);
    let outer = VerifyMediaLayer::<Ids>::new(media.clone()).scopes(["comic"]).id_count(2..=20);
    let app = Router::new()
        .route("/posts", post(handler).layer(guarded(&media)))
        .route("/pictures/{id}", get(handler).layer(path))
        .route("/find", get(handler).layer(query))
        .route("/twice", post(handler).layer((outer, guarded(&media))))
        .layer(axum::middleware::from_fn(login));

    let report = Replay::new(app, media)
        .owners(owner("ana"), owner("bob"))
        .sign_in(|request, owner| {
            request.headers_mut().insert("x-user", owner.subject().parse().unwrap());
        })
        .route("posts", post_ids)
        .route("twice", |ids| {
            let mut request = post_ids(ids)?;
            *request.uri_mut() = "/twice".parse().unwrap();
            Ok(request)
        })
        .route_with_one("pictures", |id| {
            Request::get(format!("/pictures/{id}")).body(Body::empty())
        })
        .route_with_one("find", |id| Request::get(format!("/find?id={id}")).body(Body::empty()))
        .run()
        .await;
    report.assert_clean();
    assert!(report.requests() > 60, "{}", report.requests());
}

#[tokio::test]
async fn replay_finds_a_route_without_a_guard() {
    let media = MediaState::in_memory();
    let app = Router::new().route("/posts", post(|_: Ids| async {}));
    let report = replay_posts(app, media).await;
    assert_eq!(cases(&report), ["the caller's own ids"]);
    assert!(report.findings()[0].to_string().contains("reached no guard (status 200 OK)"));
}

#[tokio::test]
async fn replay_finds_a_guard_without_a_route() {
    let media = MediaState::in_memory();
    let other = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
    let app = Router::new()
        .route("/posts", post(handler).layer(guarded(&media)))
        .route("/pictures/{id}", get(handler).layer(other));
    let report = replay_posts(app, media).await;
    assert_eq!(cases(&report), ["every guard is reached"]);
}

#[tokio::test]
async fn replay_finds_a_guard_of_another_state() {
    let others = MediaState::in_memory();
    let app = Router::new().route("/posts", post(handler).layer(guarded(&others)));
    let report = replay_posts(app, MediaState::in_memory()).await;
    assert_eq!(cases(&report), ["the caller's own ids"]);
    assert!(report.findings()[0].to_string().contains("reached a guard of another `MediaState`"));
}

#[tokio::test]
async fn replay_finds_broken_authentication() {
    let media = MediaState::in_memory();
    let app = Router::new().route("/posts", post(handler).layer(guarded(&media)));
    let report = Replay::new(app, media).sign_in(|_, _| {}).route("posts", post_ids).run().await;
    assert_eq!(cases(&report), ["the caller's own ids"]);
}

/// An ownership with a defect.
#[derive(Debug)]
struct Mistaken(InMemory, Mistake);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    EverybodyOwnsEverything,
    ScopesAreIgnored,
    RemovedIsStillOwned,
}

impl Ownership for Mistaken {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let standings = self.0.explain(question).await?;
        let owned = |standing| match (self.1, standing) {
            (_, OwnershipStatus::Owned)
            | (Mistake::ScopesAreIgnored, OwnershipStatus::WrongScope) => true,
            (Mistake::RemovedIsStillOwned, OwnershipStatus::Absent) => true,
            (mistake, _) => mistake == Mistake::EverybodyOwnsEverything,
        };
        let mut standings = standings.into_iter();
        Ok(question.select(|_| standings.next().is_some_and(owned)))
    }
}

#[tokio::test]
async fn replay_finds_an_ownership_that_grants_too_much() {
    for (mistake, found) in [
        (
            Mistake::EverybodyOwnsEverything,
            &[
                "an id of another user",
                "an unknown id",
                "a deleted id",
                "an own id of another scope",
                "own ids and one of another user",
                "a foreign id twice",
            ][..],
        ),
        (Mistake::ScopesAreIgnored, &["an own id of another scope"]),
        (Mistake::RemovedIsStillOwned, &["an unknown id", "foreign and unknown", "a deleted id"]),
    ] {
        let backend = InMemory::new();
        let ownership = Mistaken(backend.clone(), mistake);
        let media = MediaState::builder(backend).ownership(ownership).build();
        let app = Router::new().route("/posts", post(handler).layer(guarded(&media)));
        assert_eq!(cases(&replay_posts(app, media).await), found, "{mistake:?}");
    }
}

#[tokio::test]
async fn replay_finds_a_closure_that_misses_ids() {
    let media = MediaState::in_memory();
    let guard = VerifyMediaLayer::<Json<Value>>::with_ids(media.clone(), |Json(ids)| {
        let first = ids.get(0).and_then(Value::as_str).unwrap_or_default();
        Ok(vec![UnverifiedId::parse(first)?])
    })
    .id_count(1..=8);
    let app = Router::new().route("/posts", post(handler).layer(guard));
    let report = replay_posts(app, media).await;
    assert_eq!(
        cases(&report),
        ["own ids and one of another user", "a foreign id twice", "one id too many"]
    );
}

#[tokio::test]
async fn replay_finds_a_response_that_separates_foreign_ids() {
    let backend = InMemory::new();
    let media = MediaState::new(backend.clone());
    let guard = guarded(&media).on_reject(move |rejection| {
        use axum::response::IntoResponse as _;
        let known = match &rejection {
            tower_media::extract::VerifyMediaRejection::MediaNotOwned(not_owned) => {
                let missing = not_owned.missing().next().unwrap_or_default().to_owned();
                let id = MediaId::from_trusted(missing).unwrap();
                futures_util::FutureExt::now_or_never(tower_media::backend::MediaBackend::get(
                    &backend, &id,
                ))
                .is_some_and(|media| media.is_ok())
            }
            _ => false,
        };
        ([("x-known", known.to_string())], rejection).into_response()
    });
    let app = Router::new().route("/posts", post(handler).layer(guard));
    assert_eq!(cases(&replay_posts(app, media).await), ["foreign and unknown"]);
}

#[tokio::test]
async fn replay_accepts_media_of_the_application() {
    let media = MediaState::in_memory();
    let app = Router::new().route("/posts", post(handler).layer(guarded(&media)));
    let uploads = media.clone();
    Replay::new(app, media)
        .supply(move |owner: Owner, scopes| {
            let media = uploads.clone();
            async move {
                let content = format!("{} {:p}", owner.subject(), &scopes);
                let mut id = None;
                for (n, scope) in scopes.into_iter().enumerate() {
                    assert_eq!(n, 0, "one scope is enough for one guard");
                    let content = format!("{content} {}", media.stats(&owner).await?.count);
                    let upload = Upload::new(content).scope(scope);
                    id = Some(media.upload(&owner, upload).await?.id);
                }
                Ok(id.unwrap())
            }
        })
        .route("posts", post_ids)
        .run()
        .await
        .assert_clean();
}

#[tokio::test]
#[should_panic(expected = "posts: the caller's own ids: reached no guard")]
async fn replay_findings_fail_the_test() {
    let app = Router::new().route("/posts", post(|_: Ids| async {}));
    replay_posts(app, MediaState::in_memory()).await.assert_clean();
}

/// Posts the ids to another path.
fn post_to(path: &'static str) -> impl Fn(&[&str]) -> http::Result<Request> {
    move |ids| {
        let mut request = post_ids(ids)?;
        *request.uri_mut() = path.parse().unwrap();
        Ok(request)
    }
}

/// Two routes with clones of one layer.
fn two_routes(media: &MediaState) -> Router {
    let guard = guarded(media);
    Router::new()
        .route("/posts", post(handler).layer(guard.clone()))
        .route("/drafts", post(handler).layer(guard))
}

#[tokio::test]
async fn replay_finds_a_forgotten_route_of_a_cloned_guard() {
    let media = MediaState::in_memory();
    let report = replay_posts(two_routes(&media), media).await;
    assert_eq!(cases(&report), ["every guard is reached"]);
    let finding = &report.findings()[0];
    assert!(finding.route().contains("replay.rs:"), "{finding}");
    let text = finding.to_string();
    assert!(text.contains("is on a route that no request reached"), "{text}");
    assert!(
        text.contains("requests reached the same layer at POST /posts, REPLAY /posts:"),
        "{text}"
    );

    let media = MediaState::in_memory();
    let both = Replay::new(two_routes(&media), media);
    both.route("posts", post_ids).route("drafts", post_to("/drafts")).run().await.assert_clean();
}

#[tokio::test]
async fn replay_finds_a_forgotten_route_under_a_router_layer() {
    for with_state in [false, true] {
        let media = MediaState::in_memory();
        let routes = Router::new().route("/posts", post(handler)).route("/drafts", post(handler));
        let routes = Router::new().nest("/api", routes.layer(guarded(&media)));
        let app = if with_state { routes.with_state(()) } else { routes };
        let posts = Replay::new(app.clone(), media.clone()).route("posts", post_to("/api/posts"));
        assert_eq!(cases(&posts.run().await), ["every guard is reached"]);
        let both = Replay::new(app, media).route("posts", post_to("/api/posts"));
        both.route("drafts", post_to("/api/drafts")).run().await.assert_clean();
    }
}

#[tokio::test]
async fn replay_reaches_the_guards_of_fallbacks() {
    let media = MediaState::in_memory();
    let app = Router::new()
        .route("/posts", post(handler))
        .fallback(|| async {})
        .layer(guarded(&media))
        .layer(guarded(&media));
    replay_posts(app, media).await.assert_clean();
}

#[tokio::test]
async fn replay_leaves_routes_out_by_name() {
    let app = |media: &MediaState| {
        let path = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
        two_routes(media).route("/pictures/{id}", get(handler).layer(path))
    };
    let media = MediaState::in_memory();
    let replay = Replay::new(app(&media), media).route("posts", post_ids);
    // By the name of a route of this replay, and by method and path.
    let replay = replay.route("drafts", post_to("/drafts")).leave_out("drafts");
    let report = replay.leave_out("GET /pictures/{id}").run().await;
    report.assert_clean();

    let media = MediaState::in_memory();
    let only = Replay::new(app(&media), media).leave_out("POST /posts").leave_out("POST /drafts");
    assert_eq!(cases(&only.run().await), ["every guard is reached"]);
}

#[tokio::test]
#[should_panic(expected = "`leave_out` names \"drafts\", which is neither a route of this replay")]
async fn replay_panics_for_an_unknown_route_to_leave_out() {
    let media = MediaState::in_memory();
    let _ = Replay::new(two_routes(&media), media).leave_out("drafts").run().await;
}

#[tokio::test]
async fn replay_attacks_each_route_with_its_own_owners() {
    let media = MediaState::in_memory();
    // The team is in a header, as it would be in a session.
    let team = VerifyMediaLayer::<Ids>::new(media.clone())
        .owner_from::<http::HeaderMap>(|headers| {
            Owner::new(headers.get("x-team").map_or("", |team| team.to_str().unwrap()))
        })
        .id_count(1..=8);
    let app = Router::new()
        .route("/posts", post(handler).layer(guarded(&media)))
        .route("/team", post(handler).layer(team))
        .layer(axum::middleware::from_fn(login));
    let replay = || {
        let replay = Replay::new(app.clone(), media.clone()).sign_in(|request, owner| {
            let name = owner.subject().parse().unwrap();
            let is_team = owner.subject().starts_with("team");
            request.headers_mut().insert(if is_team { "x-team" } else { "x-user" }, name);
        });
        replay.route("posts", post_ids).route("team", post_to("/team"))
    };
    let report = replay().route_owners("team", owner("team-1"), owner("team-2")).run().await;
    report.assert_clean();
    let report = replay().run().await;
    assert_eq!(report.findings()[0].route(), "team");
    assert_eq!(report.findings()[0].case(), "the caller's own ids");
}

#[tokio::test]
#[should_panic(expected = "`route_owners` names \"teams\", which is not a route of this replay")]
async fn replay_panics_for_owners_of_an_unknown_route() {
    let media = MediaState::in_memory();
    let replay = Replay::new(two_routes(&media), media).route("posts", post_ids);
    let _ = replay.route_owners("teams", owner("a"), owner("b")).run().await;
}

#[tokio::test]
async fn replay_finds_a_control_request_that_the_handler_refuses() {
    let media = MediaState::in_memory();
    let refuses = async |_: VerifiedMedia| (http::StatusCode::UNPROCESSABLE_ENTITY, "no title");
    let app = Router::new().route("/posts", post(refuses).layer(guarded(&media)));
    let report = replay_posts(app, media).await;
    assert_eq!(cases(&report), ["the caller's own ids"]);
    let text = report.findings()[0].to_string();
    assert!(
        text.contains("the handler refused them (status 422 Unprocessable Entity: no title)"),
        "{text}"
    );
    // The attacks ran all the same.
    assert!(report.requests() > 10, "{}", report.requests());
}

#[tokio::test]
async fn replay_names_the_route_of_the_guard_that_refuses() {
    let media = MediaState::in_memory();
    let app = Router::new().route("/posts", post(handler).layer(guarded(&media)));
    let report = Replay::new(app, media).sign_in(|_, _| {}).route("posts", post_ids).run().await;
    let text = report.findings()[0].to_string();
    assert!(text.contains("were refused at POST /posts (status 401"), "{text}");
}
