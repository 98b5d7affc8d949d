//! P11: the ids of a multipart form are verified before the first byte of a file can be read.

use std::{
    convert::Infallible,
    io, iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    handler::Handler,
    http::{StatusCode, header},
    routing::post,
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_media::{
    ErrorKind, Media, MediaId, MediaIds, MediaState, Rendition, Result, UnverifiedId, Upload,
    VerifiedMedia, VerifyMediaLayer,
    extract::{FilePart, MultipartForm},
    testkit::Fault,
};

use super::support::{Answer, World, by, send};

#[derive(Debug, Deserialize, MediaIds)]
struct Collage {
    #[serde(default)]
    references: Vec<UnverifiedId>,
    note: Option<String>,
}

type Form = VerifiedMedia<MultipartForm<Collage>>;

/// The response of `store`: the ids, the note, and the record of each file.
#[derive(Serialize)]
struct Stored {
    references: Vec<MediaId>,
    note: Option<String>,
    files: Vec<Media>,
}

async fn store(VerifiedMedia(mut form, owned): Form, media: MediaState) -> Result<Json<Stored>> {
    let mut files = Vec::new();
    while let Some(file) = form.next_file().await? {
        let upload = Upload::from(file).scope("me");
        files.push(media.upload(owned.owner(), upload).await?);
    }
    let references = form.fields.references.iter().map(|id| owned[id].clone()).collect();
    Ok(Json(Stored { references, note: form.fields.note, files }))
}

fn app<H: Handler<T, ()>, T: 'static>(world: &World, handler: H) -> Router {
    let layer =
        VerifyMediaLayer::<MultipartForm<Collage>>::new(world.media.clone()).id_count(0..=8);
    world.app(Router::new().route("/", post(handler).layer(layer)))
}

const END: &str = "--b--\r\n";

fn field(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file_head(name: &str, file_name: &str) -> String {
    let names = format!("name=\"{name}\"; filename=\"{file_name}\"");
    format!("--b\r\nContent-Disposition: form-data; {names}\r\nContent-Type: text/plain\r\n\r\n")
}

fn file(name: &str, file_name: &str, content: &str) -> String {
    format!("{}{content}\r\n", file_head(name, file_name))
}

fn form(world: &World, body: impl Into<Body>) -> Request {
    by(&world.ana, Request::post("/"))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .body(body.into())
        .unwrap()
}

async fn submit(world: &World, body: impl Into<Body>) -> Answer {
    send(&app(world, store), form(world, body)).await
}

/// A body that is always ready, and the number of bytes that were read from it.
fn counted<I>(chunks: I) -> (Body, Arc<AtomicUsize>)
where
    I: IntoIterator<Item = Bytes, IntoIter: Send + 'static>,
{
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let chunks = stream::iter(chunks).map(move |chunk| {
        count.fetch_add(chunk.len(), Ordering::SeqCst);
        Ok::<_, Infallible>(chunk)
    });
    (Body::from_stream(chunks), taken)
}

async fn is_empty(world: &World) -> bool {
    world.media.stats(&world.ana).await.unwrap().count == 0
}

#[tokio::test]
async fn p11_files_are_stored_whole_for_any_chunking_of_the_body() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let contents = ["first\r\n--not the boundary\r\n", "", "third\r\n\r\n--", "\r\n"];
    let files = contents.map(|content| file("file", "a.txt", content)).concat();
    let body = format!("{}{}{files}{END}", field("references", &id), field("note", "hello"));
    for size in [1, 2, 3, 7, 64, body.len()] {
        let chunks: Vec<_> = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let answer = submit(&world, counted(chunks).0).await;
        let stored = answer.json();
        assert_eq!((&stored["references"], &stored["note"]), (&json!([id]), &json!("hello")));
        let stored = stored["files"].as_array().unwrap();
        assert_eq!(stored.len(), contents.len());
        for (stored, content) in stored.iter().zip(contents) {
            assert_eq!(stored["originalName"], "a.txt");
            let id = MediaId::from_trusted(stored["id"].as_str().unwrap()).unwrap();
            let download = world.media.download(&id, Rendition::Original).await.unwrap();
            assert_eq!(download.into_bytes(1_000).await.unwrap(), content, "in cuts of {size}");
        }
    }
}

