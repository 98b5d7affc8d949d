//! G10: an id has one spelling; any other text is refused before a query.

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Path, Query, Request},
    http::{StatusCode, header},
    routing::{get, post},
};
use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer,
    de::{
        IntoDeserializer,
        value::{BorrowedBytesDeserializer, Error as ValueError, StrDeserializer},
    },
};
use serde_json::json;
use tower_media::{MediaId, MediaIds, UnverifiedId, VerifiedMedia, VerifyMediaLayer};

use super::support::{Answer, World, by, post_json, send};

const GRAMMAR: &str =
    "a media id is 1 to 128 bytes of `A-Z a-z 0-9 - _ . : ~`, and neither `.` nor `..`";

#[derive(Deserialize, MediaIds)]
struct Avatar {
    id: UnverifiedId,
}

fn app(world: &World) -> Router {
    async fn proven(VerifiedMedia((), owned): VerifiedMedia) -> String {
        owned.ids().iter().map(MediaId::as_str).collect()
    }
    let media = || world.media.clone();
    let by_path = VerifyMediaLayer::<Path<UnverifiedId>>::new(media());
    let routes = Router::new()
        .route("/json", post(proven).layer(VerifyMediaLayer::<Json<Avatar>>::new(media())))
        .route("/form", post(proven).layer(VerifyMediaLayer::<Form<Avatar>>::new(media())))
        .route("/query", get(proven).layer(VerifyMediaLayer::<Query<Avatar>>::new(media())))
        .route("/path/{id}", get(proven).layer(by_path));
    world.app(routes)
}

/// The place of an id in a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Json,
    Form,
    Query,
    Path,
}

impl Source {
    const ALL: [Self; 4] = [Self::Json, Self::Form, Self::Query, Self::Path];

    /// A request of Ana with this text as an id, encoded as the source requires.
    fn request(self, world: &World, text: &str) -> Request {
        match self {
            Self::Json => post_json(&world.ana, "/json", &json!({ "id": text })),
            _ => self.encoded(world, &percent_encoded(text)),
        }
    }

