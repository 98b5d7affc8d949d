//! Attacks with paths, names, numbers and headers.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header, request::Builder},
};
use serde_json::json;
use tower_media::store::MakeVariants;

use crate::support::{Home, form, get, in_memory, send, upload, upload_for};

const PNG: &[u8] = include_bytes!("../fixtures/images/tiny-16x12.png");

#[tokio::test]
async fn g10_another_spelling_of_a_path_is_404() {
    let home = Home::new().await;
    for app in [in_memory(), home.routes().into_router()] {
        let record = upload_for(&app, "ana", PNG).await;
        let (id, hash) = (record["id"].as_str().unwrap(), record["hash"].as_str().unwrap());
        let upper = id.to_uppercase();
        for path in [
            format!("/{id}%2Ffile"),
            format!("/{id}%252Ffile"),
            format!("/{id}%00"),
            format!("/{id}%20"),
            format!("/%20{id}"),
            format!("/{upper}"),
            format!("/{{{id}}}"),
            format!("/..%2F{id}/file"),
            format!("/%2e%2e/{id}/file"),
            format!("/x/../{id}/file"),
            format!("/./{id}/file"),
            format!("//{id}/file"),
            format!("/{id}//file"),
            format!("/{id}/file/"),
            format!("/{id}/file/..%2F..%2Fmedia.sqlite"),
            format!("/{id}/file/thumb%00"),
            format!("/{id}/file/THUMB"),
            format!("/{id}/file;x=1"),
            "/..%2F..%2F..%2Fetc%2Fpasswd/file".to_owned(),
            "/%FF%FE/file".to_owned(),
            "/blobs/file".to_owned(),
            format!("/hash/{}", hash.to_uppercase()),
            format!("/hash/{hash}%00"),
            format!("/hash/..%2F{hash}"),
        ] {
            let (status, answer) = get(&app, &path).await;
            assert_eq!(status, 404, "{path}: {answer}");
        }
        assert_eq!(get(&app, &format!("/{id}")).await.0, 200);
    }
}

#[tokio::test]
async fn p12_numbers_are_bounded_and_the_first_of_several_counts() {
    // With variants on request, an upload is `ready` and listed at once.
    let home = Home::with(Home::builder().variants(MakeVariants::OnRequest)).await;
    for app in [in_memory(), home.routes().into_router()] {
        let id = upload_for(&app, "ana", PNG).await["id"].as_str().unwrap().to_owned();
        upload_for(&app, "bob", b"bob's").await;
        let huge = ["9223372036854775807", "18446744073709551615", "99999999999999999999999999"];
        for number in huge {
            let (status, list) = get(&app, &format!("?userId=ana&limit={number}")).await;
            assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(1)), "{number}");
            for (name, items) in [("limit", 1), ("offset", 0)] {
                let (status, page) =
                    get(&app, &format!("/list/all?userId=ana&{name}={number}")).await;
                assert_eq!(status, 200, "{name}={number}");
                assert_eq!(page["items"].as_array().unwrap().len(), items, "{name}={number}");
                assert_eq!((&page["total"], &page["hasMore"]), (&json!(1), &json!(false)));
            }
            for name in ["w", "h"] {
                let (status, _) = get(&app, &format!("/{id}/transform?{name}={number}")).await;
                assert_eq!(status, 200, "{name}={number}");
            }
            assert_eq!(get(&app, &format!("/{id}/transform?q={number}")).await.0, 400);
            assert_eq!(get(&app, &format!("?userId=ana&limit=-{number}")).await.0, 400);
        }
        for (query, status) in [
            // Callers are trusted, but must not be misled by repeated parameters.
            ("?userId=ana&userId=bob", 200),
            ("?userId=ana&limit=1&limit=-1", 200),
            ("?userId=&userId=bob", 400),
            ("?userId=a%00b", 400),
            ("?userId=%FF", 200),
            ("/list/all?userId=ana&dateFrom=-999999999-01-01T00:00:00Z", 400),
            ("/list/all?userId=ana&dateTo=9999-12-31T23:59:59.999999999Z", 200),
            ("/list/all?userId=ana&dateFrom=-009999-01-01T00:00:00Z", 200),
            ("/list/all?userId=ana&after=-1", 400),
            ("/list/all?userId=ana&after=18446744073709551616", 400),
            ("/list/all?userId=ana&mimeType=%25/*", 200),
        ] {
            let (answered, answer) = get(&app, query).await;
            assert_eq!(answered, status, "{query}: {answer}");
            assert!(!answer.to_string().contains("bob"), "{query}: {answer}");
        }
    }
}

