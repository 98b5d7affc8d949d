//! G5: a refusal reveals nothing about an id of another owner.

use axum::{
    Form, Json, Router,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode, header},
    routing::{MethodRouter, any},
};
use serde::Deserialize;
use tower_media::{
    Media, MediaId, MediaIds, MediaState, Owner, UnverifiedId, Upload, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm},
};

use super::support::{World, by, send};

#[derive(Deserialize, MediaIds)]
struct Payload {
    id: UnverifiedId,
}

fn guarded<E, M>(media: &MediaState) -> MethodRouter
where
    E: GuardedExtractor<(), M> + MediaIds,
    M: Send + Sync + 'static,
{
    let layer = VerifyMediaLayer::<E>::new(media.clone()).scopes(["me"]);
    any(|| async { StatusCode::NO_CONTENT }).layer(layer)
}

fn app(world: &World) -> Router {
    let media = &world.media;
    world.app(
        Router::new()
            .route("/json", guarded::<Json<Payload>, _>(media))
            .route("/path/{id}", guarded::<Path<UnverifiedId>, _>(media))
            .route("/query", guarded::<Query<Payload>, _>(media))
            .route("/form", guarded::<Form<Payload>, _>(media))
            .route("/multipart", guarded::<MultipartForm<Payload>, _>(media))
            .route("/both/{id}", guarded::<(Path<UnverifiedId>, Json<Payload>), _>(media)),
    )
}

/// The place of an id in a request: URI, content type, and body.
const SOURCES: [[&str; 3]; 7] = [
    ["/json", "application/json", r#"{"id": "ID"}"#],
    ["/path/ID", "text/plain", ""],
    ["/query?id=ID", "text/plain", ""],
    ["/form", "application/x-www-form-urlencoded", "id=ID"],
    [
        "/multipart",
        "multipart/form-data; boundary=b",
        "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nID\r\n--b--\r\n",
    ],
    ["/both/ID", "application/json", r#"{"id": "OWNED"}"#],
    ["/both/OWNED", "application/json", r#"{"id": "ID"}"#],
];

/// The whole response and the number of queries, with `ID` for the id of the request.
#[derive(Debug, PartialEq)]
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    questions: usize,
}

async fn ask(world: &World, [uri, content_type, body]: [&str; 3], id: &str, owned: &str) -> Seen {
    let fill = |text: &str| text.replace("OWNED", owned).replace("ID", id);
    let request = by(&world.ana, axum::extract::Request::post(fill(uri)))
        .header(header::CONTENT_TYPE, content_type)
        .body(fill(body).into())
        .unwrap();
    let before = world.backend.questions();
    let answer = send(&app(world), request).await;
    Seen {
        status: answer.status,
        body: answer.text().replace(id, "ID"),
        headers: answer.headers,
        questions: world.backend.questions() - before,
    }
}

async fn removed(world: &World, owner: &Owner) -> String {
    let id = world.upload(owner, "me").await;
    assert!(world.media.delete(owner, &MediaId::from_trusted(&id).unwrap()).await.unwrap());
    id
}

#[tokio::test]
async fn g05_reason_of_a_refused_id_is_not_visible() {
    let world = World::new();
    let (ana, bob) = (&world.ana, &world.bob);
    let owned = world.upload(ana, "me").await;
    let absent = "00000000-0000-4000-8000-000000000000";
    let not_owned = [
        ("foreign", world.upload(bob, "me").await),
        ("in the wrong scope", world.upload(ana, "wardrobe").await),
        ("removed", removed(&world, ana).await),
        ("removed by another", removed(&world, bob).await),
        ("of another tenant", world.upload(&ana.clone().with_tenant("b").unwrap(), "me").await),
    ];
    for source in SOURCES {
        assert_eq!(ask(&world, source, &owned, &owned).await.status, StatusCode::NO_CONTENT);
        let expected = ask(&world, source, absent, &owned).await;
        assert_eq!(expected.status, StatusCode::NOT_FOUND);
        assert_eq!(expected.questions, 1);
        for (why, id) in &not_owned {
            assert_eq!(ask(&world, source, id, &owned).await, expected, "{why} in {source:?}");
        }
    }
}

async fn upload(world: &World, owner: &Owner, name: &str, scope: &str) -> Media {
    let upload = Upload::new("the same bytes").file_name(name).scope(scope);
    world.media.upload(owner, upload).await.unwrap()
}

/// The response to an upload, without the id and the time, which always differ.
fn shown(media: &Media) -> String {
    let text = serde_json::to_string(&media.for_owner()).unwrap();
    let mut shown: serde_json::Value =
        serde_json::from_str(&text.replace(media.id.as_str(), "ID")).unwrap();
    shown.as_object_mut().unwrap().remove("createdAt").unwrap();
    shown.to_string()
}

#[tokio::test]
async fn g05_upload_reveals_no_other_owner_of_the_same_bytes() {
    let alone = World::new();
    let expected = upload(&alone, &alone.bob, "bob.txt", "me").await;

    let world = World::new();
    let first = upload(&world, &world.ana, "ana.txt", "diary").await;
    let between = std::time::SystemTime::now();
    let second = upload(&world, &world.bob, "bob.txt", "me").await;
    assert_ne!(second.id, first.id);
    assert_eq!(shown(&second), shown(&expected));
    assert!(second.created_at >= between);

    // The first owner does not see the second, and neither sees later changes of the other.
    let again = upload(&world, &world.ana, "ana.txt", "diary").await;
    assert_eq!(again, first);
    assert!(world.media.delete(&world.ana, &first.id).await.unwrap());
    assert_eq!(world.media.get(&second.id).await.unwrap(), second);
    assert_eq!(upload(&world, &world.bob, "bob.txt", "me").await, second);
}
