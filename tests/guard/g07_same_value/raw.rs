//! Requests of an untrusted client: mostly valid, then mutated.

use axum::{extract::Request, http::header};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::{FORM, JSON};

const MULTIPART: &str = "multipart/form-data; boundary=b";

/// The ids that the caller owns.
pub(super) const MINE: [&str; 4] = ["mine-0", "mine-1", "mine-2", "mine-3"];

/// A request of an untrusted client.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    method: &'static str,
    path: String,
    query: String,
    content: Vec<&'static str>,
    body: Vec<u8>,
}

impl Raw {
    /// Returns `None` if it is not a valid HTTP request.
    pub(super) fn request(&self) -> Option<Request> {
        let uri = format!("{}?{}", self.path, self.query);
        let mut request = Request::builder().method(self.method).uri(uri);
        for content_type in &self.content {
            request = request.header(header::CONTENT_TYPE, *content_type);
        }
        request.body(self.body.clone().into()).ok()
    }
}

fn id() -> impl Strategy<Value = &'static str> {
    let odd = ["MINE-0", "mine-0%20", "mine%2D1", "mine%252D1", "%6dine-0", "a%20text", "+", ""];
    prop_oneof![
        12 => select(&MINE[..]),
        2 => select(vec!["theirs-0", "theirs-1"]),
        1 => select(odd.to_vec()),
    ]
}

/// An id in JSON, sometimes with an escape sequence.
fn json_id() -> impl Strategy<Value = String> {
    let escaped = id().prop_map(|id| format!("\"{}\"", id.replacen('i', "\\u0069", 1)));
    prop_oneof![4 => id().prop_map(|id| format!("{id:?}")), 1 => escaped]
}

fn json_object(
    key: impl Strategy<Value = &'static str>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    vec((key, value).prop_map(|(key, value)| format!("\"{key}\": {value}")), 0..4)
        .prop_map(|entries| format!("{{{}}}", entries.join(", ")))
}

fn json_value() -> impl Strategy<Value = String> {
    let other = select(vec!["null", "1", "true", "\"a text\"", "\"UnverifiedId(\\\"mine-0\\\")\""]);
    let leaf = prop_oneof![4 => json_id(), 1 => other.prop_map(str::to_owned)];
    leaf.prop_recursive(3, 12, 3, |value| {
        let list = vec(value.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![list, json_object(json_key(), value)]
    })
}

fn json_key() -> impl Strategy<Value = &'static str> {
    select(vec![
        "cover",
        "thumb",
        "Cover",
        "c\\u006fver",
        "pictures",
        "mask",
        "backDrop",
        "id",
        "size",
        "kind",
        "first",
        "second",
        "other",
        "",
    ])
}

/// A member of a `Post`, mostly of the type that belongs there.
fn json_member() -> impl Strategy<Value = String> {
    let crops = json_object(Just("id"), json_id());
    prop_oneof![
        2 => (select(vec!["cover", "thumb", "mask"]), json_id()).prop_map(member),
        2 => vec(prop_oneof![json_id().boxed(), crops.boxed(), json_value().boxed()], 0..3)
            .prop_map(|pictures| member(("pictures", format!("[{}]", pictures.join(","))))),
        1 => json_tagged().prop_map(|tagged| member(("backDrop", tagged))),
        1 => (json_key(), json_value()).prop_map(member),
    ]
}

fn member((key, value): (&str, String)) -> String {
    format!("\"{key}\": {value}")
}

fn json_tagged() -> impl Strategy<Value = String> {
    prop_oneof![
        json_id().prop_map(|id| format!("{{\"kind\": \"stored\", \"id\": {id}}}")),
        [json_id(), json_id()].prop_map(|[first, second]| {
            format!("{{\"first\": {first}, \"kind\": \"pair\", \"second\": {second}}}")
        }),
        Just("{\"kind\": \"link\", \"url\": \"theirs-0\"}".to_owned()),
    ]
}

fn text_key() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("id"), 1 => select(vec!["cover", "thumb", "c%6fver", "id[]", "other"])]
}

