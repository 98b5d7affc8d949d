//! Checks of downloads, renditions and URLs.

use std::time::Duration;

use super::checker::{Checker, SCOPE, is_refusal, new_image, new_owner, unique};
use crate::{
    backend::{MediaBackend, MediaBackendExt as _},
    error::ErrorKind,
    id::{ContentHash, MediaId},
    media::{
        ByteRange, ContentRange, DownloadOptions, Format, MediaUrls, Rendition, Transform, Upload,
        Variant,
    },
};

/// The deadline for processing an image of one pixel.
const PROCESSING_TIMEOUT: Duration = Duration::from_secs(30);

/// The original has the uploaded bytes and the type of the record, and its length and hash are those of
/// the bytes.
pub(super) async fn original_is_returned_unchanged<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, bytes) = (new_owner(), new_image());
    let media = check.upload(&owner, Upload::new(bytes.clone()).scope(SCOPE)).await;
    let (content_type, original) = check.read(&media.id).await;
    check.equal("the bytes", original, &bytes);
    check.equal("the type", content_type, media.mime_type);

    let download = check
        .ok("a download", check.backend.download(&media.id, &Rendition::Original.into()).await);
    let length = download.length().unwrap_or(bytes.len() as u64);
    check.equal("the length", length, bytes.len() as u64);
    let hash = ContentHash::of(&bytes);
    check.equal("the hash", download.hash().unwrap_or(hash), hash);
}

/// A download with a range returns exactly its bytes and names the part, or returns the whole.
pub(super) async fn range_returns_its_bytes_or_the_whole<B: MediaBackend>(check: &Checker<'_, B>) {
    let bytes = new_image();
    let upload = Upload::new(bytes.clone()).scope(SCOPE);
    let id = check.upload(&new_owner(), upload).await.id;
    let total = bytes.len() as u64;
    for range in [
        ByteRange::from(0..=0),
        ByteRange::from(3..=9),
        ByteRange::from(5..=u64::MAX),
        ByteRange::from(0..),
        ByteRange::from(total - 1..),
        ByteRange::Suffix(1),
        ByteRange::Suffix(total + 1),
    ] {
        let options = DownloadOptions::new(Rendition::Original).with_range(range);
        let download = check.ok(range, check.backend.download(&id, &options).await);
        let asked = range.resolve(total).expect("the range has bytes");
        let part = download.part();
        let expected = part.is_some().then(|| ContentRange::new(asked, total)).flatten();
        check.equal(format_args!("the part of {range}"), part, expected);
        let length = download.length();
        let read = check.ok("reading a range", download.into_bytes(bytes.len()).await);
        let range_of_bytes = part.map_or(0..total, |part| part.range());
        let expected = bytes.slice(range_of_bytes.start as usize..range_of_bytes.end as usize);
        check.holds(read == expected, format_args!("{range} returned other bytes"));
        let length = length.unwrap_or(read.len() as u64);
        check.equal(format_args!("the length of {range}"), length, read.len() as u64);
    }
}

/// A range beyond the end is refused, with the complete length if it is known, or the download returns
/// the whole.
pub(super) async fn range_beyond_the_end_is_refused_or_the_whole<B: MediaBackend>(
    check: &Checker<'_, B>,
) {
    let bytes = new_image();
    let upload = Upload::new(bytes.clone()).scope(SCOPE);
    let id = check.upload(&new_owner(), upload).await.id;
    let total = bytes.len() as u64;
    for range in [
        ByteRange::from(total..),
        ByteRange::from(u64::MAX - 1..=u64::MAX),
        ByteRange::Suffix(0),
        ByteRange::Bounded { first: 2, last: 1 },
    ] {
        let options = DownloadOptions::new(Rendition::Original).with_range(range);
        match check.backend.download(&id, &options).await {
            Ok(download) => {
                check.equal(format_args!("the part of {range}"), download.part(), None);
                let read = check.ok("reading the whole", download.into_bytes(bytes.len()).await);
                check.holds(
                    read == bytes,
                    format_args!("{range} returned a part without saying so"),
                );
            }
            Err(error) => {
                let call = format_args!("the error for {range}");
                check.equal(call, error.kind(), ErrorKind::RangeNotSatisfiable);
                let length = error.complete_length().unwrap_or(total);
                check.equal("the complete length", length, total);
            }
        }
    }
}

