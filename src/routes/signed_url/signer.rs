//! Keys, and the signatures made with them.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::claims::{Claims, LinkOptions};
use crate::error::{Error, ErrorKind, Result};

/// The shortest secret in bytes: the length of the output (RFC 2104, section 3).
const MIN_SECRET: usize = 32;

/// The longest name of a key, in bytes.
const MAX_KEY_ID: usize = 64;

/// The parameters of signed URLs.
const OWN_PARAMETERS: [&str; 9] =
    ["w", "h", "fit", "format", "q", "disposition", "expires", "key", "signature"];

/// The domain separator: signatures of another use of the same secret are not valid here.
const PURPOSE: &str = "tower-media signed url 1";

/// The signed method: `GET` and `HEAD`.
const METHODS: &str = "read";

/// Signs URLs of media, and verifies them (promise P14).
///
/// A URL of [`MediaState::signed_url`](crate::MediaState::signed_url) opens exactly one rendition of one media
/// item for reading, until it expires, for **every client that has the URL**. It cannot be revoked before, except
/// by deleting the media or removing the key. The signature is HMAC-SHA-256 over method, id, rendition,
/// disposition, expiry and key id.
///
/// Create one signer from a secret that all processes of the application share, and give it to
/// [`MediaStateBuilder::url_signer`](crate::state::MediaStateBuilder::url_signer).
///
/// # Default
///
/// The expiry is rounded up to the end of a window of 15 minutes. Equal requests within one window make equal
/// URLs, so caches keep one of them. A URL is valid for at most 7 days and one window.
///
/// # Rotation
///
/// The URL names its key by an id. To replace a key without breaking existing URLs:
///
/// 1. all processes [also accept](Self::also_accepting) the new key;
/// 2. all processes sign with the new key and also accept the old one;
/// 3. remove the old key after its URLs have expired.
///
/// ```
/// use std::time::Duration;
/// use tower_media::{media::Variant, routes::UrlSigner, InMemory, MediaId, MediaState};
///
/// # let (secret, old_secret) = ([1; 32], [2; 32]);
/// let signer = UrlSigner::new("2026-11", secret)?.also_accepting("2026-05", old_secret)?;
/// let media = MediaState::builder(InMemory::new()).url_signer(signer).build();
///
/// let id = MediaId::from_trusted("m-1")?;
/// let url = media.signed_url(&id, Variant::Thumbnail, Duration::from_secs(3600))?;
/// assert!(url.starts_with("/media/m-1/file/thumb?expires="));
/// # Ok::<_, tower_media::Error>(())
/// ```
#[derive(Clone)]
pub struct UrlSigner {
    signing: Key,
    accepted: Vec<Key>,
    window: Duration,
    longest: Duration,
    ignored: Arc<[String]>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

#[derive(Clone)]
struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

impl Key {
    fn new(id: &str, secret: &[u8]) -> Result<Self> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if id.is_empty() || id.len() > MAX_KEY_ID || !id.bytes().all(is_name) {
            return Err(invalid("the id of a key is 1 to 64 bytes of `A-Z a-z 0-9 - _ .`"));
        }
        if secret.len() < MIN_SECRET {
            return Err(invalid("the secret of a key is at least 32 bytes"));
        }
        let mac = Hmac::new_from_slice(secret).expect("HMAC takes secrets of every length");
        Ok(Self { id: id.to_owned(), mac })
    }

    /// Prefixes each field with its length, so that different lists of fields are different bytes.
    fn mac(&self, claims: &Claims<'_>, expires: u64) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        let (rendition, expires) = (claims.rendition(), expires.to_string());
        let disposition = claims.disposition();
        for field in [PURPOSE, METHODS, claims.id, &rendition, disposition, &expires, &self.id] {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field.as_bytes());
        }
        mac
    }
}

/// The reason why a query is not that of a signed URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// The query has no signature.
    Missing,
    /// The signature is wrong, or has expired.
    Invalid,
}

impl UrlSigner {
    /// Creates a signer with one key. The id is 1 to 64 bytes of `A-Z a-z 0-9 - _ .`, and is visible in URLs.
    /// The secret is at least 32 random bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the id or the secret is not valid.
    pub fn new(key_id: impl AsRef<str>, secret: impl AsRef<[u8]>) -> Result<Self> {
        Ok(Self {
            signing: Key::new(key_id.as_ref(), secret.as_ref())?,
            accepted: Vec::new(),
            window: Duration::from_secs(15 * 60),
            longest: Duration::from_secs(7 * 24 * 3600),
            ignored: Arc::default(),
            clock: Arc::new(SystemTime::now),
        })
    }

    /// Also accepts URLs that were signed with this key: the previous or the next one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the id or the secret is not valid, or the id is already used.
    pub fn also_accepting(
        mut self,
        key_id: impl AsRef<str>,
        secret: impl AsRef<[u8]>,
    ) -> Result<Self> {
        let key = Key::new(key_id.as_ref(), secret.as_ref())?;
        if self.key(&key.id).is_some() {
            return Err(invalid("two keys have the same id"));
        }
        self.accepted.push(key);
        Ok(self)
    }

