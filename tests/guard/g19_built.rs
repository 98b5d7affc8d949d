//! G19: wiring that can be judged when it is built is judged then.

use axum::{Json, Router, extract::State, routing::post};
use serde_json::json;
use tower_media::{InMemory, MediaState, UnverifiedId, VerifiedMedia, VerifyMediaLayer};

use super::{
    log::Log,
    support::{Answer, World, post_json, send},
};

fn guard() -> VerifyMediaLayer<Json<Vec<UnverifiedId>>> {
    VerifyMediaLayer::new(MediaState::in_memory())
}

/// Returns the panic message of `build`, if it panics.
fn panic_of<T>(build: impl FnOnce() -> T + std::panic::UnwindSafe) -> Option<String> {
    let payload = std::panic::catch_unwind(build).err()?;
    Some(
        *payload
            .downcast::<String>()
            .unwrap_or_else(|payload| Box::new((*payload.downcast::<&str>().unwrap()).to_owned())),
    )
}

#[test]
#[should_panic(
    expected = "`.scopes(..)` needs at least one scope, each 1 to 255 bytes without commas, control \
                characters, or white space at its ends, such as `.scopes([\"me\", \"wardrobe\"])`"
)]
fn g19_empty_scope_list_panics() {
    let none: [&str; 0] = [];
    let _ = guard().scopes(none);
}

#[test]
fn g19_every_malformed_scope_panics() {
    for scopes in [["me", "a,b"], ["me", ""], [" me", "me"], ["me\0", "me"], ["me", "me\n"]] {
        let message = panic_of(|| guard().scopes(scopes));
        assert!(message.is_some_and(|message| message.contains("`.scopes(..)`")), "{scopes:?}");
    }
    assert_eq!(panic_of(|| guard().scopes(["me", "w\u{e4}sche"])), None);
}

#[test]
#[should_panic(
    expected = "`.id_count(5..=1)` allows no media id: write the smallest and the greatest number of \
                ids of a request, such as `.id_count(1..=8)`, or `.id_count(0..=8)` for optional ids"
)]
fn g19_reversed_id_count_panics() {
    #[expect(clippy::reversed_empty_ranges, reason = "the mistake under test")]
    let _ = guard().id_count(5..=1);
}

#[test]
#[should_panic(expected = "`.id_count(0..=0)` allows no media id")]
fn g19_id_count_of_zero_panics() {
    let _ = guard().id_count(0..=0);
}

#[test]
fn g19_exhausted_id_count_panics() {
    let mut count = 1..=1;
    count.next();
    assert!(panic_of(|| guard().id_count(count)).is_some());
    for allowed in [0..=1, 1..=1, 1..=usize::MAX] {
        assert_eq!(panic_of(|| guard().id_count(allowed)), None);
    }
}

#[test]
fn g19_the_panic_names_the_line_of_the_application() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let slot = std::sync::Arc::clone(&seen);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name().is_some_and(|name| name.contains("g19_the_panic")) {
            *slot.lock().unwrap() = info.location().unwrap().file().to_owned();
        }
    }));
    let _ = panic_of(|| guard().id_count(0..=0));
    let file = seen.lock().unwrap().clone();
    std::panic::set_hook(before);
    assert!(file.ends_with("g19_built.rs"), "{file}");
}

// Two states.

type Posted = Json<Vec<UnverifiedId>>;

/// Sends an id of Ana to an application.
async fn answer(world: &World, app: Router) -> Answer {
    let id = world.upload(&world.ana, "me").await;
    send(&app, post_json(&world.ana, "/", &json!([id]))).await
}

fn assert_names_both(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 500, "{what}");
    assert_eq!(answer.json()["type"], "urn:problem:tower-media:wrong-wiring");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    // Other tests make states too, so the numbers differ between runs.
    let text: String = detail.chars().filter(|c| !c.is_ascii_digit()).collect();
    let mut numbers = detail.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    assert_eq!(
        text,
        "The media ids of this request were verified by `MediaState` , but its extensions hold \
         `MediaState` . Give `VerifyMediaLayer` and `.layer(media.layer())` clones of one `MediaState`.",
        "{what}"
    );
    assert_ne!(numbers.next(), numbers.next(), "{what}");
}

