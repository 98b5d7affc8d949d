//! G17: the owner that the guard used is the one that `Owner` extracts in the handler.

use axum::{
    Extension, Json, Router,
    extract::{FromRequestParts, Request},
    http::{StatusCode, request::Parts},
    routing::post,
};
use serde_json::json;
use tower_media::{MediaIds, Owner, UnverifiedId, VerifiedMedia, VerifyMediaLayer};

use super::support::{World, owner, post_json, send};

type Posted = Json<Vec<UnverifiedId>>;

/// The team in a header, in place of an authentication of its own.
struct Team(String);

impl<S: Sync> FromRequestParts<S> for Team {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let team = parts.headers.get("x-team").ok_or(StatusCode::FORBIDDEN)?;
        Ok(Self(team.to_str().unwrap().to_owned()))
    }
}

/// Responds with every owner that the handler can read.
async fn owners(
    extracted: Owner,
    optional: Option<Owner>,
    Extension(inserted): Extension<Owner>,
    VerifiedMedia(_, owned): VerifiedMedia<Posted>,
) -> String {
    let all = [&extracted, optional.as_ref().unwrap(), &inserted, owned.owner()];
    all.map(Owner::subject).join(" ")
}

fn posted(world: &World) -> VerifyMediaLayer<Posted> {
    VerifyMediaLayer::new(world.media.clone())
}

fn by_team(world: &World) -> VerifyMediaLayer<Posted> {
    posted(world).owner_from::<Team>(|team| Owner::new(team.0))
}

fn request(world: &World, id: &str) -> Request {
    let mut request = post_json(&world.ana, "/", &json!([id]));
    request.headers_mut().insert("x-team", "team".parse().unwrap());
    request
}

#[tokio::test]
async fn g17_owner_from_replaces_the_owner_in_the_extensions() {
    let world = World::new();
    let id = world.upload(&owner("team"), "me").await;
    let app = world.app(Router::new().route("/", post(owners).layer(by_team(&world))));
    let answer = send(&app, request(&world, &id)).await;
    assert_eq!(answer.text(), "team team team team");
}

#[tokio::test]
async fn g17_owner_from_is_extracted_without_an_extension() {
    let world = World::new();
    let id = world.upload(&owner("team"), "me").await;
    let app = Router::new().route("/", post(owners).layer(by_team(&world)));
    assert_eq!(send(&app, request(&world, &id)).await.text(), "team team team team");
}

#[tokio::test]
async fn g17_owner_in_the_extensions_is_the_one_of_the_proof() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let app = world.app(Router::new().route("/", post(owners).layer(posted(&world))));
    assert_eq!(send(&app, request(&world, &id)).await.text(), "ana ana ana ana");
}

/// An authentication layer inside of the guard runs too late to change the owner.
#[tokio::test]
async fn g17_owner_inserted_behind_the_guard_is_not_extracted() {
    async fn extracted(owner: Owner, optional: Option<Owner>) -> String {
        format!("{} {}", owner.subject(), optional.unwrap().subject())
    }
    let world = World::new();
    let id = world.upload(&owner("team"), "me").await;
    let layers = (by_team(&world), Extension(world.bob.clone()));
    let app = world.app(Router::new().route("/", post(extracted).layer(layers)));
    assert_eq!(send(&app, request(&world, &id)).await.text(), "team team");
}

#[tokio::test]
async fn g17_extractor_of_the_guard_sees_its_owner() {
    struct Asked(Owner, UnverifiedId);
    impl<S: Sync> FromRequestParts<S> for Asked {
        type Rejection = tower_media::extract::MissingOwner;
        async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
            let owner = Owner::from_request_parts(parts, state).await?;
            Ok(Self(owner, UnverifiedId::parse(parts.uri.query().unwrap()).unwrap()))
        }
    }
    impl MediaIds for Asked {
        fn media_ids(&self, ids: &mut tower_media::extract::IdCollector) {
            ids.add(&self.1);
        }
    }
    let world = World::new();
    let id = world.upload(&owner("team"), "me").await;
    let guard = VerifyMediaLayer::<Asked>::new(world.media.clone())
        .owner_from::<Team>(|team| Owner::new(team.0));
    let handler =
        async |VerifiedMedia(asked, _): VerifiedMedia<Asked>| asked.0.subject().to_owned();
    let app = world.app(Router::new().route("/", post(handler).layer(guard)));
    let mut request = request(&world, &id);
    *request.uri_mut() = format!("/?{id}").parse().unwrap();
    assert_eq!(send(&app, request).await.text(), "team");
}

#[tokio::test]
async fn g17_two_guards_with_different_owners_are_500() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let guards =
        |outer, inner| world.app(Router::new().route("/", post(owners).layer((outer, inner))));

    let answer = send(&guards(posted(&world), by_team(&world)), request(&world, &id)).await;
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.json()["detail"],
        "`VerifyMediaLayer` verifies for another owner than a `VerifyMediaLayer` around it: use the \
         same `owner_from` on all guards of a route."
    );

    // The inner guard reads the owner that the outer one has established.
    let id = world.upload(&owner("team"), "me").await;
    let answer = send(&guards(by_team(&world), posted(&world)), request(&world, &id)).await;
    assert_eq!(answer.text(), "team team team team");
}
