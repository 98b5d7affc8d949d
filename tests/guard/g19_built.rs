//! G19: wiring that can be judged when it is built is judged then.

use axum::Json;
use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer};

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
                characters, or blanks at its ends, such as `.scopes([\"me\", \"wardrobe\"])`"
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
