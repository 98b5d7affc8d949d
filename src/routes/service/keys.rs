//! Who may call the service.

use std::fmt;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::error::ServiceError;
use crate::error::{Error, ErrorKind, Result};

/// The header that carries a key beside `Authorization: Bearer`.
const SERVICE_KEY: HeaderName = HeaderName::from_static("x-service-key");

/// The keys that open the [service routes](super::ServiceRoutes): whoever has one may read and remove
/// everybody's media.
///
/// A caller sends one as `Authorization: Bearer` or as `X-Service-Key`. It is compared in constant time.
///
/// ```
/// use tower_media::routes::ServiceKeys;
///
/// // For as long as callers go over from one key to the next, both open.
/// let keys = ServiceKeys::new("the-next-key-0123456789")?.or("the-last-key-0123456789")?;
/// assert!(ServiceKeys::new("short").is_err());
/// # Ok::<_, tower_media::Error>(())
/// ```
#[derive(Clone)]
pub struct ServiceKeys {
    // Digests: they are of one length, so that comparing tells nothing of the keys'.
    digests: Option<Vec<[u8; 32]>>,
}

impl ServiceKeys {
    /// The fewest bytes that a key has.
    const MIN: usize = 16;

    /// Takes one key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] unless the key is at least 16 bytes of visible ASCII.
    pub fn new(key: impl AsRef<str>) -> Result<Self> {
        Self { digests: Some(Vec::new()) }.or(key)
    }

    /// Takes another key that opens as well: so keys are changed without a gap.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if there are no keys at all.
    pub fn or(mut self, key: impl AsRef<str>) -> Result<Self> {
        let invalid = |what| Error::new(ErrorKind::InvalidInput, what);
        let key = key.as_ref().as_bytes();
        if key.len() < Self::MIN || !key.iter().all(u8::is_ascii_graphic) {
            return Err(invalid("a service key is at least 16 bytes of visible ASCII"));
        }
        let digests = self.digests.as_mut();
        let digests =
            digests.ok_or_else(|| invalid("a service without a key has no second one"))?;
        digests.push(Sha256::digest(key).into());
        Ok(self)
    }

    /// Opens to everybody who reaches the port: they may read and remove everybody's media.
    ///
    /// For a port that nobody but trusted callers reaches, such as that of a loopback interface.
    pub fn insecure_without_key() -> Self {
        Self { digests: None }
    }

    fn open_to(&self, headers: &HeaderMap) -> bool {
        let Some(digests) = &self.digests else { return true };
        let given = headers.get_all(SERVICE_KEY).iter().map(HeaderValue::as_bytes);
        let bearers = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer);
        let mut open = Choice::from(0);
        for key in given.chain(bearers) {
            let key: [u8; 32] = Sha256::digest(key).into();
            for digest in digests {
                open |= key.ct_eq(digest);
            }
        }
        open.into()
    }
}

/// The token of a `Bearer` credential (RFC 6750, section 2.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii_start())
}

impl fmt::Debug for ServiceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.digests.as_ref().map(Vec::len);
        f.debug_struct("ServiceKeys").field("count", &count).finish_non_exhaustive()
    }
}

/// Lets nobody pass without a key, before anything else of the request is looked at (promise G14).
pub(super) async fn require_key(
    State(keys): State<ServiceKeys>,
    request: Request,
    next: Next,
) -> Response {
    if keys.open_to(request.headers()) {
        return next.run(request).await;
    }
    let text = "A service key is required";
    let mut response = ServiceError::new(StatusCode::UNAUTHORIZED, text).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
