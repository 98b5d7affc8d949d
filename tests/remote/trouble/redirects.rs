//! Redirects of the service.

use tower_media::{ErrorKind, MediaState, Rendition, backend::MediaBackend as _};

use super::{GET, ID, ana, good, hasty, http, id, json, record, verify, within};
use crate::raw::{Raw, Script};

fn to(status: &str, location: &str) -> Script {
    Script::says(http(status, &format!("Location: {location}\r\n"), ""))
}

const ALL: [&str; 5] =
    ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"];

#[tokio::test]
async fn r06_redirect_within_the_service_is_followed() {
    let answer = json(&format!(r#"{{"owned":["{ID}"]}}"#));
    let elsewhere = to("307 Temporary Redirect", "/elsewhere");
    let server = Raw::start(elsewhere.with("POST /elsewhere ", Script::says(answer)));
    let media = MediaState::new(hasty(&server).build().unwrap());
    verify(&media).await.unwrap();
    assert_eq!(server.requests("POST /elsewhere "), 1);

    for status in ALL {
        let record = Script::says(json(&record(b"content")));
        let server = Raw::start(to(status, "../elsewhere").with("GET /api/v1/elsewhere ", record));
        within(hasty(&server).bearer("key").build().unwrap().get(&id())).await.unwrap();
        assert_eq!(server.heads().matches("authorization: Bearer key").count(), 2, "{status}");
    }
}

#[tokio::test]
async fn r06_redirect_to_another_host_is_not_followed() {
    let other_host = Raw::start(good());
    let location = format!("{}/api/v1/media/owned", other_host.url());
    for status in ALL {
        let server = Raw::start(to(status, &location));
        let remote = hasty(&server).bearer("key").build().unwrap();
        let media = MediaState::new(remote.clone());
        assert_eq!(verify(&media).await.unwrap_err().kind(), ErrorKind::Unexpected, "{status}");
        let error = within(remote.get(&id())).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("the media service redirects to another host ("), "{text}");
        let download = within(remote.download(&id(), &Rendition::Original.into())).await;
        assert_eq!(download.unwrap_err().kind(), ErrorKind::Unexpected, "{status}");
    }
    assert_eq!(other_host.connections(), 0);
}

#[tokio::test]
async fn r06_endless_redirects_are_aborted() {
    let server = Raw::start(to("307 Temporary Redirect", "/again"));
    let error = within(hasty(&server).build().unwrap().get(&id())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    let text = error.to_string();
    assert!(text.starts_with("the media service redirects too often ("), "{text}");
    assert_eq!(server.requests("GET "), 6);
}

#[tokio::test]
async fn r06_redirects_never_change_the_method() {
    for status in ["301 Moved", "302 Found", "303 See Other"] {
        // If followed as browsers do, both would look like success.
        let owned = json(&format!(r#"{{"owned":["{ID}"],"success":true}}"#));
        let server = Raw::start(
            good()
                .with("DELETE ", to(status, "/done"))
                .with("GET /done ", Script::says(owned.clone())),
        );
        let remote = hasty(&server).build().unwrap();
        let error = within(remote.delete(&ana(), &id())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unexpected, "{status}");
        assert_eq!(server.requests("GET /done "), 0, "{status}");

        server.set(to(status, "/done").with("GET /done ", Script::says(owned)));
        let media = MediaState::new(hasty(&server).build().unwrap());
        assert_eq!(verify(&media).await.unwrap_err().kind(), ErrorKind::Unexpected, "{status}");
        assert_eq!(server.requests("GET /done "), 0, "{status}");
    }
}

#[tokio::test]
async fn r06_configure_client_cannot_change_redirects_or_keys() {
    use tower_media::remote::reqwest::{
        header::{HeaderMap, HeaderValue},
        redirect::Policy,
    };

    let other_host = Raw::start(good());
    let server = Raw::start(to("302 Found", &format!("{}/x", other_host.url())));
    let mine = HeaderMap::from_iter([("x-mine".parse().unwrap(), HeaderValue::from_static("1"))]);
    let remote = hasty(&server)
        .bearer("key")
        .configure_client(move |client| {
            client.redirect(Policy::limited(10)).default_headers(mine.clone())
        })
        .build()
        .unwrap();
    assert!(within(remote.get(&id())).await.is_err());
    assert_eq!(other_host.connections(), 0);
    let head = server.heads();
    assert!(head.starts_with(GET), "{head}");
    assert!(head.contains("x-mine: 1") && head.contains("authorization: Bearer key"), "{head}");
}