    /// Sets the window to whose end the expiry of a URL is rounded up, at least one second. Default: 15
    /// minutes.
    #[must_use]
    pub fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets the longest lifetime that can be requested for a URL. Default: 7 days.
    #[must_use]
    pub fn with_longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Ignores query parameters that others add to a link, such as `fbclid`, or every name that begins with
    /// `utm_` by `utm_*`. The response is that of the link without them; caches keep each spelling apart. Default:
    /// a link with an added parameter is not valid.
    ///
    /// # Panics
    ///
    /// If a name is empty, or a parameter of a signed URL.
    #[track_caller]
    #[must_use]
    pub fn ignoring_parameters<I: IntoIterator<Item: Into<String>>>(mut self, names: I) -> Self {
        self.ignored = names.into_iter().map(Into::into).collect();
        for name in &*self.ignored {
            let is_own = OWN_PARAMETERS.iter().any(|own| matches_name(name, own));
            assert!(
                !is_own && !matches!(&**name, "" | "*"),
                "the parameter {name:?} cannot be ignored: signed URLs use it"
            );
        }
        self
    }

    /// Replaces the system clock, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Returns the query of a URL that is valid for at least `valid_for`.
    pub(crate) fn query(
        &self,
        id: &str,
        options: LinkOptions,
        valid_for: Duration,
    ) -> Result<String> {
        if valid_for > self.longest {
            let what = format!(
                "a signed URL is valid for at most {:?}, but {valid_for:?} was requested",
                self.longest
            );
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        let window = self.window_secs();
        let until = self.now().saturating_add(valid_for.as_secs().max(1));
        let expires = until.div_ceil(window).saturating_mul(window);
        let claims = Claims { id, options };
        let signature = self.signing.mac(&claims, expires).finalize().into_bytes();
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(Self::format(&claims, expires, &self.signing.id, &signature))
    }

    /// Formats the query of a signed URL. A query in another spelling is refused.
    fn format(claims: &Claims<'_>, expires: u64, key_id: &str, signature: &str) -> String {
        format!("{}expires={expires}&key={key_id}&signature={signature}", claims.query())
    }

    /// Verifies a query for the id and rendition of `claims`, and returns how long it remains valid. The
    /// disposition is read from the query.
    ///
    /// The query must have the exact text that was signed. Otherwise a client could derive many texts from one
    /// URL, which caches would keep separately.
    pub(crate) fn verify(
        &self,
        claims: Claims<'_>,
        query: &str,
    ) -> std::result::Result<(LinkOptions, Duration), SignatureError> {
        let (mut expires, mut key, mut signature) = (None, None, None);
        let mut options = LinkOptions::new(claims.options.rendition());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "expires" => expires = value.parse().ok(),
                "key" => key = self.key(&value),
                "signature" => signature = Some(value),
                "disposition" => options = options.as_attachment(),
                _ => {}
            }
        }
        let signature = signature.ok_or(SignatureError::Missing)?;
        let claims = Claims { options, ..claims };
        let (Some(expires), Some(key)) = (expires, key) else {
            return Err(SignatureError::Invalid);
        };
        let decoded = URL_SAFE_NO_PAD.decode(&*signature).map_err(|_| SignatureError::Invalid)?;
        // `verify_slice` compares in constant time.
        let genuine = key.mac(&claims, expires).verify_slice(&decoded).is_ok();
        let left = expires.saturating_sub(self.now());
        let bound = self.longest.as_secs().saturating_add(self.window_secs());
        let is_canonical =
            Self::format(&claims, expires, &key.id, &signature) == self.without_ignored(query);
        if !genuine || !is_canonical || left == 0 || left > bound {
            return Err(SignatureError::Invalid);
        }
        Ok((options, Duration::from_secs(left)))
    }

    /// Returns the query without the parameters that others added.
    fn without_ignored<'a>(&self, query: &'a str) -> Cow<'a, str> {
        if self.ignored.is_empty() {
            return query.into();
        }
        let is_kept = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            !self.ignored.iter().any(|ignored| matches_name(ignored, name))
        };
        query.split('&').filter(is_kept).collect::<Vec<_>>().join("&").into()
    }

    fn key(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.signing).chain(&self.accepted).find(|key| key.id == id)
    }

    fn window_secs(&self) -> u64 {
        self.window.as_secs().max(1)
    }

    fn now(&self) -> u64 {
        // With a clock before 1970 every URL exceeds the longest lifetime.
        (self.clock)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// Returns whether a name is the pattern, or begins with a pattern that ends in `*`.
fn matches_name(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}

impl fmt::Debug for UrlSigner {
    // Secrets stay out of logs (promise G16).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepted: Vec<&str> = self.accepted.iter().map(|key| &*key.id).collect();
        f.debug_struct("UrlSigner")
            .field("signing", &self.signing.id)
            .field("accepted", &accepted)
            .field("window", &self.window)
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}