#[tokio::test]
async fn p09_a_file_name_neither_adds_nor_ends_a_header() {
    let app = in_memory();
    for name in [
        r#"a\"; filename*=UTF-8''evil.html; x=\"b.png"#,
        r"a\\\r\nX-Evil: 1.png",
        "a%0D%0AX-Evil: 1.png",
        "a%22; evil=.png",
        "a;b=c,d.png",
        "..\\..\\evil.png",
        "../../../evil.png",
        "\u{202e}gnp.exe",
        "a\u{85}\u{2028}b.png",
        "ä\u{0}ö.png",
    ] {
        let file = format!("name=\"file\"; filename=\"{name}\"");
        let parts =
            [("name=\"app\"", &b"me"[..]), ("name=\"userId\"", b"ana"), (&*file, name.as_bytes())];
        let (status, record) = upload(&app, form(&parts)).await;
        // A part header that cannot be parsed is refused; one that can is harmless.
        assert!(matches!(status, 201 | 400), "{name}: {record}");
        let Some(id) = record["id"].as_str() else { continue };
        let shown = record["originalName"].as_str().unwrap_or_default();
        assert!(!shown.contains(['/', '\r', '\n', '\0', '\u{202e}', '\u{2028}']), "{shown}");
        let path = format!("/api/v1/media/{id}/file");
        let response = send(&app, Request::get(path), Body::empty()).await;
        assert_eq!(response.status(), 200, "{name}");
        assert!(!response.headers().contains_key("x-evil"), "{name}");
        let values: Vec<_> =
            response.headers().get_all(header::CONTENT_DISPOSITION).iter().collect();
        let [value] = values[..] else { panic!("{name}: {values:?}") };
        let value = value.to_str().unwrap();
        assert!(value.starts_with("attachment; filename=\""), "{name}: {value}");
        // One quoted string, and at most one extended value, without quotes or blanks.
        let rest = value.strip_prefix("attachment; filename=\"").unwrap();
        let (quoted, rest) = rest.split_once('"').unwrap();
        assert!(!quoted.contains('\\'), "{value}");
        let extended = rest.strip_prefix("; filename*=UTF-8''");
        assert!(rest.is_empty() || extended.is_some_and(|text| !text.contains([';', ' ', '"'])));
    }
}

async fn ranged(app: &Router, request: Builder) -> (StatusCode, usize) {
    let response = send(app, request, Body::empty()).await;
    let status = response.status();
    (status, to_bytes(response.into_body(), 1 << 20).await.unwrap().len())
}

#[tokio::test]
async fn p13_many_ranges_are_the_whole_file_once() {
    let home = Home::new().await;
    for app in [in_memory(), home.routes().into_router()] {
        let id = upload_for(&app, "ana", &[7; 5000]).await["id"].as_str().unwrap().to_owned();
        let file_request = || Request::get(format!("/api/v1/media/{id}/file"));
        let many = format!("bytes={}0-1", "0-,".repeat(20_000));
        for (range, status, length) in [
            (&*many, 200, 5000),
            ("bytes=0-0,-1", 200, 5000),
            ("bytes=18446744073709551615-", 416, 0),
            ("bytes=0-18446744073709551615", 206, 5000),
            ("bytes=4999-99999999999999999999", 206, 1),
            ("bytes=-18446744073709551615", 206, 5000),
            ("bytes=-0", 416, 0),
            ("bytes=5-4", 200, 5000),
        ] {
            let (answered, read) = ranged(&app, file_request().header(header::RANGE, range)).await;
            let short: String = range.chars().take(40).collect();
            assert_eq!(answered, status, "{short}");
            assert!(status == 416 || read == length, "{short}: {read}");
        }
        let twice =
            file_request().header(header::RANGE, "bytes=0-0").header(header::RANGE, "bytes=1-1");
        assert_eq!(ranged(&app, twice).await, (StatusCode::OK, 5000));
        let tags = (0..5_000).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(",");
        let tagged = file_request().header(header::IF_NONE_MATCH, tags);
        assert_eq!(ranged(&app, tagged).await, (StatusCode::OK, 5000));
    }
}
