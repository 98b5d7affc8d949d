//! The reasons why media is failed.

use std::fmt;

use serde::Serialize;

/// The reason why media is [`Failed`](super::MediaStatus::Failed), and has its original only.
///
/// In JSON: `unreadable`, `too_large`, `unsupported`, `timed_out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureReason {
    /// The magic bytes name an image format, but the file is damaged or is not of that format.
    Unreadable,
    /// The image exceeds a limit of the backend: pixels, length of a side, or memory. A later upload of the
    /// same bytes tries again, which succeeds after the limit has been raised.
    TooLarge,
    /// The file uses a part of its format that no decoder of this build supports.
    Unsupported,
    /// Making the variants ahead of requests exceeded its time limit repeatedly. Not final: a request for a
    /// rendition tries again.
    TimedOut,
}

impl FailureReason {
    /// Returns the name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::TimedOut => "timed_out",
        }
    }

    /// Returns whether a request for a rendition fails without another attempt.
    #[cfg(any(feature = "store", feature = "remote"))]
    pub(crate) fn is_final(self) -> bool {
        self != Self::TimedOut
    }

    /// Returns the reason of this name. A newer service may send names that this version does not know.
    #[cfg(any(feature = "store", feature = "remote", feature = "routes"))]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Unreadable, Self::TooLarge, Self::Unsupported, Self::TimedOut];
        all.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
