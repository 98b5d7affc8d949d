//! Byte ranges: the requested one, and the delivered one.

use std::{
    fmt,
    ops::{Range, RangeFrom, RangeInclusive},
};

/// A requested range of bytes, before the length of the content is known: one range of RFC 9110, section
/// 14.1.2.
///
/// ```
/// use tower_media::media::ByteRange;
///
/// assert_eq!(ByteRange::from(10..=19).resolve(100), Some(10..20));
/// assert_eq!(ByteRange::from(90..).resolve(100), Some(90..100));
/// assert_eq!(ByteRange::Suffix(10).resolve(100), Some(90..100));
/// assert_eq!(ByteRange::from(100..).resolve(100), None);
/// assert_eq!(ByteRange::from(0..=9).to_string(), "bytes=0-9");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ByteRange {
    /// From one byte to another, both included. The first byte of the content is 0.
    Bounded {
        /// The position of the first byte.
        first: u64,
        /// The position of the last byte.
        last: u64,
    },
    /// From a byte to the end.
    Offset(u64),
    /// This number of bytes at the end.
    Suffix(u64),
}

impl ByteRange {
    /// Resolves the range for content of `total` bytes, clamped to its end. Returns `None` if the range is
    /// not satisfiable: it begins at or after the end, ends before it begins, or has the suffix length 0.
    pub fn resolve(self, total: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::Bounded { first, last } => first..last.saturating_add(1).min(total),
            Self::Offset(first) => first..total,
            Self::Suffix(count) => total.saturating_sub(count)..total,
        };
        (!range.is_empty()).then_some(range)
    }
}

impl From<RangeInclusive<u64>> for ByteRange {
    fn from(range: RangeInclusive<u64>) -> Self {
        let (first, last) = range.into_inner();
        Self::Bounded { first, last }
    }
}

impl From<RangeFrom<u64>> for ByteRange {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::Offset(range.start)
    }
}

impl fmt::Display for ByteRange {
    /// Formats the value of a `Range` header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounded { first, last } => write!(f, "bytes={first}-{last}"),
            Self::Offset(first) => write!(f, "bytes={first}-"),
            Self::Suffix(count) => write!(f, "bytes=-{count}"),
        }
    }
}

/// A delivered range of bytes, and the length of the whole content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentRange {
    first: u64,
    last: u64,
    total: u64,
}

impl ContentRange {
    /// Creates a range of content of `total` bytes. Returns `None` if it is empty or reaches beyond the end.
    pub fn new(range: Range<u64>, total: u64) -> Option<Self> {
        let within = !range.is_empty() && range.end <= total;
        within.then(|| Self { first: range.start, last: range.end - 1, total })
    }

    /// Returns the position of the first byte. The first byte of the content is 0.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Returns the position of the last byte, which is included.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Returns the length of the whole content in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the range as a half-open `Range`, for slicing.
    pub fn range(&self) -> Range<u64> {
        self.first..self.last + 1
    }

    /// Returns the length of the range in bytes. It is at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a first and a last byte")]
    pub fn len(&self) -> u64 {
        self.last - self.first + 1
    }
}

impl fmt::Display for ContentRange {
    /// Formats the value of a `Content-Range` header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}/{}", self.first, self.last, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p13_a_range_is_clamped_or_not_satisfiable() {
        for (range, total, resolved) in [
            (ByteRange::from(0..=0), 1, Some(0..1)),
            (ByteRange::from(2..=99), 10, Some(2..10)),
            (ByteRange::from(0..=u64::MAX), 10, Some(0..10)),
            (ByteRange::from(9..), 10, Some(9..10)),
            (ByteRange::from(10..), 10, None),
            (ByteRange::from(u64::MAX..), 10, None),
            (ByteRange::Bounded { first: 5, last: 4 }, 10, None),
            (ByteRange::Suffix(3), 10, Some(7..10)),
            (ByteRange::Suffix(u64::MAX), 10, Some(0..10)),
            (ByteRange::Suffix(0), 10, None),
            (ByteRange::from(0..), 0, None),
            (ByteRange::Suffix(1), 0, None),
        ] {
            assert_eq!(range.resolve(total), resolved, "{range} of {total}");
        }
    }

    #[test]
    fn a_delivered_range_is_within_the_content() {
        let part = ContentRange::new(2..5, 10).expect("a part");
        assert_eq!((part.first(), part.last(), part.len(), part.range()), (2, 4, 3, 2..5));
        assert_eq!(part.to_string(), "bytes 2-4/10");
        assert_eq!(ContentRange::new(0..11, 10), None);
        assert_eq!(ContentRange::new(3..3, 10), None);
    }
}
