//! Bounds of requests, cleanup after failed uploads, and isolation of users.

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use futures_util::stream;
use serde_json::{Value, json};
use tower_media::{InMemory, MediaState, routes::ServiceRoutes};

use crate::support::{
    FILE, Home, answer, files, form, get, in_memory, keys, send, upload, upload_for,
};

#[tokio::test]
async fn parts_have_any_order_and_the_last_of_a_name_counts() {
    let app = in_memory();
    let (app_part, user) = (("name=\"app\"", &b"me"[..]), ("name=\"userId\"", &b"ana"[..]));
    let large = vec![7; 700 << 10];
    for parts in [
        [(FILE, &large[..]), app_part, user],
        [app_part, (FILE, &large[..]), user],
        [user, app_part, (FILE, &large[..])],
    ] {
        let (status, record) = upload(&app, form(&parts)).await;
        assert_eq!((status, record["size"].as_u64()), (201, Some(700 << 10)));
    }
    let twice =
        [(FILE, &b"first"[..]), (FILE, b"second"), ("name=\"userId\"", b"bob"), app_part, user];
    assert_eq!(upload(&app, form(&twice)).await.1["size"], 6);
    assert_eq!(get(&app, "/stats?userId=ana").await.1["count"], 2);
    assert_eq!(get(&app, "/stats?userId=bob").await.1["count"], 0);
}

#[tokio::test]
async fn p10_a_refused_or_aborted_upload_leaves_nothing() {
    let home = Home::new().await;
    let app = home.routes().max_bytes(1 << 20).into_router();
    let large = vec![7; (1 << 20) + 1];
    let user = ("name=\"userId\"", &b"ana"[..]);
    let app_part = ("name=\"app\"", &b"me"[..]);
    let whole = form(&[user, app_part, (FILE, &large[..600 << 10])]);
    let cut = |end: usize| Bytes::copy_from_slice(&whole[..end]);
    let broken = stream::iter([Ok(cut(400 << 10)), Err(std::io::Error::other("connection reset"))]);
    for (what, body, error) in [
        (
            "too large",
            Body::from(form(&[user, app_part, (FILE, &large)])),
            "File too large (max 1MB)",
        ),
        ("no end", cut(whole.len() - 9).into(), "The form is malformed or incomplete"),
        ("broken", Body::from_stream(broken), "The form is malformed or incomplete"),
        (
            "without a user",
            form(&[app_part, (FILE, &large[..600 << 10])]).into(),
            "userId is required",
        ),
        ("without an app", form(&[user, (FILE, b"x")]).into(), "app is required"),
        ("no file", form(&[user, app_part]).into(), "No file provided"),
    ] {
        let (status, answer) = upload(&app, body).await;
        assert_eq!((status, answer), (400, json!({ "error": error })), "{what}");
    }
    assert_eq!(files(&home.folder.path().join("blobs")), [""; 0].map(std::path::PathBuf::from));
    assert_eq!(files(&home.folder.path().join("incoming")), [""; 0].map(std::path::PathBuf::from));
    assert_eq!(get(&app, "/stats?userId=ana").await.1["count"], 0);
}