#[tokio::test]
async fn p11_a_form_may_have_no_files_or_no_fields() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let answer = submit(&world, field("references", &id) + END).await;
    assert_eq!(answer.json(), json!({"references": [id], "note": null, "files": []}));
    let answer = submit(&world, file("file", "a.txt", "a") + END).await;
    assert_eq!(answer.json()["files"].as_array().unwrap().len(), 1);
    let answer = submit(&world, END).await;
    assert_eq!(answer.json(), json!({"references": [], "note": null, "files": []}));
}

#[tokio::test(start_paused = true)]
async fn p11_a_refusal_does_not_wait_for_the_file() {
    let world = World::new();
    let bobs = world.upload(&world.bob, "me").await;
    let head = field("references", &bobs) + &file_head("file", "a.txt");
    let frames = stream::iter([Ok::<_, Infallible>(head)]).chain(stream::pending());
    let answer = submit(&world, Body::from_stream(frames));
    let answer = tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap();
    assert_eq!((answer.status, answer.missing()), (StatusCode::NOT_FOUND, vec![bobs]));
}

#[tokio::test]
async fn p11_the_file_of_a_refused_form_is_not_read() {
    let world = World::new();
    let bobs = world.upload(&world.bob, "me").await;
    let (body, taken) = counted(large(field("references", &bobs), 1024));
    assert_eq!(submit(&world, body).await.status, StatusCode::NOT_FOUND);
    assert!(taken.load(Ordering::SeqCst) <= 3 * CHUNK);
    assert!(is_empty(&world).await);
}

#[tokio::test]
async fn p11_many_fields_do_not_read_the_file() {
    let world = World::new();
    let bobs = world.upload(&world.bob, "me").await;
    let fields = field("references", &bobs) + &field("other", "x").repeat(900);
    let (body, taken) = counted(large(fields.clone(), 1024));
    let app = app(&world, store).layer(DefaultBodyLimit::disable());
    assert_eq!(send(&app, form(&world, body)).await.status, StatusCode::NOT_FOUND);
    let taken = taken.load(Ordering::SeqCst);
    assert!(taken <= fields.len() + 3 * CHUNK, "{taken} bytes taken");
}

#[tokio::test]
async fn p11_no_file_is_read_while_the_check_is_under_way() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let (body, taken) = counted(large(field("references", &id), 16));

    // Only the check is delayed; the upload comes later.
    world.backend.set(Fault::Late);
    let (app, request) = (app(&world, store), form(&world, body));
    let answer = tokio::spawn(async move { send(&app, request).await });
    while world.backend.questions() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(taken.load(Ordering::SeqCst) <= 3 * CHUNK);
    world.backend.set(Fault::None);
    world.backend.release();
    assert_eq!(answer.await.unwrap().status, StatusCode::OK);
    assert!(taken.load(Ordering::SeqCst) > 16 * CHUNK);
}

#[tokio::test]
async fn p11_a_file_is_read_into_memory_within_a_limit() {
    async fn read(VerifiedMedia(mut form, _): Form) -> Result<Bytes> {
        form.next_file().await?.unwrap().bytes(5).await
    }
    let world = World::new();
    for (content, status) in [("12345", StatusCode::OK), ("123456", StatusCode::PAYLOAD_TOO_LARGE)]
    {
        let body = file("file", "a.txt", content) + END;
        let answer = send(&app(&world, read), form(&world, body)).await;
        assert_eq!(answer.status, status);
        assert!(!status.is_success() || answer.text() == content);
    }
}

#[tokio::test]
async fn p11_field_after_a_file_is_refused_with_a_reason() {
    let world = World::new();
    for ids in [world.upload(&world.ana, "me").await, world.upload(&world.bob, "me").await] {
        let body = file("file", "a.txt", "a") + &field("references", &ids) + END;
        let answer = submit(&world, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            answer.json()["detail"],
            "The form field \"references\" comes after a file, where its media ids can no longer be \
             checked: put all fields before the first file."
        );
    }
}

