//! Downloads: streamed from the service, ranges and renditions verified.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Response, StatusCode, header};

use super::{
    Remote,
    backend::RequestSpec,
    observe,
    response::{Reply, text},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{
        ByteRange, ContentRange, Download, DownloadOptions, Format, Media, Rendition, Transform,
        Variant,
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
        let reply = match options.rendition() {
            Rendition::Original => self.fetch(id, &["file"], "", range).await?,
            Rendition::Variant(variant) => self.variant(id, variant, range).await?,
            Rendition::Transform(transform) => self.transform(id, transform, range).await?,
        };
        self.stream(reply, range)
    }

    async fn fetch(
        &self,
        id: &MediaId,
        path: &[&str],
        query: &str,
        range: Option<ByteRange>,
    ) -> Result<Reply> {
        self.send_for(id, RequestSpec { path, query, range, ..RequestSpec::get("download") }).await
    }

    /// Downloads a variant, and never the original in its place (promise P5).
    ///
    /// The original service responds with the original if the variant does not exist. The content type
    /// reveals that, except for a WebP original. Therefore the record, which names the existing variants,
    /// is read first; read afterwards, it could name a variant that was created in between.
    async fn variant(
        &self,
        id: &MediaId,
        variant: Variant,
        range: Option<ByteRange>,
    ) -> Result<Reply> {
        let missing =
            || Error::new(ErrorKind::NotFound, "this variant of the media does not exist");
        let Media { urls, failure_reason, .. } = self.record(id).await?;
        if let Some(reason) = failure_reason.filter(|reason| reason.is_final()) {
            return Err(Error::failed(reason, "the media cannot be processed"));
        }
        let url = match variant {
            Variant::Thumbnail => urls.thumbnail,
            Variant::Medium => urls.medium,
            Variant::Large => urls.large,
        };
        if url.is_none() && failure_reason.is_none() {
            return Err(missing());
        }
        let reply = self.fetch(id, &["file", variant.as_str()], "", range).await?;
        if content_type(&reply.response) == Format::WebP.mime_type() {
            return Ok(reply);
        }
        let what = "the media service sent another type than that of variants";
        Err(reply.call.explain(missing(), what))
    }

    async fn transform(
        &self,
        id: &MediaId,
        transform: Transform,
        range: Option<ByteRange>,
    ) -> Result<Reply> {
        let query = transform.to_query();
        let reply = match self.fetch(id, &["transform"], &query, range).await {
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let what = "only images can be transformed";
                return Err(Error::new(ErrorKind::Unsupported, what).with_source(error));
            }
            reply => reply?,
        };
        if content_type(&reply.response) != transform.format().mime_type() {
            let what = "the media service sent another format than requested";
            return Err(reply.call.error(ErrorKind::Unexpected, what));
        }
        Ok(reply)
    }

    fn stream(&self, reply: Reply, range: Option<ByteRange>) -> Result<Download> {
        let part = content_range(&reply, range)?;
        let Reply { call, response } = reply;
        if text(&response, header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            let what = "the media service sent a content encoding that was not requested";
            return Err(call.error(ErrorKind::Unexpected, what));
        }
        let owned = |name| text(&response, name).map(str::to_owned);
        let (etag, modified) = (owned(header::ETAG), owned(header::LAST_MODIFIED));
        let accepts_ranges = text(&response, header::ACCEPT_RANGES) == Some("bytes");
        let content_type = content_type(&response).to_owned();
        let length = response.content_length();

        let client = Arc::clone(&self.client);
        let body = stream::try_unfold(response, move |mut response| {
            let client = Arc::clone(&client);
            async move { Ok(client.chunk(&call, &mut response).await?.map(|chunk| (chunk, response))) }
        });
        let mut body = body.inspect_ok(|chunk: &Bytes| observe::received(chunk.len())).boxed();
        if let Some(part) = part {
            body = with_exact_len(part.len(), body, || {
                Error::new(ErrorKind::Integrity, "the length differs from that in `Content-Range`")
            });
        }
        // A connection that breaks after the head leaves a truncated download.
        let body = body.map_err(move |error| match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Integrity => {
                let what = "the media service did not send the whole media";
                call.error(ErrorKind::Integrity, what).with_source(error)
            }
            _ => error,
        });

        let mut download = Download::from_stream(content_type, body.boxed());
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

/// Returns the part in a response, which must be the requested one, or `None` for the whole.
fn content_range(reply: &Reply, requested: Option<ByteRange>) -> Result<Option<ContentRange>> {
    let Reply { call, response } = reply;
    match response.status() {
        StatusCode::OK => Ok(None),
        StatusCode::PARTIAL_CONTENT => {
            let header = text(response, header::CONTENT_RANGE).unwrap_or_default();
            let part = requested.and_then(|range| parse_content_range(header, range));
            let length = |part: &ContentRange| {
                response.content_length().is_none_or(|length| length == part.len())
            };
            part.filter(length).map(Some).ok_or_else(|| {
                let what = "the media service sent another range than requested";
                call.error(ErrorKind::Unexpected, what)
            })
        }
        _ => {
            let what = "the media service responded to a download with neither 200 nor 206";
            Err(call.error(ErrorKind::Unexpected, what))
        }
    }
}

/// Parses a `Content-Range`, if it is what `requested` resolves to for the total length in it.
fn parse_content_range(header: &str, requested: ByteRange) -> Option<ContentRange> {
    let total: u64 = header.rsplit_once('/')?.1.parse().ok()?;
    let part = ContentRange::new(requested.resolve(total)?, total)?;
    (part.to_string() == header).then_some(part)
}

fn content_type(response: &Response) -> &str {
    let value = text(response, header::CONTENT_TYPE);
    value.filter(|value| !value.is_empty()).unwrap_or("application/octet-stream")
}
