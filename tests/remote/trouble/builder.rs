//! Invalid settings are rejected before the first request.

use std::time::Duration;

use tower_media::{ErrorKind, Remote, remote::RemoteBuilder};

fn refused(builder: RemoteBuilder) {
    let error = builder.build().expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let told = format!("{error} {error:?}");
    assert!(!told.contains("s3cret"), "{told}");
}

#[test]
fn r06_invalid_urls_are_rejected() {
    let urls = [
        "",
        " ",
        "/api",
        "localhost",
        "localhost:3015",
        "127.0.0.1:3015",
        "//localhost",
        "http://",
        "http://[::1",
        "http://host:99999",
        "http://a b",
        "ftp://localhost",
        "file:///etc/passwd",
        "data:text/plain,x",
        "unix:/run/media.sock",
        "mailto:ana@example.org",
        "http://ana@localhost",
        "http://ana:s3cret@localhost",
        "http://:s3cret@localhost",
        "http://localhost?key=s3cret",
        "http://localhost?",
        "http://localhost#s3cret",
    ];
    for url in urls {
        refused(Remote::builder(url));
        refused(Remote::builder("http://localhost").public_url(url));
    }
}

#[test]
fn r06_valid_urls_are_accepted() {
    let urls = [
        "http://localhost:3015",
        "http://localhost:3015/",
        "http://media.example.org/below/a/path",
        "http://[::1]:3015",
        "HTTP://LOCALHOST",
    ];
    for url in urls {
        Remote::builder(url).public_url(url).build().unwrap();
    }
}

#[test]
fn r06_keys_that_are_invalid_in_a_header_are_rejected() {
    let keys = ["", " ", "\t", "s3cret\r\nX-Admin: 1", "s3cret\n", "s3cret\0", "s3cret\u{7f}"];
    for key in keys {
        refused(Remote::builder("http://localhost").bearer(key));
        refused(Remote::builder("http://localhost").service_key(key));
    }
}

#[test]
fn r06_a_key_over_plain_http_to_another_host_is_rejected() {
    for host in ["media.internal", "10.0.0.1", "0.0.0.0", "[::2]", "localhost.example.org"] {
        let keyed = |scheme| Remote::builder(format!("{scheme}://{host}")).bearer("s3cret");
        refused(keyed("http"));
        refused(Remote::builder(format!("http://{host}")).service_key("s3cret"));
        if cfg!(feature = "remote-tls") {
            keyed("https").build().unwrap();
        }
        keyed("http").insecure_key_over_plain_http().build().unwrap();
        Remote::new(format!("http://{host}")).unwrap();
    }
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
        Remote::builder(format!("http://{host}")).bearer("s3cret").build().unwrap();
    }
}

#[test]
fn r06_invalid_timeouts_are_rejected() {
    for timeout in [Duration::ZERO, Duration::MAX] {
        let remote = || Remote::builder("http://localhost");
        refused(remote().connect_timeout(timeout));
        refused(remote().request_timeout(timeout));
        refused(remote().idle_timeout(timeout));
    }
}

#[test]
fn r06_https_without_remote_tls_is_an_invalid_url() {
    let built = Remote::builder("https://media.example.org").build();
    if cfg!(feature = "remote-tls") {
        built.unwrap();
        return;
    }
    let error = built.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("`remote-tls`"), "{error}");
    // Browsers fetch from the public URL, not this process.
    let public = Remote::builder("http://localhost").public_url("https://media.example.org");
    public.build().unwrap();
}
