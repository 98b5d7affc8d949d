//! Authentication of the service's callers.

use std::fmt;

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::networks::{Networks, peer};
use crate::error::{Error, ErrorKind, Result};

/// The header that carries a key, as an alternative to `Authorization: Bearer`.
const SERVICE_KEY: HeaderName = HeaderName::from_static("x-service-key");

/// The credentials of the [service routes](super::ServiceRoutes): keys, and networks that need no key. A caller with
/// one of them may read and delete the media of all users.
///
/// A caller sends its key as `Authorization: Bearer` or as `X-Service-Key`. Keys are compared in constant time.
///
/// ```
/// use tower_media::routes::ServiceKeys;
///
/// // Both keys are accepted during a key rotation.
/// let keys = ServiceKeys::new("the-next-key-0123456789")?.or("the-last-key-0123456789")?;
/// assert!(ServiceKeys::new("short").is_err());
///
/// // Callers of the original service send no key. They are accepted from a private network.
/// let keys = keys.or_networks(["10.1.0.0/16", "fd00:1::/32"])?;
/// assert!(keys.or_networks(["10.1.0.0/33"]).is_err());
/// # Ok::<_, tower_media::Error>(())
/// ```
#[derive(Clone)]
pub struct ServiceKeys {
    // Digests have equal lengths, so a comparison does not reveal the length of a key.
    digests: Vec<[u8; 32]>,
    networks: Networks,
    is_insecure: bool,
}

/// The reason to accept a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    Key,
    /// The peer's address, or [`ServiceKeys::insecure_without_key`]: browsers send such requests for any page.
    Address,
}

/// The reason to refuse a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NoCredential,
    /// There are trusted networks, but the server does not report the peer's address.
    NoPeerAddress,
}

impl ServiceKeys {
    /// The minimum length of a key in bytes.
    const MIN: usize = 16;

    /// Accepts one key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] unless the key is at least 16 bytes of visible ASCII.
    pub fn new(key: impl AsRef<str>) -> Result<Self> {
        Self::empty().or(key)
    }

    /// Accepts another key as well, for key rotation without downtime.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new); also for [`insecure_without_key`](Self::insecure_without_key).
    pub fn or(mut self, key: impl AsRef<str>) -> Result<Self> {
        self.refuse_insecure()?;
        let key = key.as_ref().as_bytes();
        if key.len() < Self::MIN || !key.iter().all(u8::is_ascii_graphic) {
            return Err(invalid(
                "the service key is not valid: use at least 16 bytes of visible ASCII",
            ));
        }
        self.digests.push(Sha256::digest(key).into());
        Ok(self)
    }

    /// Accepts requests from these networks without a key. See [`or_networks`](Self::or_networks).
    ///
    /// # Errors
    ///
    /// As for [`or_networks`](Self::or_networks).
    pub fn networks(networks: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        Self::empty().or_networks(networks)
    }

    /// Also accepts requests from these networks without a key: addresses, or networks in CIDR notation. Replaces
    /// the networks of an earlier call.
    ///
    /// The address is that of the TCP connection, never that of a header such as `Forwarded`. The server must report
    /// it: serve the application with
    /// [`into_make_service_with_connect_info::<SocketAddr>()`](axum::Router::into_make_service_with_connect_info);
    /// otherwise requests without a key are 500. Behind a reverse proxy, every request comes from the address of the
    /// proxy: do not list that address, because all clients of the proxy would be trusted.
    ///
    /// Browsers in a trusted network send requests for pages of any origin. Uploads, deletes and queries by `POST`
    /// from such pages are 403, except from
    /// [`allowed_origins`](super::ServiceRoutes::allowed_origins). The `Host` of a request is not checked, so a page
    /// whose DNS name is rebound to the service's address counts as the service's own origin: trust networks of
    /// servers, not of people's browsers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the list is empty, or has a text that is not a network, or a network of all
    /// addresses; also for [`insecure_without_key`](Self::insecure_without_key).
    pub fn or_networks(mut self, networks: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        self.refuse_insecure()?;
        self.networks = Networks::parse(networks)?;
        Ok(self)
    }

    /// Accepts every request: all clients that can reach the port may read and delete the media of all users.
    ///
    /// For a port that only trusted callers can reach, such as one on the loopback interface.
    pub fn insecure_without_key() -> Self {
        Self { is_insecure: true, ..Self::empty() }
    }

    fn empty() -> Self {
        Self { digests: Vec::new(), networks: Networks::default(), is_insecure: false }
    }

    fn refuse_insecure(&self) -> Result<()> {
        match self.is_insecure {
            true => Err(invalid("a service without a key accepts every request: begin with a key")),
            false => Ok(()),
        }
    }

    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Credential, Refusal> {
        if self.has_key(headers) {
            return Ok(Credential::Key);
        }
        if self.is_insecure {
            return Ok(Credential::Address);
        }
        if self.networks.is_empty() {
            return Err(Refusal::NoCredential);
        }
        match peer(extensions) {
            None => Err(Refusal::NoPeerAddress),
            Some(peer) if self.networks.contain(peer) => Ok(Credential::Address),
            Some(_) => Err(Refusal::NoCredential),
        }
    }

    fn has_key(&self, headers: &HeaderMap) -> bool {
        let given = headers.get_all(SERVICE_KEY).iter().map(HeaderValue::as_bytes);
        let bearers = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer);
        let mut accepted = Choice::from(0);
        for key in given.chain(bearers) {
            let key: [u8; 32] = Sha256::digest(key).into();
            for digest in &self.digests {
                accepted |= key.ct_eq(digest);
            }
        }
        accepted.into()
    }
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}

/// Returns the token of a `Bearer` credential (RFC 6750, section 2.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii_start())
}

impl fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceKeys")
            .field("keys", &self.digests.len())
            .field("networks", &self.networks)
            .finish_non_exhaustive()
    }
}
