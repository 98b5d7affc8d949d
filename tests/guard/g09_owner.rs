//! G9: the owner comes from authentication only, not from other data of the request.

use axum::{
    Extension, Json, Router,
    extract::Request,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    routing::{MethodRouter, any},
};
use axum_extra::extract::{Form, Query};
use serde::{Deserialize, Serialize};
use tower_media::{
    MediaIds, Owner, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm},
};

use super::support::{World, send};

/// Reads every claim below, as a handler that trusts its clients would.
#[derive(Deserialize, MediaIds)]
struct Payload {
    id: UnverifiedId,
    #[serde(rename = "userId")]
    user: Option<String>,
    user_id: Option<String>,
    owner: Option<String>,
    subject: Option<String>,
    tenant: Option<String>,
    #[serde(rename = "tenantId")]
    tenant_id: Option<String>,
}

const CLAIMS: [&str; 6] = ["userId", "user_id", "owner", "subject", "tenant", "tenantId"];

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Who {
    subject: String,
    tenant: Option<String>,
}

impl Who {
    fn of(owner: &Owner) -> Self {
        Self { subject: owner.subject().into(), tenant: owner.tenant().map(Into::into) }
    }
}

/// Responds with the owner of the proof.
fn guarded<E, M>(world: &World) -> MethodRouter
where
    E: GuardedExtractor<(), M> + MediaIds,
    M: Send + Sync + 'static,
{
    let layer = VerifyMediaLayer::<E>::new(world.media.clone());
    any(|VerifiedMedia(_, owned): VerifiedMedia<E>| async move { Json(Who::of(owned.owner())) })
        .layer(layer)
}

/// The routes, with `caller` as the authenticated owner.
fn app(world: &World, caller: &Owner) -> Router {
    let caller = caller.clone();
    Router::new()
        .route("/json", guarded::<Json<Payload>, _>(world))
        .route("/query", guarded::<Query<Payload>, _>(world))
        .route("/form", guarded::<Form<Payload>, _>(world))
        .route("/multipart", guarded::<MultipartForm<Payload>, _>(world))
        .layer(from_fn(move |mut request: Request, next: Next| {
            request.extensions_mut().insert(caller.clone());
            next.run(request)
        }))
}

/// Requests for `id` with an owner in the query, body, headers and cookies.
fn requests(id: &str, claimed: &str) -> [Request; 4] {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("id", id).extend_pairs(CLAIMS.map(|claim| (claim, claimed)));
    let pairs = pairs.finish();
    let json: serde_json::Map<_, _> =
        CLAIMS.into_iter().map(|claim| (claim.into(), claimed.into())).collect();
    let mut json = serde_json::Value::from(json);
    json["id"] = id.into();
    let part = |(name, value)| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts: String = form_urlencoded::parse(pairs.as_bytes()).map(part).collect();

    let form = "application/x-www-form-urlencoded";
    [
        ("/json", "application/json", json.to_string()),
        ("/query", form, String::new()),
        ("/form", form, pairs.clone()),
        ("/multipart", "multipart/form-data; boundary=b", parts + "--b--\r\n"),
    ]
    .map(|(path, content_type, body)| {
        let mut request = Request::post(format!("{path}?{pairs}"))
            .header(header::CONTENT_TYPE, content_type)
            .header(header::COOKIE, format!("userId={claimed}; tenant={claimed}"));
        for claim in CLAIMS {
            request = request.header(claim, claimed).header(format!("x-{claim}"), claimed);
        }
        request.body(body.into()).unwrap()
    })
}

#[tokio::test]
async fn g09_claim_in_the_request_does_not_change_the_owner() {
    let world = World::new();
    let acme = world.ana.clone().with_tenant("acme").unwrap();
    for (owner, caller, claimed) in [
        (&world.ana, &world.bob, "ana"),
        (&acme, &world.ana, "acme"),
        (&world.ana, &acme, "ana"),
        (&world.ana, &acme, ""),
    ] {
        let id = world.upload(owner, "me").await;
        for request in requests(&id, claimed) {
            let answer = send(&app(&world, caller), request).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{caller:?} for {owner:?}");
            assert_eq!(answer.missing(), [&*id]);
        }
    }
}

#[tokio::test]
async fn g09_proof_names_the_authenticated_owner() {
    let world = World::new();
    let acme = world.ana.clone().with_tenant("acme").unwrap();
    for caller in [&world.ana, &acme] {
        let id = world.upload(caller, "me").await;
        for request in requests(&id, "bob") {
            let answer = send(&app(&world, caller), request).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
            let who: Who = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(who, Who::of(caller));
        }
    }
}

#[tokio::test]
async fn g09_claim_in_the_request_does_not_authenticate() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let layer = VerifyMediaLayer::<Json<Payload>>::new(world.media.clone());
    let app = Router::new().route("/json", any(|| async {}).layer(layer));
    let [request, ..] = requests(&id, "ana");
    assert_eq!(send(&app, request).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.backend.questions(), 0);
}

/// The extension of an authentication other than the default.
#[derive(Clone)]
struct Session(&'static str);

#[tokio::test]
async fn g09_only_the_configured_owner_source_counts() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let layer = VerifyMediaLayer::<Json<Payload>>::new(world.media.clone())
        .owner_from::<Extension<Session>>(|Extension(session)| Owner::new(session.0));
    let route = Router::new().route("/json", any(|| async {}).layer(layer));
    for (subject, status) in
        [("ana", StatusCode::OK), ("bob", StatusCode::NOT_FOUND), ("", StatusCode::UNAUTHORIZED)]
    {
        let app = route.clone().layer(Extension(Session(subject)));
        let [request, ..] = requests(&id, "ana");
        let answer = send(&app.layer(Extension(world.ana.clone())), request).await;
        assert_eq!(answer.status, status, "{subject:?}");
    }
}