#[tokio::test]
async fn p11_missing_field_hints_at_fields_after_a_file() {
    #[derive(Deserialize, MediaIds)]
    struct Note {
        note: String,
    }

    let world = World::new();
    let layer = VerifyMediaLayer::<MultipartForm<Note>>::new(world.media.clone()).id_count(0..=8);
    let app = world.app(Router::new().route("/", post(async || {}).layer(layer)));
    let behind = file("file", "a.txt", "a") + &field("note", "x") + END;
    for (body, hint) in [(behind, "; put all fields before the first file"), (END.to_owned(), "")] {
        let answer = send(&app, form(&world, body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let detail = format!("The form cannot be read: missing field `note`{hint}.");
        assert_eq!(answer.json()["detail"], detail);
    }
}

#[tokio::test]
async fn p11_id_after_a_file_cannot_be_opened() {
    let world = World::new();
    let (first, second) =
        (world.upload(&world.ana, "me").await, world.upload(&world.ana, "me").await);
    let body = field("references", &first)
        + &file("file", "a.txt", "a")
        + &field("references", &second)
        + END;
    let behind = UnverifiedId::parse(&second).unwrap();
    let handler = async move |VerifiedMedia(mut form, owned): Form| {
        while let Ok(Some(_)) = form.next_file().await {}
        format!("{:?} {:?} {:?}", owned.ids(), form.fields.references, owned.get(&behind))
    };
    let answer = send(&app(&world, handler), form(&world, body)).await;
    let expected = format!("[MediaId({first:?})] [UnverifiedId({first:?})] None");
    assert_eq!(answer.text(), expected);
}

#[tokio::test]
async fn p11_part_with_any_file_name_is_a_file() {
    let world = World::new();
    let bobs = world.upload(&world.bob, "me").await;
    for name in ["a.txt", ""] {
        let stored = submit(&world, file("references", name, &bobs) + END).await.json();
        assert_eq!(stored["references"], json!([]));
        assert_eq!(stored["files"][0]["size"], bobs.len());
    }
    assert_eq!(world.backend.questions(), 0);
}

/// Describes a file by its getters.
fn described(file: &FilePart) -> String {
    format!("{:?}", [file.name(), file.file_name(), file.content_type()])
}

/// The part that Chromium and Firefox send for a file input without a file.
fn no_file(name: &str) -> String {
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n\r\n"
    )
}

#[tokio::test]
async fn p11_empty_file_input_is_not_a_file() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    for body in [
        no_file("photo") + &field("references", &id) + END,
        field("references", &id) + &no_file("photo") + &no_file("other") + END,
        no_file("photo")
            + &field("references", &id)
            + &no_file("other")
            + &field("note", "x")
            + END,
    ] {
        let answer = submit(&world, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["references"], json!([id]));
        assert_eq!(answer.json()["files"], json!([]));
    }
    let body = no_file("a") + &file("b", "b.txt", "b") + &no_file("c") + &file("d", "", "d") + END;
    let files = submit(&world, body).await.json()["files"].as_array().unwrap().len();
    assert_eq!(files, 2);
}

#[tokio::test]
async fn p11_id_after_an_empty_file_input_is_verified() {
    let world = World::new();
    let id = world.upload(&world.bob, "me").await;
    let answer = submit(&world, no_file("photo") + &field("references", &id) + END).await;
    assert_eq!((answer.status.as_u16(), answer.missing()), (404, vec![id]));
}

