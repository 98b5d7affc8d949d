//! Errors and logs contain no keys, owners or ids.

use std::{error::Error as StdError, time::Duration};

use tower_media::{
    Error, MediaState, Owner, Remote, Rendition, Scopes, UnverifiedId, backend::MediaBackend as _,
};

use super::{good, hasty, http, id, status, verify, within};
use crate::{
    log::Log,
    raw::{Conn, Raw, Script},
};

/// Returns all texts of an error and of its sources.
fn all_texts(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

/// Runs a test of this module once more, in a process of its own with this environment. Returns whether
/// this is that process.
async fn is_alone(test: &str, environment: Vec<(&'static str, String)>) -> bool {
    const ALONE: &str = "TOWER_MEDIA_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let name = format!("trouble::secrets::{test}");
    let child = tokio::task::spawn_blocking(move || {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", &name]).envs(environment).env(ALONE, "1").output().unwrap()
    });
    let output = within(child).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[tokio::test]
async fn g16_errors_and_logs_contain_no_keys_owners_or_ids() {
    // Other tests in the same process affect which events are recorded.
    if !is_alone("g16_errors_and_logs_contain_no_keys_owners_or_ids", Vec::new()).await {
        return;
    }
    let log = Log::of("trace");
    tracing::debug!("the log is heard");

    let people = Owner::new("ana-lovelace").unwrap();
    let moved =
        http("302 Found", "Location: http://b3arer.example.org/?userId=ana-lovelace\r\n", "");
    let troubles = [
        Script::after_body(async |conn: Conn| conn.reset()),
        Script::after_body(async |_| std::future::pending().await),
        Script::says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n["),
        Script::says("nonsense\r\n\r\n"),
        Script::says(super::json("[1]")),
        Script::says(moved),
        status("401 Unauthorized"),
        status("503 Service Unavailable"),
    ];
    let mut all = String::new();
    for trouble in troubles {
        let lists = trouble.clone().with("POST /api/v1/media/owned ", status("404 Not Found"));
        for script in [trouble, lists] {
            let server = Raw::start(script);
            let keyed = hasty(&server)
                .request_timeout(Duration::from_millis(300))
                .retries(1)
                .bearer("b3arer")
                .service_key("s3rvice");
            all += &format!("{keyed:?}");
            let remote = keyed.build().unwrap();
            let media = MediaState::new(remote.clone());
            all += &format!("{remote:?} {media:?}");
            let ids = [UnverifiedId::parse("asked-for").unwrap()];
            all +=
                &all_texts(&within(media.verify(&people, Scopes::any(), ids)).await.unwrap_err());
            match within(remote.download(&id(), &Rendition::Original.into())).await {
                Ok(download) => _ = within(download.into_bytes(10)).await,
                Err(error) => all += &all_texts(&error),
            }
            all += &all_texts(&within(remote.stats(&people)).await.unwrap_err());
            let sent = server.heads();
            assert!(sent.contains("Bearer b3arer") && sent.contains("s3rvice"), "{sent}");
        }
    }
    all += &format!("{:?}", Remote::builder("http://ana-lovelace:b3arer@localhost?key=s3rvice"));

    let log = log.take();
    assert!(log.contains("the log is heard") && log.contains("retrying a call"), "{log}");
    // Each call and each check has a span with its outcome.
    for span in [
        r#"media.check{ids=1 bypass_cache=false failed=Unavailable}: "#,
        r#"media.remote{operation="owned" attempts=2 error=Unavailable}: "#,
        r#"media.remote{operation="owned" attempts=2 status=503}: "#,
        r#"media.remote{operation="list" attempts=1 status=401}: "#,
        r#"media.remote{operation="owned" attempts=2 error=Timeout}: "#,
        r#"media.remote{operation="download" attempts=1 error=Unexpected}: "#,
    ] {
        assert!(log.contains(span), "{span} is missing in the log:\n{log}");
    }
    for secret in ["b3arer", "s3rvice", "lovelace", "asked-for", super::ID] {
        assert!(!all.contains(secret), "{secret} is in an error:\n{all}");
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn r06_environment_proxy_is_ignored_for_loopback() {
    let server = Raw::start(good());
    let url = server.url();
    let proxy = vec![("HTTP_PROXY", url.clone()), ("http_proxy", url)];
    let name = "r06_environment_proxy_is_ignored_for_loopback";
    if is_alone(name, proxy).await {
        let media = MediaState::new(hasty(&server).bearer("b3arer").build().unwrap());
        verify(&media).await.unwrap();
    } else {
        assert_eq!(server.connections(), 0, "this one is the proxy");
    }
}
