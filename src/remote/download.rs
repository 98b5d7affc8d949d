//! Bytes on their way from the service.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Response, StatusCode, header};

use super::{Remote, backend::About, observe, response::text};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{
        ByteRange, ContentRange, Download, DownloadOptions, Format, Rendition, Transform, Variant,
    },
    util::byte_stream::with_exact_len,
};

impl Remote {
    pub(super) async fn deliver(
        &self,
        id: &MediaId,
        options: &DownloadOptions,
    ) -> Result<Download> {
        let range = options.range();
        let response = match options.rendition() {
            Rendition::Original => self.fetch(id, &["file"], "", range).await?,
            Rendition::Variant(variant) => self.variant(id, variant, range).await?,
            Rendition::Transform(transform) => self.transform(id, transform, range).await?,
        };
        self.stream(response, range)
    }

    async fn fetch(
        &self,
        id: &MediaId,
        path: &[&str],
        query: &str,
        range: Option<ByteRange>,
    ) -> Result<Response> {
        self.about(id, About { path, query, range, ..About::get("download") }).await
    }

    /// For a variant that does not exist the service sends the original (promise P5). Its type gives
    /// it away, unless it is WebP as the variants are. So the record, which names those that exist, is
    /// read first; afterwards it could tell of one that was made in between.
    async fn variant(
        &self,
        id: &MediaId,
        variant: Variant,
        range: Option<ByteRange>,
    ) -> Result<Response> {
        let none = || Error::new(ErrorKind::NotFound, "the media has no such variant");
        let urls = self.record(id).await?.urls;
        let url = match variant {
            Variant::Thumbnail => urls.thumbnail,
            Variant::Medium => urls.medium,
            Variant::Large => urls.large,
        };
        url.ok_or_else(none)?;
        let response = self.fetch(id, &["file", variant.as_str()], "", range).await?;
        if content_type(&response) == Format::WebP.mime_type() { Ok(response) } else { Err(none()) }
    }

    async fn transform(
        &self,
        id: &MediaId,
        transform: Transform,
        range: Option<ByteRange>,
    ) -> Result<Response> {
        let query = transform.to_query();
        let response = match self.fetch(id, &["transform"], &query, range).await {
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let what = "only pictures can be transformed";
                return Err(Error::new(ErrorKind::Unsupported, what).with_source(error));
            }
            response => response?,
        };
        if content_type(&response) != transform.format().mime_type() {
            let what = "the media service sent another format than it was asked for";
            return Err(Error::new(ErrorKind::Unexpected, what));
        }
        Ok(response)
    }

    fn stream(&self, response: Response, range: Option<ByteRange>) -> Result<Download> {
        let part = part(&response, range)?;
        if text(&response, header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            let what = "the media service encoded the bytes, which it was not asked for";
            return Err(Error::new(ErrorKind::Unexpected, what));
        }
        let owned = |name| text(&response, name).map(str::to_owned);
        let (etag, modified) = (owned(header::ETAG), owned(header::LAST_MODIFIED));
        let accepts_ranges = text(&response, header::ACCEPT_RANGES) == Some("bytes");
        let content_type = content_type(&response).to_owned();
        let length = response.content_length();

        let client = Arc::clone(&self.client);
        let body = stream::try_unfold(response, move |mut response| {
            let client = Arc::clone(&client);
            async move { Ok(client.idle(response.chunk()).await?.map(|chunk| (chunk, response))) }
        });
        let body = body.inspect_ok(|chunk: &Bytes| observe::received(chunk.len()));
        let mut body = body.map_err(cut_short).boxed();
        if let Some(part) = part {
            body = with_exact_len(part.len(), body, || {
                Error::new(ErrorKind::Integrity, "the part is not as long as the service said")
            });
        }

        let mut download = Download::from_stream(content_type, body);
        if let Some(length) = length {
            download = download.with_length(length);
        }
        if let Some(part) = part {
            download = download.with_part(part);
        }
        if accepts_ranges {
            download = download.accepting_ranges();
        }
        if let Some(etag) = etag {
            download = download.with_etag(etag);
        }
        if let Some(time) = modified.and_then(|text| httpdate::parse_http_date(&text).ok()) {
            download = download.with_last_modified(time);
        }
        Ok(download)
    }
}

/// Which part an answer has, which must be the one that was asked for, or `None` for the whole.
fn part(response: &Response, asked: Option<ByteRange>) -> Result<Option<ContentRange>> {
    match response.status() {
        StatusCode::OK => Ok(None),
        StatusCode::PARTIAL_CONTENT => {
            let said = text(response, header::CONTENT_RANGE).unwrap_or_default();
            let part = asked.and_then(|range| sent_part(said, range));
            let length = |part: &ContentRange| {
                response.content_length().is_none_or(|length| length == part.len())
            };
            part.filter(length).map(Some).ok_or_else(|| {
                let what = "the media service sent another part than it was asked for";
                Error::new(ErrorKind::Unexpected, what)
            })
        }
        status => {
            let what = format!("the media service answered {status} for bytes");
            Err(Error::new(ErrorKind::Unexpected, what))
        }
    }
}

/// The part that a `Content-Range` names, if it is what a range is of that many bytes.
fn sent_part(said: &str, asked: ByteRange) -> Option<ContentRange> {
    let total: u64 = said.rsplit_once('/')?.1.parse().ok()?;
    let part = ContentRange::new(asked.resolve(total)?, total)?;
    (part.to_string() == said).then_some(part)
}

/// What breaks off in the middle of a body is not whole.
fn cut_short(error: Error) -> Error {
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    Error::new(ErrorKind::Integrity, "the media broke off before its end").with_source(error)
}

fn content_type(response: &Response) -> &str {
    let value = text(response, header::CONTENT_TYPE);
    value.filter(|value| !value.is_empty()).unwrap_or("application/octet-stream")
}
