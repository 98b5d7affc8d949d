//! What a request makes its answer depend on: conditions and a range (RFC 9110, sections 13 and 14).

use std::str::FromStr as _;

use axum::http::{HeaderMap, Method, header};
use headers::{
    ETag, HeaderMapExt as _, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};
use http_range_header::{SyntacticallyCorrectRange, parse_range_header};

use crate::media::{ByteRange, Download, is_http_date};

/// What the headers of a request ask for. A header that cannot be read is as good as absent.
#[derive(Debug, Default)]
pub(in crate::routes) struct Conditions {
    if_match: Option<IfMatch>,
    if_none_match: Option<IfNoneMatch>,
    if_modified_since: Option<IfModifiedSince>,
    if_unmodified_since: Option<IfUnmodifiedSince>,
    if_range: Option<IfRange>,
    range: Option<ByteRange>,
}

/// What becomes of a request whose conditions do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmet {
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client takes it for.
    Failed,
}

impl Conditions {
    pub(in crate::routes) fn of(method: &Method, headers: &HeaderMap) -> Self {
        // RFC 9110, section 14.2: a range means something for `GET` only.
        let range = (method == Method::GET).then(|| range(headers)).flatten();
        Self {
            if_match: headers.typed_get(),
            if_none_match: headers.typed_get(),
            if_modified_since: headers.typed_get(),
            if_unmodified_since: headers.typed_get(),
            if_range: headers.typed_get::<IfRange>().filter(|_| range.is_some()),
            range,
        }
    }

    /// The range to ask for at once. With `If-Range` it first has to be known what there is.
    pub(super) fn range(&self) -> Option<ByteRange> {
        self.range.filter(|_| self.if_range.is_none())
    }

    /// The range to ask for now that it is known what there is.
    pub(super) fn range_of(&self, whole: &Download) -> Option<ByteRange> {
        let (etag, last_modified) = validators(whole);
        let if_range = self.if_range.as_ref()?;
        let same = !if_range.is_modified(etag.as_ref(), last_modified.as_ref());
        self.range.filter(|_| same)
    }

    /// Whether the conditions hold, in the order of RFC 9110, section 13.2.2.
    pub(super) fn check(&self, download: &Download) -> Result<(), Unmet> {
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
            return Err(Unmet::Failed);
        }
        let wanted = match (&self.if_none_match, &self.if_modified_since, modified) {
            (Some(tags), _, _) => match &etag {
                Some(etag) => tags.precondition_passes(etag),
                None => *tags != IfNoneMatch::any(),
            },
            (None, Some(since), Some(modified)) => since.is_modified(modified),
            _ => true,
        };
        if wanted { Ok(()) } else { Err(Unmet::NotModified) }
    }

    /// Whether the answer depends on what there is, apart from a range.
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

/// The one range that is asked for. Several, and what is malformed, are answered with the whole
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
    fn p13_one_range_is_read_and_anything_else_is_the_whole() {
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