fn pairs() -> impl Strategy<Value = String> {
    vec((text_key(), id()).prop_map(|(key, id)| format!("{key}={id}")), 0..4)
        .prop_map(|pairs| pairs.join("&"))
}

fn parts() -> impl Strategy<Value = String> {
    let file = prop::option::weighted(0.2, select(vec!["; filename=\"a\"", "; filename=\"\""]));
    let part = (text_key(), file, id()).prop_map(|(key, file, id)| {
        let file = file.unwrap_or_default();
        format!("--b\r\nContent-Disposition: form-data; name=\"{key}\"{file}\r\n\r\n{id}\r\n")
    });
    vec(part, 0..4).prop_map(|parts| parts.concat() + "--b--\r\n")
}

/// A source with the content type and the body that belong to it.
fn source() -> impl Strategy<Value = (&'static str, &'static str, String)> {
    let post = vec(json_member(), 0..4).prop_map(|members| format!("{{{}}}", members.join(", ")));
    let list = vec(json_tagged(), 0..3).prop_map(|items| format!("[{}]", items.join(", ")));
    let keyed = json_object(json_key(), json_id());
    prop_oneof![
        4 => (select(vec!["/json", "/result", "/all/"]), Just(JSON), post),
        1 => (Just("/tagged"), Just(JSON), list),
        1 => (Just("/keyed"), Just(JSON), keyed),
        3 => (select(vec!["/form", "/forms", "/all-form/"]), Just(FORM), pairs()),
        2 => (select(vec!["/multipart", "/all-multipart/"]), Just(MULTIPART), parts()),
        2 => (select(vec!["/query", "/queries", "/path/"]), Just("text/plain"), Just(String::new())),
    ]
}

/// A deletion, a repetition, or an insertion.
#[derive(Debug, Clone)]
enum Change {
    Cut(Index, Index),
    Repeat(Index, Index),
    Insert(Index, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let tokens = select(vec![
        "\"",
        ",",
        "{",
        "}",
        "[",
        "]",
        ":",
        "&",
        "=",
        "%",
        "%00",
        "\\",
        "\\u006d",
        "\r\n",
        "--b",
        "mine-0",
        "theirs-0",
        "\"cover\":\"theirs-0\",",
        "&id=theirs-0&",
        "\u{e9}",
    ]);
    prop_oneof![
        any::<(Index, Index)>().prop_map(|(from, to)| Change::Cut(from, to)),
        any::<(Index, Index)>().prop_map(|(from, to)| Change::Repeat(from, to)),
        (any::<Index>(), tokens).prop_map(|(at, token)| Change::Insert(at, token)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    for change in changes {
        let at = |index: &Index| index.index(text.len() + 1);
        match change {
            Change::Cut(a, b) => drop(text.drain(at(a).min(at(b))..at(a).max(at(b)))),
            Change::Repeat(a, b) => {
                let (from, to) = (at(a).min(at(b)), at(a).max(at(b)));
                let again = text[from..to].to_vec();
                text.splice(to..to, again);
            }
            Change::Insert(place, token) => {
                let place = at(place);
                text.splice(place..place, token.bytes());
            }
        }
    }
    text
}

pub(super) fn raw() -> impl Strategy<Value = Raw> {
    let some_changes = || prop_oneof![2 => Just(vec![]), 1 => vec(change(), 1..4)];
    let content = prop::option::weighted(0.15, vec(select(vec![JSON, FORM, MULTIPART, "x"]), 0..3));
    let method = prop_oneof![4 => Just("POST"), 1 => select(vec!["GET", "PUT", "HEAD"])];
    let query = (pairs(), some_changes());
    (method, source(), [id(), id()], query, content, some_changes()).prop_map(
        |(method, (path, usual, body), [a, b], (query, in_query), content, in_body)| Raw {
            method,
            path: if path.ends_with('/') { format!("{path}{a}/{b}") } else { path.to_owned() },
            query: String::from_utf8_lossy(&changed(&query, &in_query)).into_owned(),
            content: content.unwrap_or_else(|| vec![usual]),
            body: changed(&body, &in_body),
        },
    )
}
