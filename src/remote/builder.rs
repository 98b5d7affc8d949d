//! Configuration of a [`Remote`].

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{
    Url,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
    redirect,
};

use super::{
    Remote,
    circuit_breaker::CircuitBreaker,
    client::{Client, join},
    public_urls::PublicUrls,
};
use crate::{
    error::{Error, ErrorKind, Result},
    ownership::cache::OwnershipCache,
};

impl Remote {
    /// Uses the service at `url`, with the defaults of [`RemoteBuilder`].
    ///
    /// # Errors
    ///
    /// Those of [`RemoteBuilder::build`].
    ///
    /// # Example
    ///
    /// ```
    /// use tower_media::{MediaState, Remote};
    ///
    /// let media = MediaState::new(Remote::new("http://localhost:3015")?);
    /// assert!(Remote::new("ftp://localhost").is_err());
    /// # Ok::<_, tower_media::Error>(())
    /// ```
    pub fn new(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).build()
    }

    /// Returns a builder for the service at `url`.
    pub fn builder(url: impl Into<String>) -> RemoteBuilder {
        RemoteBuilder::new(url)
    }
}

/// Configures a [`Remote`]. [`build`](Self::build) rejects invalid settings.
///
/// # Default
///
/// No key. Timeouts: 2 s to connect, 10 s for a request, 10 s of idle time between two chunks. 2 retries.
/// Positive ownership answers are cached for 5 s. An ownership query reads at most 100,000 rows.
#[derive(Clone)]
#[must_use = "the backend is created by `build`"]
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

/// The longest timeout. Sums of longer ones could overflow.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// The header of a service key.
const SERVICE_KEY: HeaderName = HeaderName::from_static("x-service-key");

impl RemoteBuilder {
    /// Starts with the defaults. `/api/v1/media` is below `url`.
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

    /// Sets the base URL under which browsers reach `/media/{id}/file`. By default records keep the URLs
    /// that the service puts in them.
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

    /// Allows a key over plain HTTP to another machine, where everyone on the network path can read it.
    pub fn insecure_key_over_plain_http(mut self) -> Self {
        self.key_over_plain_http = true;
        self
    }

    /// Sets the timeout of a connection attempt, TLS handshake included. Default: 2 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the timeout from the last byte of a request to the head of its response. Default: 10 s.
    ///
    /// A call with its retries takes at most three times as long, and reading the body of a response into
    /// memory at most twice as long.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets the idle timeout of streams: of an upload that the service does not read or whose source
    /// provides no chunk, and of a download without bytes. Default: 10 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets the number of retries of an idempotent call. Default: 2.
    pub fn retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// Sets how long positive ownership answers are cached. Zero disables the cache. Default: 5 s.
    ///
    /// Negative answers are never cached.
    pub fn max_staleness(mut self, age: Duration) -> Self {
        self.max_staleness = age;
        self
    }

    /// Sets the number of list rows that an ownership query reads per owner and scope. Default: 100,000.
    ///
    /// If that does not decide the ownership, the check fails with [`ErrorKind::Unavailable`]; it never
    /// reports "not owned".
    pub fn max_rows(mut self, rows: usize) -> Self {
        self.max_rows = rows;
        self
    }

    /// Configures the underlying [`reqwest`](super::reqwest) client: certificates, a proxy, name
    /// resolution, the connection pool.
    ///
    /// The closure cannot override the keys, the connect timeout and the redirect policy of this builder.
    /// Leave the client's total timeout unset, because it would end long uploads and downloads. For a
    /// service on this machine, only the closure can set a proxy; the environment's proxy is ignored.
    ///
    /// # Example
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

    /// Builds the backend. It sends no request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for
    ///
    /// - a URL that is not absolute HTTP(S), or that has a user, a query or a fragment;
    /// - an `https://` URL of the service without the feature `remote-tls`;
    /// - a key that is empty or not valid in a header, or a key over plain HTTP to another machine;
    /// - a timeout that is zero or longer than a day.
    pub fn build(self) -> Result<Remote> {
        let base = http_url(&self.url, "the URL of the media service")?;
        if base.scheme() == "https" && cfg!(not(feature = "remote-tls")) {
            return Err(invalid(
                "the URL of the media service is https://, which needs TLS: enable the feature \
                 `remote-tls` of tower-media",
            ));
        }
        let public_url = self.public_url.as_ref().map(|url| http_url(url, "the public URL"));
        let public_url = public_url.transpose()?;
        let mut headers = self.headers()?;
        for (name, timeout) in [
            ("connect", self.connect_timeout),
            ("request", self.request_timeout),
            ("idle", self.idle_timeout),
        ] {
            if timeout.is_zero() || timeout > MAX_TIMEOUT {
                return Err(invalid(format!(
                    "the {name} timeout is {timeout:?}; set more than zero and at most 24 h"
                )));
            }
        }
        if !headers.is_empty()
            && !self.key_over_plain_http
            && base.scheme() == "http"
            && !is_local(&base)
        {
            return Err(invalid(
                "the key would be sent over plain HTTP to another machine: use an https:// URL, or \
                 allow it with `insecure_key_over_plain_http`",
            ));
        }
        // Nothing decodes the bytes, and a range of encoded bytes would be another range.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut http = reqwest::Client::builder();
        if is_local(&base) {
            // The environment's proxy cannot reach this machine, and would see the keys.
            http = http.no_proxy();
        }
        if let Some(configure) = &self.configure {
            http = configure(http);
        }
        let http = http
            .default_headers(headers)
            .connect_timeout(self.connect_timeout)
            // `redirect::send` follows redirects, because reqwest changes the method as browsers do.
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("tower-media/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| invalid("the HTTP client is misconfigured").with_source(error))?;
        let public_url = public_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
        let public_urls = PublicUrls::new(public_url, join(&base, ["api", "v1"]).into());
        let client = Client {
            http,
            base,
            request_timeout: self.request_timeout,
            idle_timeout: self.idle_timeout,
            retries: self.retries,
            circuit_breaker: CircuitBreaker::default(),
        };
        let ownership_cache = OwnershipCache::new(self.max_staleness);
        Ok(Remote::from_parts(client, public_urls, ownership_cache, self.max_rows))
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
                return Err(invalid("the key for the media service is empty"));
            }
            let mut value = HeaderValue::try_from(format!("{scheme}{key}")).map_err(|_| {
                invalid("the key has characters that are not valid in an HTTP header")
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

impl fmt::Debug for RemoteBuilder {
    // Without the keys, and without the URL, which may contain a password.
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
        text.parse().map_err(|error| invalid(format!("{what} is not valid")).with_source(error))?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain || !anonymous {
        return Err(invalid(format!(
            "{what} does not have the form https://host:port/path, without user, query or fragment"
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