#[tokio::test]
async fn p10_the_parts_of_a_form_are_bounded() {
    let app = in_memory();
    let own = [("name=\"app\"", &b"me"[..]), ("name=\"userId\"", b"ana"), (FILE, b"x")];
    let with_more = |count: usize| [&own[..], &vec![("name=\"more\"", &b"x"[..]); count]].concat();
    assert_eq!(upload(&app, form(&with_more(61))).await.0, 201);
    let (status, answer) = upload(&app, form(&with_more(62))).await;
    assert_eq!((status, answer), (400, json!({ "error": "The form has too many parts" })));
    let long = [b'a'; (4 << 10) + 1];
    let (status, answer) = upload(&app, form(&[("name=\"app\"", &long[..])])).await;
    assert_eq!((status, answer), (400, json!({ "error": "A part of the form is too long" })));
    let (status, _) = upload(&app, form(&[own[1], own[2], ("name=\"app\"", &long[..300])])).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn p10_a_body_that_is_announced_as_too_large_is_not_read() {
    let app = in_memory();
    let unread = Body::from_stream(stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<Bytes, std::io::Error>>> { panic!("read") },
    ));
    let request = Request::post("/api/v1/media/upload")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .header(header::CONTENT_LENGTH, 30 << 20);
    assert_eq!(send(&app, request, unread).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn r07_an_upload_beyond_the_bound_is_refused_at_once() {
    let media = MediaState::new(InMemory::new());
    let app = ServiceRoutes::new(media, keys()).max_uploads(0).into_router();
    let request = Request::post("/api/v1/media/upload")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    let response = send(&app, request, form(&[(FILE, b"x")]).into()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn ownership_queries_are_bounded_and_exact() {
    let app = in_memory();
    let ana = upload_for(&app, "ana", b"one").await["id"].as_str().unwrap().to_owned();
    let bob = upload_for(&app, "bob", b"one").await["id"].as_str().unwrap().to_owned();
    let query = async |body: String| {
        let request =
            Request::post("/api/v1/media/owned").header(header::CONTENT_TYPE, "application/json");
        answer(send(&app, request, body.into()).await).await
    };
    let ids = json!([bob, "../x", ana, "absent", ana]);
    for (apps, owned) in [
        (Value::Null, json!([ana])),
        (json!(["me", "other"]), json!([ana])),
        (json!(["other"]), json!([])),
    ] {
        let body = json!({ "userId": "ana", "apps": apps, "ids": ids });
        assert_eq!(query(body.to_string()).await, (200, json!({ "owned": owned })));
    }
    let many: Vec<String> = (0..10_001).map(|n| n.to_string()).collect();
    for (body, status) in [
        (json!({ "userId": "ana", "ids": many[1..] }).to_string(), 200),
        (json!({ "userId": "ana", "ids": many }).to_string(), 400),
        (json!({ "userId": "", "ids": [] }).to_string(), 400),
        (json!({ "userId": "ana", "apps": ["a,b"], "ids": [] }).to_string(), 400),
        (json!({ "ids": [] }).to_string(), 422),
        (format!("{{\"userId\":\"{}\"", "x".repeat(5 << 20)), 413),
    ] {
        assert_eq!(query(body).await.0, status);
    }
}

#[tokio::test]
async fn p15_a_response_reveals_nothing_of_another_user() {
    let home = Home::new().await;
    let app = home.routes().into_router();
    let (ana, bob) =
        (upload_for(&app, "ana", b"same").await, upload_for(&app, "bob", b"same").await);
    assert_ne!(ana["id"], bob["id"]);
    let without_ids = |record: &Value| {
        let mut record = record.clone();
        record["createdAt"] = Value::Null;
        record.to_string().replace(record["id"].as_str().unwrap(), "{id}")
    };
    assert_eq!(without_ids(&ana), without_ids(&bob));
    let remove = Request::delete(format!("/api/v1/media/{}", ana["id"].as_str().unwrap()));
    assert_eq!(send(&app, remove, Body::empty()).await.status(), StatusCode::OK);
    assert_eq!(get(&app, &format!("/{}", bob["id"].as_str().unwrap())).await, (200, bob));
    assert_eq!(get(&app, "?userId=ana").await, (200, json!([])));
}

#[tokio::test]
async fn a_list_has_the_requested_number_of_records() {
    let app = in_memory();
    for n in 0..503 {
        upload_for(&app, "many", n.to_string().as_bytes()).await;
    }
    for (limit, expected) in
        [("", 50), ("&limit=0", 50), ("&limit=502", 502), ("&limit=99999", 503)]
    {
        let (_, list) = get(&app, &format!("?userId=many&app=me{limit}")).await;
        assert_eq!(list.as_array().unwrap().len(), expected, "{limit}");
    }
    let (_, page) = get(&app, "/list/all?userId=many&limit=1000&offset=1").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 500);
    assert_eq!((&page["total"], &page["hasMore"]), (&json!(503), &json!(true)));
}

#[tokio::test]
async fn p08_every_response_has_safe_headers() {
    let app = in_memory();
    let id = upload_for(&app, "ana", b"<script>").await["id"].as_str().unwrap().to_owned();
    for (path, status) in [
        (format!("/api/v1/media/{id}/file"), 200),
        (format!("/api/v1/media/{id}"), 200),
        (format!("/api/v1/media/{id}/file/thumb"), 404),
        ("/api/v1/media/no/such/route".to_owned(), 404),
        ("/health".to_owned(), 200),
    ] {
        let response = send(&app, Request::get(&path), Body::empty()).await;
        assert_eq!(response.status(), status, "{path}");
        let headers = response.headers();
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(
            headers[header::CONTENT_SECURITY_POLICY],
            "default-src 'none'; sandbox",
            "{path}"
        );
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{path}");
    }
}

#[tokio::test]
async fn r04_readiness_follows_the_backend() {
    use tower_media::{
        ErrorKind,
        testkit::{Fault, Faulty},
    };
    let backend = Faulty::new(InMemory::new());
    let app = ServiceRoutes::new(MediaState::new(backend.clone()), keys()).into_router();
    let ready = async || send(&app, Request::get("/ready"), Body::empty()).await.status().as_u16();
    assert_eq!(ready().await, 200);
    backend.set(Fault::Fail(ErrorKind::Unavailable));
    assert_eq!(ready().await, 503);
    backend.set(Fault::None);
    assert_eq!(ready().await, 200);

    let home = Home::new().await;
    let app = home.routes().into_router();
    let ready = async || send(&app, Request::get("/ready"), Body::empty()).await.status().as_u16();
    assert_eq!(ready().await, 200);
    home.store.close().await.unwrap();
    assert_eq!(ready().await, 503);
}
