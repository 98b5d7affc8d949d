//! The `Content-Type` and the `Content-Disposition` of forms as clients write them (RFC 9110, section 5.6.6).

use axum::{
    Router,
    body::Body,
    http::{Request, header},
    routing::post,
};
use tower_media::{
    MediaIds, MediaState, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::MultipartForm,
    routes::{ServiceKeys, UploadPolicy},
};

use super::support::{World, png, send, signed_in};

#[derive(serde::Deserialize, MediaIds)]
struct Post {
    #[serde(default)]
    app: String,
    #[serde(default)]
    references: Vec<UnverifiedId>,
}

async fn guarded(
    VerifiedMedia(mut form, _): VerifiedMedia<MultipartForm<Post>>,
) -> tower_media::Result<String> {
    let file = form.next_file().await?;
    let name = file.as_ref().and_then(|file| file.file_name()).unwrap_or_default().to_owned();
    Ok(format!("{} {name} {}", form.fields.app, form.fields.references.len()))
}

fn app(media: &MediaState) -> Router {
    let guard = VerifyMediaLayer::<MultipartForm<Post>>::new(media.clone()).id_count(0..=1);
    let routes = media.upload_routes("/up", UploadPolicy::images().scope("me"));
    signed_in(routes.route("/guarded", post(guarded).layer(guard)))
        .merge(media.service_routes(ServiceKeys::insecure_without_key()))
}

fn form(disposition: &str) -> Vec<u8> {
    let field = "--b\r\nContent-Disposition: form-data; name=\"app\"\r\n\r\nme\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"userId\"\r\n\r\nana\r\n";
    let caption = "--b\r\nContent-Disposition: form-data; name=\"caption\"; note=\"a; filename=b\"\r\n\r\nc\r\n";
    let head = format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    let head = [field, caption, &head].concat();
    [head.as_bytes(), &png(300), b"\r\n--b--\r\n"].concat()
}

fn request(path: &str, content_type: &str, body: Vec<u8>) -> Request<Body> {
    let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
    request.header("x-user", "ana").body(Body::from(body)).unwrap()
}

const FILE: &str = "name=\"file\"; filename=\"a.png\"";

#[tokio::test]
async fn blanks_quotes_case_and_other_parameters_are_accepted() {
    let world = World::new();
    let app = app(&world.media);
    for content_type in [
        "multipart/form-data; boundary=b ; charset=utf-8",
        "multipart/form-data; boundary=b",
        "multipart/form-data;boundary=b",
        "multipart/form-data ;boundary=b",
        "multipart/form-data\t;\tboundary=b",
        "multipart/form-data; boundary=b;",
        "multipart/form-data; boundary=b ; ",
        "multipart/form-data; boundary=\"b\" ; charset=utf-8",
        "multipart/form-data; charset=utf-8 ; boundary=b",
        "multipart/form-data; x=\"a;b\" ; boundary=b",
        "Multipart/Form-Data; Boundary=b",
    ] {
        for (path, status) in [("/up", 201), ("/guarded", 200), ("/api/v1/media/upload", 201)] {
            let answer = send(&app, request(path, content_type, form(FILE))).await;
            assert_eq!(answer.status, status, "{path} {content_type:?}: {answer:?}");
        }
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary",
        "multipart/mixed; boundary=b",
        "multipart/form-data, boundary=b",
    ] {
        for path in ["/up", "/guarded", "/api/v1/media/upload"] {
            let answer = send(&app, request(path, content_type, form(FILE))).await;
            assert!(answer.status.is_client_error(), "{path} {content_type:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_extended_file_name_is_kept_on_every_route() {
    let world = World::new();
    let app = app(&world.media);
    let content_type = "multipart/form-data; boundary=b";
    for (disposition, name) in [
        ("name=\"file\"; filename*=UTF-8''%E6%97%A5.png", "日.png"),
        ("name=\"file\"; FILENAME*=utf-8'ja'%E6%97%A5.png", "日.png"),
        ("name=\"file\"; filename=\"می\u{200c}خواهم.png\"", "می\u{200c}خواهم.png"),
    ] {
        for path in ["/up", "/api/v1/media/upload"] {
            let answer = send(&app, request(path, content_type, form(disposition))).await;
            let record = answer.json();
            assert_eq!(record["originalName"], name, "{path} {disposition}");
            // The same bytes again would be the same record, with its first name.
            let id = tower_media::MediaId::from_trusted(record["id"].as_str().unwrap()).unwrap();
            world.media.admin().delete(&id).await.unwrap();
        }
        let answer = send(&app, request("/guarded", content_type, form(disposition))).await;
        assert_eq!(answer.body, format!("me {name} 0"), "{disposition}");
    }
}
