//! Conditional and range requests (RFC 9110, sections 13 and 14).

use std::str::FromStr as _;

use axum::http::{HeaderMap, HeaderName, Method, header};
use headers::{
    ETag, HeaderMapExt as _, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};
use http_range_header::{SyntacticallyCorrectRange, parse_range_header};

use crate::media::{ByteRange, Download, is_http_date};

/// The headers of conditional requests.
const CONDITIONS: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

/// The conditions and the range of a request. A malformed condition is ignored; a malformed `If-Range`
/// disables the range, because the client cannot combine a part with bytes of another version.
#[derive(Debug, Default)]
pub(in crate::routes) struct Conditions {
    if_match: Option<IfMatch>,
    if_none_match: Option<IfNoneMatch>,
    if_modified_since: Option<IfModifiedSince>,
    if_unmodified_since: Option<IfUnmodifiedSince>,
    if_range: Option<IfRange>,
    range: Option<ByteRange>,
    /// Whether the client can repeat the request at an object store.
    can_redirect: bool,
}

/// The response to a request whose conditions do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnmetCondition {
    /// 304: the client's copy is current.
    NotModified,
    /// 412: the media is not the version that the client expects.
    PreconditionFailed,
}

impl Conditions {
    pub(in crate::routes) fn of(method: &Method, headers: &HeaderMap) -> Self {
        // RFC 9110, section 14.2: a range is defined for `GET` only.
        let range = (method == Method::GET).then(|| range(headers)).flatten();
        let if_range = headers.typed_get::<IfRange>();
        let is_malformed = match headers.get_all(header::IF_RANGE).iter().count() {
            0 => false,
            1 => if_range.is_none(),
            _ => true,
        };
        let range = range.filter(|_| !is_malformed);
        // An object store has validators of its own: it would refuse the client's, or take them for current.
        // A presigned URL is for `GET` only.
        let can_redirect =
            method == Method::GET && !CONDITIONS.iter().any(|name| headers.contains_key(name));
        Self {
            can_redirect,
            if_match: headers.typed_get(),
            if_none_match: headers.typed_get(),
            if_modified_since: headers.typed_get(),
            if_unmodified_since: headers.typed_get(),
            if_range: if_range.filter(|_| range.is_some()),
            range,
        }
    }

    /// Returns the range to request at once; `None` with `If-Range`, which needs the validators first.
    pub(super) fn range(&self) -> Option<ByteRange> {
        self.range.filter(|_| self.if_range.is_none())
    }

    /// Returns the range to request if `If-Range` matches the validators of the whole file.
    pub(super) fn range_of(&self, whole: &Download) -> Option<ByteRange> {
        let (etag, last_modified) = validators(whole);
        let if_range = self.if_range.as_ref()?;
        let same = !if_range.is_modified(etag.as_ref(), last_modified.as_ref());
        self.range.filter(|_| same)
    }

    /// Evaluates the conditions in the order of RFC 9110, section 13.2.2.
    pub(super) fn check(&self, download: &Download) -> Result<(), UnmetCondition> {
        let (etag, last_modified) = validators(download);
        let modified = last_modified.map(Into::into);
        let current = match (&self.if_match, &self.if_unmodified_since, modified) {
            (Some(tags), _, _) => {
                tags.is_any() || etag.as_ref().is_some_and(|etag| tags.precondition_passes(etag))
            }
            (None, Some(since), Some(modified)) => since.precondition_passes(modified),
            _ => true,
        };
        if !current {
            return Err(UnmetCondition::PreconditionFailed);
        }
        let wanted = match (&self.if_none_match, &self.if_modified_since, modified) {
            (Some(tags), _, _) => match &etag {
                Some(etag) => tags.precondition_passes(etag),
                None => *tags != IfNoneMatch::any(),
            },
            (None, Some(since), Some(modified)) => since.is_modified(modified),
            _ => true,
        };
        if wanted { Ok(()) } else { Err(UnmetCondition::NotModified) }
    }

    /// Returns whether the client can repeat the request at an object store: a `GET` without conditions.
    pub(super) fn can_redirect(&self) -> bool {
        self.can_redirect
    }

    /// Returns whether there is a condition other than `If-Range`.
    pub(super) fn has_any(&self) -> bool {
        self.if_match.is_some()
            || self.if_none_match.is_some()
            || self.if_modified_since.is_some()
            || self.if_unmodified_since.is_some()
    }
}

fn validators(download: &Download) -> (Option<ETag>, Option<LastModified>) {
    let etag = download.etag().and_then(|etag| ETag::from_str(&etag).ok());
    let modified = download.last_modified().filter(|time| is_http_date(*time));
    (etag, modified.map(LastModified::from))
}

/// Parses a single range. Several ranges and malformed ones are ignored, and the whole file is sent
/// (promise P13; RFC 9110, section 14.2, lets a server ignore the header).
fn range(headers: &HeaderMap) -> Option<ByteRange> {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let ranges = parse_range_header(value.to_str().ok()?).ok()?.into_ranges();
    let [range] = ranges[..] else { return None };
    Some(match range {
        SyntacticallyCorrectRange::FromStart(first) => ByteRange::Offset(first),
        SyntacticallyCorrectRange::FromLast(count) => ByteRange::Suffix(count),
        SyntacticallyCorrectRange::Indexed(first, last) => ByteRange::Bounded { first, last },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_without_conditions_can_be_redirected() {
        let can = |method, name: Option<HeaderName>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, "bytes=0-1".parse().expect("a header's value"));
            if let Some(name) = name {
                headers.insert(name, "malformed".parse().expect("a header's value"));
            }
            Conditions::of(&method, &headers).can_redirect()
        };
        assert!(can(Method::GET, None));
        assert!(!can(Method::HEAD, None));
        for name in CONDITIONS {
            assert!(!can(Method::GET, Some(name.clone())), "{name}");
        }
    }

    #[test]
    fn p13_only_a_single_valid_range_is_parsed() {
        for (value, expected) in [
            ("bytes=0-9", Some(ByteRange::Bounded { first: 0, last: 9 })),
            ("bytes=5-", Some(ByteRange::Offset(5))),
            ("bytes=-5", Some(ByteRange::Suffix(5))),
            ("BYTES=0-0", Some(ByteRange::Bounded { first: 0, last: 0 })),
            ("bytes=0-99999999999999999999", Some(ByteRange::Bounded { first: 0, last: u64::MAX })),
            ("bytes=0-0,5-9", None),
            ("bytes=0-,0-", None),
            ("bytes=9-5", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("bytes=+1-2", None),
            ("lines=0-9", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, value.parse().expect("a header's value"));
            assert_eq!(range(&headers), expected, "{value}");
            headers.append(header::RANGE, "bytes=0-0".parse().expect("a header's value"));
            assert_eq!(range(&headers), None, "{value}, twice");
        }
        let many = format!("bytes={}", "0-,".repeat(100_000));
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, many.parse().expect("a header's value"));
        assert_eq!(range(&headers), None);
    }
}