#[tokio::test]
async fn g19_handler_with_another_state_is_500() {
    let world = World::new();
    let other = MediaState::new(InMemory::new());
    let guard = || VerifyMediaLayer::<Posted>::new(world.media.clone());
    for (what, route) in [
        ("MediaState", post(async |_: MediaState| "reached")),
        ("Option<MediaState>", post(async |_: Option<MediaState>| "reached")),
        ("VerifiedMedia", post(async |_: VerifiedMedia| "reached")),
        ("VerifiedMedia<E>", post(async |_: VerifiedMedia<Posted>| "reached")),
        ("Option<VerifiedMedia>", post(async |_: Option<VerifiedMedia<Posted>>| "reached")),
    ] {
        // Inserted outside of the guard, and behind it.
        let outside = Router::new().route("/", route.clone().layer(guard())).layer(other.layer());
        let behind = Router::new().route("/", route.layer((guard(), other.layer())));
        for routes in [outside, behind] {
            let login = axum::middleware::from_fn(super::support::login);
            let log = Log::of("tower_media=error");
            assert_names_both(&answer(&world, routes.layer(login)).await, what);
            // The log has the types of the backends as well.
            let logged = log.take();
            assert!(logged.contains("(over `Faulty<InMemory>`)"), "{what}: {logged}");
            assert!(logged.contains("(over `InMemory`)"), "{what}: {logged}");
        }
    }
}

#[tokio::test]
async fn g19_clones_of_one_state_are_one_state() {
    async fn handler(
        _: VerifiedMedia<Posted>,
        _: Option<MediaState>,
        _: MediaState,
    ) -> &'static str {
        "reached"
    }
    let world = World::new();
    let guard = VerifyMediaLayer::<Posted>::new(world.media.clone());
    let routes = Router::new().route("/", post(handler).layer(guard));
    let twice = routes.layer(world.media.clone().layer()).layer(world.media.layer());
    assert_eq!(answer(&world, world.app(twice)).await.text(), "reached");
}

#[tokio::test]
async fn g19_state_inserted_behind_the_guard_counts() {
    let world = World::new();
    let other = MediaState::new(InMemory::new());
    let handler = async |_: VerifiedMedia<Posted>, media: MediaState| format!("{media:?}");
    let guard = VerifyMediaLayer::<Posted>::new(world.media.clone());
    let routes = Router::new().route("/", post(handler).layer((guard, world.media.layer())));
    let answer = answer(&world, world.app(routes.layer(other.layer()))).await;
    assert_eq!(answer.text(), format!("{:?}", world.media));
}

#[tokio::test]
async fn g19_every_guard_of_the_route_must_have_the_state() {
    let world = World::new();
    let other = MediaState::new(InMemory::new());
    let outer = VerifyMediaLayer::<Posted>::new(world.media.clone());
    let inner = VerifyMediaLayer::<Option<axum::extract::Path<UnverifiedId>>>::new(other.clone());
    let inner = inner.id_count(0..=1);
    let handler = async |_: MediaState| "reached";
    let route = post(handler).layer((outer, inner, other.layer()));
    let login = axum::middleware::from_fn(super::support::login);
    let app = Router::new().route("/", route).layer(login);
    assert_names_both(&answer(&world, app).await, "two guards");
}

/// The router's state is not visible to an extractor of another type: only the extensions are compared.
#[tokio::test]
async fn g19_router_state_is_not_compared() {
    let world = World::new();
    let guard = VerifyMediaLayer::<Posted>::new(world.media.clone());
    let handler = async |_: VerifiedMedia<Posted>, State(_): State<MediaState>| "reached";
    let app = Router::new().route("/", post(handler).layer(guard)).with_state(world.media.clone());
    let login = axum::middleware::from_fn(super::support::login);
    assert_eq!(answer(&world, app.layer(login)).await.text(), "reached");
}