/// A rendition has the requested type, or is refused; it is never the original (promise P5).
pub(super) async fn rendition_is_never_the_original<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let formats = [Format::WebP, Format::Jpeg, Format::Png, Format::Avif].map(|format| {
        let transform = Transform::new().with_width(8).with_format(format);
        (Rendition::from(transform), format.mime_type())
    });
    let variants = Variant::ALL.map(|variant| (Rendition::from(variant), "image/webp"));
    let text = unique();
    for bytes in [new_image(), new_image().slice(..20), text.into()] {
        let upload = Upload::new(bytes.clone()).scope(SCOPE);
        let media = match check.backend.upload(&owner, upload).await {
            Ok(media) => media,
            // A backend need not store text or a truncated image.
            Err(error) => {
                check.holds(is_refusal(&error), format_args!("not a refusal: {error:?}"));
                continue;
            }
        };
        if let Err(error) = check.backend.wait_until_ready(&media.id, PROCESSING_TIMEOUT).await {
            check.holds(is_refusal(&error), format_args!("processing failed: {error:?}"));
        }
        for (rendition, mime_type) in variants.iter().chain(&formats) {
            let rendered = async {
                let download = check.backend.download(&media.id, &(*rendition).into()).await?;
                let content_type = download.content_type().to_owned();
                Ok((content_type, download.into_bytes(1 << 20).await?))
            };
            match rendered.await {
                Ok((content_type, rendered)) => {
                    check.holds(rendered != bytes, format_args!("{rendition:?} is the original"));
                    check.equal(
                        format_args!("the type of {rendition:?}"),
                        content_type,
                        *mime_type,
                    );
                }
                Err(error) => {
                    check.holds(is_refusal(&error), format_args!("{rendition:?}: {error:?}"));
                }
            }
        }
    }
}

/// An id that no upload returned has neither a record nor bytes.
pub(super) async fn unknown_media_is_not_found<B: MediaBackend>(check: &Checker<'_, B>) {
    check.is_unknown(&MediaId::random()).await;
    // Valid ids of shapes that a backend need not create itself.
    for text in ["no-such-media", "...", "a:b~c", "0", &"x".repeat(128)] {
        check.is_unknown(&MediaId::from_trusted(text).expect("a valid id")).await;
    }
}

/// URLs contain the id, and otherwise do not depend on the media or its owner; a record has the same
/// URLs.
pub(super) async fn urls_reveal_only_the_id<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let upload = Upload::new(new_image()).file_name("cat.gif").scope(SCOPE);
    let media = check.upload(&owner, upload).await;
    let absent = MediaId::random();

    let urls = check.backend.urls(&media.id);
    check.equal("the URL in the record", &media.urls.original, &urls.original);
    for url in all(&urls) {
        check.holds(url.contains(media.id.as_str()), format_args!("{url} does not contain the id"));
    }
    let mut texts: Vec<&String> = all(&urls).collect();
    texts.sort();
    texts.dedup();
    check.equal("the number of distinct URLs", texts.len(), all(&urls).count());

    let other = check.backend.urls(&absent);
    for (url, other) in all(&urls).zip(all(&other)) {
        let (url, other) =
            (url.replace(media.id.as_str(), "{id}"), other.replace(absent.as_str(), "{id}"));
        check.equal("a URL without its id", url, other);
    }
}

fn all(urls: &MediaUrls) -> impl Iterator<Item = &String> {
    let MediaUrls { original, thumbnail, medium, large } = urls;
    [Some(original), thumbnail.as_ref(), medium.as_ref(), large.as_ref()].into_iter().flatten()
}