    /// A request of Ana with this text, not encoded.
    fn encoded(self, world: &World, text: &str) -> Request {
        let (request, body) = match self {
            Self::Json => (Request::post("/json"), format!(r#"{{"id": {text}}}"#)),
            Self::Form => (Request::post("/form"), format!("id={text}")),
            Self::Query => (Request::get(format!("/query?id={text}")), String::new()),
            Self::Path => (Request::get(format!("/path/{text}")), String::new()),
        };
        let content_type = match self {
            Self::Json => "application/json",
            _ => "application/x-www-form-urlencoded",
        };
        by(&world.ana, request)
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::from(body))
            .unwrap()
    }

    /// axum's status for a value that does not deserialise.
    fn refusal(self) -> StatusCode {
        match self {
            Self::Json | Self::Form => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Query | Self::Path => StatusCode::BAD_REQUEST,
        }
    }
}

/// Percent-encodes every byte, letters and digits included.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Invalid ids, most of them similar to the valid one.
fn no_ids(id: &str) -> Vec<String> {
    let full_width = id.replace(|c: char| c.is_ascii_digit(), "\u{ff11}");
    let mut texts = vec![
        format!("{{{id}}}"),
        format!("%7B{id}%7D"),
        full_width,
        format!("{id}\u{e9}"),
        format!("{id}e\u{301}"),
        format!("{id}\u{200b}"),
        format!("\u{feff}{id}"),
        format!("{id}\u{202e}"),
        format!("{id}\0"),
        format!("\0{id}"),
        format!("x/{id}"),
        format!("x\\{id}"),
        format!("x%2F{id}"),
        format!("x%252F{id}"),
        format!("../{id}"),
        format!(" {id}"),
        format!("{id} "),
        format!("{id}\n"),
        format!("{id}\r\nx-owner: bob"),
        format!("{id},{id}"),
        format!("{id};"),
        format!("'{id}'"),
        format!("{id}?"),
        format!("{id}#"),
        format!("{id}*"),
        format!("{id}+"),
        id.replace('-', "\u{2010}"),
        // Cyrillic letters that look like Latin ones.
        format!("{id}\u{430}"),
    ];
    texts.extend([".", "..", " ", "\0", "a b", "\u{130}", "\u{212a}"].map(str::to_owned));
    texts.extend([129, 10_000].map(|length| "a".repeat(length)));
    texts
}

async fn assert_refused(world: &World, app: &Router, source: Source, request: Request) -> Answer {
    let what = format!("{source:?} {}", request.uri());
    let answer = send(app, request).await;
    assert_eq!(answer.status, source.refusal(), "{what}");
    assert_eq!(world.backend.questions(), 0, "{what} was looked up");
    answer
}

#[tokio::test]
async fn g10_invalid_id_is_refused_by_every_source_with_the_grammar() {
    let world = World::new();
    let app = app(&world);
    let id = world.upload(&world.ana, "me").await;
    for source in Source::ALL {
        for text in no_ids(&id) {
            let request = source.request(&world, &text);
            let answer = assert_refused(&world, &app, source, request).await;
            assert!(answer.text().contains(GRAMMAR), "{source:?} {text:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn g10_empty_text_is_refused() {
    let world = World::new();
    let app = app(&world);
    for source in [Source::Json, Source::Form, Source::Query] {
        let answer = assert_refused(&world, &app, source, source.request(&world, "")).await;
        assert!(answer.text().contains(GRAMMAR), "{source:?}: {}", answer.text());
    }
    // A path without it is another path.
    let answer = send(&app, Source::Path.request(&world, "")).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::NOT_FOUND, ""));
}

#[tokio::test]
async fn g10_bytes_that_are_not_utf8_are_refused() {
    let world = World::new();
    let app = app(&world);
    for source in [Source::Form, Source::Query, Source::Path] {
        for bytes in ["%FF", "%C0%AE", "%ED%A0%80", "a%00", "a+b", "%u0061"] {
            if source == Source::Path && bytes == "a+b" {
                continue; // In a path the plus is a plus; it is among the texts above.
            }
            assert_refused(&world, &app, source, source.encoded(&world, bytes)).await;
        }
    }
    let lone_surrogate = Source::Json.encoded(&world, r#""a\ud800""#);
    assert_eq!(send(&app, lone_surrogate).await.status, StatusCode::BAD_REQUEST);
    let escaped_nul = Source::Json.encoded(&world, r#""a\u0000""#);
    assert_refused(&world, &app, Source::Json, escaped_nul).await;
}

#[tokio::test]
async fn g10_json_of_another_type_than_text_is_refused() {
    let world = World::new();
    let app = app(&world);
    for value in ["1", "1.5", "-1", "true", "null", r#"["a"]"#, r#"{"id": "a"}"#, "[97]", "{}"] {
        assert_refused(&world, &app, Source::Json, Source::Json.encoded(&world, value)).await;
    }
}

#[tokio::test]
async fn g10_the_encoding_of_a_source_is_undone_once() {
    let world = World::new();
    let app = app(&world);
    let id = world.upload(&world.ana, "me").await;
    for source in Source::ALL {
        let answer = send(&app, source.request(&world, &id)).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, &*id), "{source:?}");
    }
    let escaped: String = id.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let answer = send(&app, Source::Json.encoded(&world, &format!("\"{escaped}\""))).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, &*id));
}

