//! Where the service is, and how long to wait for it.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{
    Url,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
    redirect,
};

use super::{Remote, circuit_breaker::Circuit, client::Client, ownership_cache::Questions};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::decode::PublicUrls;

/// Configures a [`Remote`]. What cannot work is refused by [`build`](Self::build), not at the first
/// request.
///
/// # Default
///
/// No key; 2 s to connect, 10 s for a request, 10 s between two chunks; 2 retries; answers about
/// ownership remembered for 5 s; at most 100,000 rows read for one question.
#[derive(Clone)]
#[must_use = "the backend is made by `build`"]
pub struct RemoteBuilder {
    url: String,
    public_url: Option<String>,
    bearer: Option<String>,
    service_key: Option<String>,
    key_over_plain_http: bool,
    connect_timeout: Duration,
    request_timeout: Duration,
    idle_timeout: Duration,
    retries: usize,
    max_staleness: Duration,
    max_rows: usize,
    configure: Option<Arc<Configure>>,
}

type Configure = dyn Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync;

/// The longest timeout: what is longer overflows when it is added up.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The header that carries a service key.
const SERVICE_KEY: HeaderName = HeaderName::from_static("x-service-key");

impl RemoteBuilder {
    /// Begins with the URL below which `/api/v1/media` is.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            public_url: None,
            bearer: None,
            service_key: None,
            key_over_plain_http: false,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(10),
            retries: 2,
            max_staleness: Duration::from_secs(5),
            max_rows: 100_000,
            configure: None,
        }
    }

    /// Sets the URL under which browsers reach `/media/{id}/file`, where it is not the one that the
    /// service itself gives.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Sends `Authorization: Bearer` with each request.
    pub fn bearer(mut self, key: impl Into<String>) -> Self {
        self.bearer = Some(key.into());
        self
    }

    /// Sends `X-Service-Key` with each request.
    pub fn service_key(mut self, key: impl Into<String>) -> Self {
        self.service_key = Some(key.into());
        self
    }

    /// Allows to send a key over plain HTTP to a host that is not this machine, where anybody on the
    /// way can read it.
    pub fn insecure_key_over_plain_http(mut self) -> Self {
        self.key_over_plain_http = true;
        self
    }

    /// Sets how long a connection may take.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long one request may take until the head of its answer is there, from when all of it has
    /// been sent. With its retries a call takes at most three times that, and reading an answer at most
    /// twice that.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how long a stream may stand still, in either direction: an upload that the service does not
    /// read or whose own bytes do not come, and a download that brings nothing.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how many times a call that can be repeated is repeated.
    pub fn retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// Sets how long it is remembered that an owner owns something; zero remembers nothing. That an
    /// owner does *not* own something is never remembered.
    pub fn max_staleness(mut self, age: Duration) -> Self {
        self.max_staleness = age;
        self
    }

    /// Sets how many rows of one owner and scope are read to answer a question. Beyond that the answer
    /// is [`ErrorKind::Unavailable`], never "not owned".
    pub fn max_rows(mut self, rows: usize) -> Self {
        self.max_rows = rows;
        self
    }

    /// Configures the HTTP client below for what is not told here: certificates, a proxy, name
    /// resolution, the pool of connections. `reqwest` is the one of [`remote`](super::reqwest).
    ///
    /// What is told here holds whatever the closure does: the keys, the time to connect, and that
    /// redirects lead nowhere but to the service itself. A total timeout of the client would end long
    /// uploads and downloads, so leave it unset. For a service on this machine there is no proxy unless
    /// the closure sets one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_media::Remote;
    ///
    /// let remote = Remote::builder("http://localhost:3015")
    ///     .configure_client(|client| client.pool_idle_timeout(Duration::from_secs(30)))
    ///     .build()?;
    /// # Ok::<_, tower_media::Error>(())
    /// ```
    pub fn configure_client(
        mut self,
        configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure = Some(Arc::new(configure));
        self
    }

    /// Makes the backend. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a URL that is not absolute HTTP(S) or has a user, a query or a
    /// fragment; for an empty key or one that no header can carry; for a key over plain HTTP to
    /// another machine; and for a timeout that is zero or longer than a day.
    pub fn build(self) -> Result<Remote> {
        let base = http_url(&self.url, "the URL")?;
        let public = match &self.public_url {
            Some(url) => {
                Some(http_url(url, "the public URL")?.as_str().trim_end_matches('/').to_owned())
            }
            None => None,
        };
        let mut headers = self.headers()?;
        for timeout in [self.connect_timeout, self.request_timeout, self.idle_timeout] {
            if timeout.is_zero() || timeout > LONGEST {
                return Err(invalid("a timeout is zero or longer than a day"));
            }
        }
        if !headers.is_empty()
            && !self.key_over_plain_http
            && base.scheme() == "http"
            && !is_local(&base)
        {
            return Err(invalid(
                "a key would be sent over plain HTTP, where anybody on the way can read it: use \
                 https, or say `insecure_key_over_plain_http`",
            ));
        }
        // Nothing here decodes, and a part of encoded bytes would be a part of something else.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut http = reqwest::Client::builder();
        if is_local(&base) {
            // A proxy of the environment has another machine in mind, and would be told the keys.
            http = http.no_proxy();
        }
        if let Some(configure) = &self.configure {
            http = configure(http);
        }
        let http = http
            .default_headers(headers)
            .connect_timeout(self.connect_timeout)
            // Followed by hand, for a client of reqwest changes the method as browsers do.
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("tower-media/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| invalid("the HTTP client cannot be made").with_source(error))?;
        let client = Client {
            http,
            base,
            request_timeout: self.request_timeout,
            idle_timeout: self.idle_timeout,
            retries: self.retries,
            circuit: Circuit::default(),
        };
        Ok(Remote::of(
            client,
            PublicUrls::new(public),
            Questions::new(self.max_staleness),
            self.max_rows,
        ))
    }

    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        let keys = [
            (AUTHORIZATION, self.bearer.as_ref().map(|key| ("Bearer ", key))),
            (SERVICE_KEY, self.service_key.as_ref().map(|key| ("", key))),
        ];
        for (name, key) in keys {
            let Some((scheme, key)) = key else { continue };
            if key.trim().is_empty() {
                return Err(invalid("a key is empty"));
            }
            let mut value = HeaderValue::try_from(format!("{scheme}{key}"))
                .map_err(|_| invalid("a key has characters that no header can carry"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

impl fmt::Debug for RemoteBuilder {
    // Neither keys nor the URL, which holds a password if somebody put it there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBuilder")
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("retries", &self.retries)
            .field("max_staleness", &self.max_staleness)
            .field("max_rows", &self.max_rows)
            .finish_non_exhaustive()
    }
}

fn http_url(text: &str, what: &str) -> Result<Url> {
    let url: Url =
        text.parse().map_err(|error| invalid(format!("{what} is none")).with_source(error))?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain || !anonymous {
        return Err(invalid(format!(
            "{what} is not of the form https://host:port/path, without user, query or fragment"
        )));
    }
    Ok(url)
}

fn is_local(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

fn invalid(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}
