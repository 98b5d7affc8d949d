//! Media ids: the unverified id of a client, the id that may be acted on, and the hash of content.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest id, in bytes.
const MAX_LEN: usize = 128;

/// The error for text that is not a media id.
///
/// An id is 1 to 128 bytes of `A-Z a-z 0-9 - _ . : ~`, and neither `.` nor `..`. Text is not
/// decoded, trimmed, case-folded or normalised before the check, so two ids are equal exactly if their bytes
/// are (promise G10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a media id is 1 to 128 bytes of `A-Z a-z 0-9 - _ . : ~`, and neither `.` nor `..`")]
#[non_exhaustive]
pub struct InvalidMediaId;

fn check(text: &str) -> Result<(), InvalidMediaId> {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'~');
    if text.is_empty() || text.len() > MAX_LEN || matches!(text, "." | "..") {
        return Err(InvalidMediaId);
    }
    // Without an early return, the compiler vectorizes the loop.
    if text.bytes().fold(true, |all, byte| all & allowed(byte)) {
        Ok(())
    } else {
        Err(InvalidMediaId)
    }
}

/// A media id of a client: well formed, but unverified.
///
/// Use it in request types. It has no accessor, no `Display` and no `Serialize`, so a handler
/// cannot act on it by mistake; [`OwnedMedia`] turns it into a [`MediaId`] once ownership has been
/// checked. `Debug` shows it, for logs.
///
/// It deserialises from a string in exactly one spelling (see [`InvalidMediaId`]) and from nothing
/// else. Cloning is cheap and shares the text.
///
/// ```
/// use tower_media::UnverifiedId;
///
/// let ids: Vec<UnverifiedId> = serde_json::from_str(r#"["a-1", "b-2"]"#)?;
/// assert_eq!(ids[0], UnverifiedId::parse("a-1")?);
/// assert!(serde_json::from_str::<UnverifiedId>(r#""../etc/passwd""#).is_err());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// [`OwnedMedia`]: crate::OwnedMedia
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnverifiedId(Arc<str>);

impl UnverifiedId {
    /// Parses an id of a client that does not arrive by deserialisation.
    ///
    /// # Errors
    ///
    /// [`InvalidMediaId`] if the text is not an id.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, InvalidMediaId> {
        let text = text.as_ref();
        check(text)?;
        Ok(Self(text.into()))
    }

    /// Returns the id for the ownership query. Only a proof may pass it to a handler.
    pub(crate) fn to_candidate(&self) -> MediaId {
        MediaId(Arc::clone(&self.0))
    }

    /// Converts an id that is not owned back.
    pub(crate) fn from_candidate(id: &MediaId) -> Self {
        Self(Arc::clone(&id.0))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UnverifiedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnverifiedId").field(&self.0).finish()
    }
}

impl FromStr for UnverifiedId {
    type Err = InvalidMediaId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for UnverifiedId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl de::Visitor<'_> for IdVisitor {
            type Value = UnverifiedId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a media id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                UnverifiedId::parse(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(IdVisitor)
    }
}

/// A media id that may be acted on.
///
/// It comes from a proof ([`OwnedMedia`]), the result of an upload, a listing for an owner, or trusted text
/// ([`MediaId::from_trusted`]). It can be displayed and serialised, but not deserialised: a client sends an
/// [`UnverifiedId`].
///
/// A `MediaId` is a capability: [`MediaState`] delivers the media of every id that it gets. Cloning is cheap
/// and shares the text.
///
/// [`OwnedMedia`]: crate::OwnedMedia
/// [`MediaState`]: crate::MediaState
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MediaId(Arc<str>);

impl MediaId {
    /// Converts trusted text into an id that may be acted on.
    ///
    /// Use it for ids that the application stored in its own database after a check, and in backends that
    /// create ids; never for text of a client. With the feature `sqlx` a row of the application's
    /// database decodes into a `MediaId` directly.
    ///
    /// # Errors
    ///
    /// [`InvalidMediaId`] if the text is not an id.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_media::MediaId;
    ///
    /// let avatar = MediaId::from_trusted("01f1903a-390d-41fe-8146-d3b7c842ed42")?;
    /// assert_eq!(avatar.to_string(), "01f1903a-390d-41fe-8146-d3b7c842ed42");
    /// # Ok::<_, tower_media::error::InvalidMediaId>(())
    /// ```
    pub fn from_trusted(text: impl AsRef<str>) -> Result<Self, InvalidMediaId> {
        let text = text.as_ref();
        check(text)?;
        Ok(Self(text.into()))
    }

    /// Creates a random id that cannot be guessed: a UUID of version 4, which contains no time.
    ///
    /// For backends that store an upload.
    pub fn random() -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        let text: &str = uuid::Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
        Self(text.into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// `Borrow` requires that `Hash` and `Eq` of an id are those of its text.
impl Borrow<str> for MediaId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for MediaId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MediaId").field(&self.0).finish()
    }
}

/// The SHA-256 of the original bytes. It identifies content and grants no access (promise G8).
///
/// Displayed and serialised as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Returns the hash of `bytes`.
    ///
    /// ```
    /// use tower_media::media::ContentHash;
    ///
    /// let hash = ContentHash::of(b"");
    /// assert!(hash.to_string().starts_with("e3b0c44298fc1c14"));
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Creates a hash from a digest.
    pub fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Returns the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The error for text that is not a content hash of 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a content hash is 64 lower-case hexadecimal digits")]
#[non_exhaustive]
pub struct InvalidContentHash;

impl FromStr for ContentHash {
    type Err = InvalidContentHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        let mut digest = [0; 32];
        if digits.len() != 2 * digest.len() {
            return Err(InvalidContentHash);
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(InvalidContentHash),
        };
        for (byte, digits) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(digits[0])? << 4 | value(digits[1])?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