#[tokio::test]
async fn p11_empty_file_with_a_name_is_a_file() {
    let world = World::new();
    let files = submit(&world, file("a", "a.txt", "") + END).await.json()["files"].clone();
    assert_eq!(files.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn p11_file_without_a_name_survives_a_dropped_future() {
    async fn read(VerifiedMedia(mut form, _): Form) -> Result<String> {
        drop(form.next_file().await?);
        let mut drops = 0;
        let file = loop {
            // Polls once, then drops.
            match form.next_file().now_or_never() {
                Some(file) => break file?.unwrap(),
                None => drops += 1,
            }
            tokio::task::yield_now().await;
        };
        let bytes = file.bytes(100).await?;
        Ok(format!("{} {}", drops > 0, String::from_utf8_lossy(&bytes)))
    }
    let world = World::new();
    let body = file("one", "1.txt", "1") + &file("two", "", "hello") + END;
    let mut late = false;
    let mut bytes = body.into_bytes().into_iter();
    let body = Body::from_stream(stream::poll_fn(move |cx| {
        late = !late;
        if late {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(
            bytes.next().map(|byte| Ok::<_, Infallible>(Bytes::from(vec![byte]))),
        )
    }));
    assert_eq!(send(&app(&world, read), form(&world, body)).await.text(), "true hello");
}

#[tokio::test]
async fn p11_many_empty_file_inputs_are_bounded() {
    let world = World::new();
    for (count, status) in [(1_000, 200), (1_001, 422)] {
        let body = no_file("photo").repeat(count) + &field("note", "x") + END;
        let answer = submit(&world, body).await;
        assert_eq!(answer.status, status, "{count} inputs: {}", answer.text());
    }
}

#[tokio::test]
async fn p11_a_handler_may_leave_a_file_half_read() {
    let world = World::new();
    let handler = async |VerifiedMedia(mut form, _): Form| -> Result<_> {
        let mut first = form.next_file().await?.unwrap();
        let begun = first.try_next().await?.unwrap();
        drop(first);
        let second = form.next_file().await?.unwrap();
        let description = described(&second);
        let content: Vec<_> = second.try_collect().await?;
        assert!(form.next_file().await?.is_none());
        Ok(Json(json!([begun.starts_with(b"xxx"), description, content.concat()])))
    };
    let first = file("one", "1.txt", &"x".repeat(100_000));
    let body = first + &file("two", "2.txt", "abc") + END;
    let chunks: Vec<_> = body.as_bytes().chunks(1_000).map(Bytes::copy_from_slice).collect();
    let answer = send(&app(&world, handler), form(&world, counted(chunks).0)).await;
    let description = r#"[Some("two"), Some("2.txt"), Some("text/plain")]"#;
    assert_eq!(answer.json(), json!([true, description, b"abc"]));
}

#[tokio::test(start_paused = true)]
async fn p11_next_file_while_one_is_held_is_an_error() {
    let world = World::new();
    let handler = async |VerifiedMedia(mut form, _): Form| {
        let held = form.next_file().await.unwrap().unwrap();
        let refused = form.next_file().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Internal);
        drop(held);
        let next = form.next_file().await.unwrap().unwrap();
        described(&next)
    };
    let body = file("one", "1.txt", "1") + &file("two", "2.txt", "2") + END;
    let app = app(&world, handler);
    let answer = send(&app, form(&world, body));
    let answer = tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap();
    assert!(answer.text().contains("2.txt"), "{}", answer.text());
}

const CHUNK: usize = 64 << 10;

/// The chunks of a form with these fields, and one file of `count` chunks.
fn large(fields: String, count: usize) -> impl Iterator<Item = Bytes> + Send + 'static {
    let content = iter::repeat_n(Bytes::from(vec![b'x'; CHUNK]), count);
    iter::once(Bytes::from(fields + &file_head("file", "a.txt")))
        .chain(content)
        .chain(iter::once(Bytes::from(format!("\r\n{END}"))))
}

#[tokio::test]
async fn p11_body_is_read_only_as_fast_as_the_handler_reads() {
    let world = World::new();
    let count = 1024;
    let (body, taken) = counted(large(String::new(), count));
    let handler = async move |VerifiedMedia(mut form, _): Form| -> Result<_> {
        let mut file = form.next_file().await?.unwrap();
        let (mut read, mut ahead) = (0, 0);
        while let Some(chunk) = file.try_next().await? {
            read += chunk.len();
            ahead = ahead.max(taken.load(Ordering::SeqCst) - read);
        }
        Ok(Json([read, ahead]))
    };
    let app = app(&world, handler).layer(DefaultBodyLimit::disable());
    let answer = send(&app, form(&world, body)).await;
    let [read, ahead]: [usize; 2] = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(read, count * CHUNK);
    assert!(ahead <= 2 * CHUNK, "{ahead} bytes ahead");
}

#[tokio::test]
async fn p11_unread_body_is_not_received() {
    let world = World::new();
    let (body, taken) = counted(large(String::new(), 1024));
    let app = app(&world, async |_: Form| {}).layer(DefaultBodyLimit::disable());
    assert_eq!(send(&app, form(&world, body)).await.status, StatusCode::OK);
    assert!(taken.load(Ordering::SeqCst) <= CHUNK);
}

#[tokio::test]
async fn p11_the_body_limit_holds_for_files_and_leaves_nothing() {
    let world = World::new();
    let limited = |limit| app(&world, store).layer(DefaultBodyLimit::max(limit));
    for (app, count) in [(limited(100_000), 2), (app(&world, store), 33)] {
        let answer = send(&app, form(&world, counted(large(String::new(), count)).0)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.text());
        assert!(is_empty(&world).await);
    }
    let answer = send(&limited(3 * CHUNK), form(&world, counted(large(String::new(), 2)).0)).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn p11_text_fields_are_bounded_in_number_and_size() {
    let world = World::new();
    let fields = |count| field("other", "x").repeat(count) + END;
    let text = |size| field("note", &"x".repeat(size)) + END;
    let halves = field("other", &"x".repeat(130 << 10)).repeat(2) + END;
    let endless_name = field(&"x".repeat(257 << 10), "") + END;
    for (body, status) in [
        (fields(1_000), StatusCode::OK),
        (fields(1_001), StatusCode::PAYLOAD_TOO_LARGE),
        (text((256 << 10) - "note".len()), StatusCode::OK),
        (text(256 << 10), StatusCode::PAYLOAD_TOO_LARGE),
        (halves, StatusCode::PAYLOAD_TOO_LARGE),
        (endless_name, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(submit(&world, body).await.status, status);
    }
}

/// A client can send a preamble and a head of any length.
#[tokio::test]
async fn p11_preamble_and_heads_are_bounded() {
    let world = World::new();
    let app = app(&world, store).layer(DefaultBodyLimit::disable());
    for begin in ["", "--b\r\nContent-Disposition: form-data; name=\""] {
        let endless = iter::repeat_n(Bytes::from(vec![b'x'; CHUNK]), 256);
        let (body, taken) = counted(iter::once(Bytes::from(begin)).chain(endless));
        let answer = send(&app, form(&world, body)).await;
        assert!(answer.status.is_client_error());
        assert!(taken.load(Ordering::SeqCst) <= 1 << 20, "{begin:?}");
    }
}

#[tokio::test]
async fn p11_request_without_a_form_is_a_client_error() {
    let world = World::new();
    let body = field("note", "hello") + END;
    for content_type in [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=b",
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=\u{fc}",
    ] {
        let mut request = form(&world, body.clone());
        let content_type = content_type.as_bytes().try_into().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, content_type);
        let answer = send(&app(&world, store), request).await;
        assert!(answer.status.is_client_error(), "{}", answer.text());
    }
    let mut request = form(&world, body);
    request.headers_mut().remove(header::CONTENT_TYPE);
    assert!(send(&app(&world, store), request).await.status.is_client_error());
}

#[tokio::test]
async fn p11_truncated_form_is_a_client_error_and_leaves_nothing() {
    let world = World::new();
    let body = field("note", "hello") + &file("file", "a.txt", "content") + "--b--";
    for end in 0..body.len() {
        let answer = submit(&world, body[..end].to_owned()).await;
        assert!(answer.status.is_client_error(), "{} at {end}", answer.status);
        let broken = stream::iter([Ok(body[..end].to_owned()), Err(io::Error::other("gone"))]);
        let answer = submit(&world, Body::from_stream(broken)).await;
        assert!(answer.status.is_client_error(), "{} at {end}, broken off", answer.status);
    }
    assert_eq!(submit(&world, body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn p11_field_that_is_not_utf8_or_not_an_id_is_a_client_error() {
    let world = World::new();
    let body = field("NAME", "VALUE") + END;
    for (name, value) in [
        (&b"note"[..], &b"\xff\xfe"[..]),
        (b"references", b"a\xffb"),
        (b"\xff", b"x"),
        (b"references", b"a/b"),
    ] {
        let body = replace(&replace(body.as_bytes(), b"NAME", name), b"VALUE", value);
        let answer = submit(&world, body).await;
        assert!(answer.status.is_client_error(), "{name:?}: {}", answer.status);
    }
    let nameless = "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n";
    assert!(submit(&world, nameless).await.status.is_client_error());
    assert_eq!(world.backend.questions(), 0);
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = text.windows(from.len()).position(|window| window == from).unwrap();
    [&text[..at], to, &text[at + from.len()..]].concat()
}