#[tokio::test]
async fn g10_another_spelling_of_an_owned_id_is_another_id() {
    let world = World::new();
    let app = app(&world);
    let id = world.upload(&world.ana, "me").await;
    let spellings = [
        id.to_uppercase(),
        id.replacen(|c: char| c.is_ascii_lowercase(), "A", 1),
        id.replace('-', ""),
        id.replace('-', "_"),
        format!("urn:uuid:{id}"),
        format!("{id}."),
        format!("{id}~"),
        format!("0{id}"),
        id[..id.len() - 1].to_owned(),
    ];
    for source in Source::ALL {
        for spelling in &spellings {
            let answer = send(&app, source.request(&world, spelling)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{source:?} {spelling}");
            assert_eq!(answer.missing(), [spelling.as_str()], "{source:?}");
        }
    }
}

#[tokio::test]
async fn g10_two_ids_that_differ_in_case_stay_two_ids() {
    let world = World::new();
    let owned = world.upload(&world.ana, "me").await;
    let proof = world
        .media
        .verify(&world.ana, tower_media::Scopes::any(), [owned.parse().unwrap()])
        .await
        .unwrap();
    let upper = UnverifiedId::parse(owned.to_uppercase()).unwrap();
    assert!(proof.get(&upper).is_none());
    assert_ne!(upper, UnverifiedId::parse(owned).unwrap());
}

/// The grammar, implemented independently of the crate.
fn is_id(text: &str) -> bool {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~";
    let count = text.chars().count();
    (1..=128).contains(&count)
        && text.chars().all(|c| ALPHABET.contains(c))
        && !["", ".", ".."].contains(&text)
}

fn assert_agrees_with_the_grammar(text: &str) {
    let expected = is_id(text);
    let said = [
        UnverifiedId::parse(text).is_ok(),
        text.parse::<UnverifiedId>().is_ok(),
        serde_json::from_value::<UnverifiedId>(json!(text)).is_ok(),
        MediaId::from_trusted(text).is_ok(),
    ];
    assert_eq!(said, [expected; 4], "{text:?}");
}

#[test]
fn g10_exactly_the_characters_of_the_grammar_are_accepted() {
    let mut buffer = [0; 4];
    for c in '\0'..=char::MAX {
        let text: &str = c.encode_utf8(&mut buffer);
        assert_eq!(UnverifiedId::parse(text).is_ok(), is_id(text), "{c:?}");
    }
}

#[test]
fn g10_the_bounds_of_the_length_are_exact() {
    for length in [0, 1, 127, 128, 129] {
        assert_agrees_with_the_grammar(&"a".repeat(length));
        assert_agrees_with_the_grammar(&".".repeat(length));
        assert_agrees_with_the_grammar(&"\u{e9}".repeat(length));
    }
    for dots in ["...", ".a", "a.", "..a", "-", "~", ":"] {
        assert_agrees_with_the_grammar(dots);
    }
}

proptest! {
    #[test]
    fn g10_parse_accepts_exactly_the_grammar(
        text in prop_oneof![".*", "[ -~]{0,4}", "[A-Za-z0-9._:~-]{0,140}", "[A-Za-z0-9.]{0,8}."],
    ) {
        assert_agrees_with_the_grammar(&text);
    }

    #[test]
    fn g10_an_id_is_shown_as_it_was_spelt(text in "[A-Za-z0-9_:~-]{1,128}") {
        prop_assert_eq!(MediaId::from_trusted(&text).unwrap().to_string(), text.clone());
        let debug = format!("UnverifiedId({text:?})");
        prop_assert_eq!(format!("{:?}", UnverifiedId::parse(&text).unwrap()), debug);
    }
}

#[test]
fn g10_deserialisation_accepts_text_and_nothing_else() {
    fn accepts<'de, D: Deserializer<'de>>(value: D) -> bool {
        UnverifiedId::deserialize(value).is_ok()
    }
    fn value<'de, T: IntoDeserializer<'de, ValueError>>(value: T) -> T::Deserializer {
        value.into_deserializer()
    }
    assert!(accepts(StrDeserializer::<ValueError>::new("a")));
    assert!(accepts(value("a".to_owned())));

    assert!(!accepts(value(1_u64)));
    assert!(!accepts(value(1_i64)));
    assert!(!accepts(value(1.0_f64)));
    assert!(!accepts(value(true)));
    assert!(!accepts(value(())));
    assert!(!accepts(value(vec!["a"])));
    assert!(!accepts(BorrowedBytesDeserializer::<ValueError>::new(b"a")));
}
