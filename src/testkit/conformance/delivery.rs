//! What can be had of stored media: record, bytes, URLs.

use std::time::Duration;

use super::lab::{Lab, SCOPE, is_refusal, new_owner, new_picture, unique};
use crate::{
    backend::{MediaBackend, MediaBackendExt as _},
    error::ErrorKind,
    id::{ContentHash, MediaId},
    media::{
        ByteRange, ContentRange, DownloadOptions, Format, MediaUrls, Rendition, Transform, Upload,
        Variant,
    },
};

/// How long a backend may take to process one pixel.
const PATIENCE: Duration = Duration::from_secs(30);

/// The original is byte for byte what was uploaded, under the type of the record, and the length
/// and hash that come with it are its own.
pub async fn original_is_what_was_uploaded(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "original_is_what_was_uploaded");
    let (owner, bytes) = (new_owner(), new_picture());
    let media = lab.upload(&owner, Upload::new(bytes.clone()).scope(SCOPE)).await;
    let (content_type, original) = lab.read(&media.id).await;
    lab.equal("the bytes", original, &bytes);
    lab.equal("the type", content_type, media.mime_type);

    let download =
        lab.ok("a download", backend.download(&media.id, &Rendition::Original.into()).await);
    let length = download.length().unwrap_or(bytes.len() as u64);
    lab.equal("the length", length, bytes.len() as u64);
    let hash = ContentHash::of(&bytes);
    lab.equal("the hash", download.hash().unwrap_or(hash), hash);
}

/// Of a range come exactly its bytes, and the download says which they are, or the whole comes.
pub async fn a_range_is_these_bytes_or_the_whole(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "a_range_is_these_bytes_or_the_whole");
    let bytes = new_picture();
    let upload = Upload::new(bytes.clone()).scope(SCOPE);
    let id = lab.upload(&new_owner(), upload).await.id;
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
        let download = lab.ok(range, backend.download(&id, &options).await);
        let asked = range.resolve(total).expect("there are such bytes");
        let part = download.part();
        let expected = part.is_some().then(|| ContentRange::new(asked, total)).flatten();
        lab.equal(format_args!("the part of {range}"), part, expected);
        let length = download.length();
        let read = lab.ok("reading a range", download.into_bytes(bytes.len()).await);
        let range_of_bytes = part.map_or(0..total, |part| part.range());
        let expected = bytes.slice(range_of_bytes.start as usize..range_of_bytes.end as usize);
        lab.holds(read == expected, format_args!("other bytes for {range}"));
        let length = length.unwrap_or(read.len() as u64);
        lab.equal(format_args!("the length of {range}"), length, read.len() as u64);
    }
}

/// A range that has none of the bytes is refused, with their number where it is known, or the whole
/// comes.
pub async fn a_range_without_bytes_is_refused_or_the_whole(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "a_range_without_bytes_is_refused_or_the_whole");
    let bytes = new_picture();
    let upload = Upload::new(bytes.clone()).scope(SCOPE);
    let id = lab.upload(&new_owner(), upload).await.id;
    let total = bytes.len() as u64;
    for range in [
        ByteRange::from(total..),
        ByteRange::from(u64::MAX - 1..=u64::MAX),
        ByteRange::Suffix(0),
        ByteRange::Bounded { first: 2, last: 1 },
    ] {
        let options = DownloadOptions::new(Rendition::Original).with_range(range);
        match backend.download(&id, &options).await {
            Ok(download) => {
                lab.equal(format_args!("the part of {range}"), download.part(), None);
                let read = lab.ok("reading the whole", download.into_bytes(bytes.len()).await);
                lab.holds(read == bytes, format_args!("not the whole for {range}"));
            }
            Err(error) => {
                let call = format_args!("the error for {range}");
                lab.equal(call, error.kind(), ErrorKind::RangeNotSatisfiable);
                let length = error.complete_length().unwrap_or(total);
                lab.equal("the length of the whole", length, total);
            }
        }
    }
}

/// A rendition is one of the type asked for, or it is refused; it is never the original
/// (promise P5).
pub async fn rendition_is_never_the_original(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "rendition_is_never_the_original");
    let owner = new_owner();
    let formats = [Format::WebP, Format::Jpeg, Format::Png, Format::Avif].map(|format| {
        let transform = Transform::new().with_width(8).with_format(format);
        (Rendition::from(transform), format.mime_type())
    });
    let variants = Variant::ALL.map(|variant| (Rendition::from(variant), "image/webp"));
    let text = unique();
    for bytes in [new_picture(), new_picture().slice(..20), text.into()] {
        let upload = Upload::new(bytes.clone()).scope(SCOPE);
        let media = match backend.upload(&owner, upload).await {
            Ok(media) => media,
            // What is not a picture, or a broken one, need not be kept.
            Err(error) => {
                lab.holds(is_refusal(&error), format_args!("not a refusal: {error:?}"));
                continue;
            }
        };
        if let Err(error) = backend.wait_until_ready(&media.id, PATIENCE).await {
            lab.holds(is_refusal(&error), format_args!("processing does not end: {error:?}"));
        }
        for (rendition, mime_type) in variants.iter().chain(&formats) {
            let rendered = async {
                let download = backend.download(&media.id, &(*rendition).into()).await?;
                let content_type = download.content_type().to_owned();
                Ok((content_type, download.into_bytes(1 << 20).await?))
            };
            match rendered.await {
                Ok((content_type, rendered)) => {
                    lab.holds(rendered != bytes, format_args!("{rendition:?} is the original"));
                    lab.equal(format_args!("the type of {rendition:?}"), content_type, *mime_type);
                }
                Err(error) => {
                    lab.holds(is_refusal(&error), format_args!("{rendition:?}: {error:?}"));
                }
            }
        }
    }
}

/// Neither record nor bytes of an id that was never given out can be had.
pub async fn unknown_media_is_not_found(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "unknown_media_is_not_found");
    lab.is_unknown(&MediaId::random()).await;
    // Well formed, though no backend need make ids like these.
    for text in ["no-such-media", "...", "a:b~c", "0", &"x".repeat(128)] {
        lab.is_unknown(&MediaId::from_trusted(text).expect("these are ids")).await;
    }
}

/// The URLs of media hold its id and nothing else that tells media or owners apart, be there such
/// media or not, and a record holds the same.
pub async fn urls_name_the_media_alone(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "urls_name_the_media_alone");
    let owner = new_owner();
    let upload = Upload::new(new_picture()).file_name("cat.gif").scope(SCOPE);
    let media = lab.upload(&owner, upload).await;
    let absent = MediaId::random();

    let urls = backend.urls(&media.id);
    lab.equal("the URL in the record", &media.urls.original, &urls.original);
    for url in all(&urls) {
        lab.holds(url.contains(media.id.as_str()), format_args!("{url} lacks the id"));
    }
    let mut texts: Vec<&String> = all(&urls).collect();
    texts.sort();
    texts.dedup();
    lab.equal("the number of different URLs", texts.len(), all(&urls).count());

    // Nothing is asked for these, so whatever else is in a URL is the same for all media.
    let other = backend.urls(&absent);
    for (url, other) in all(&urls).zip(all(&other)) {
        let (url, other) =
            (url.replace(media.id.as_str(), "{id}"), other.replace(absent.as_str(), "{id}"));
        lab.equal("a URL but for its id", url, other);
    }
}

fn all(urls: &MediaUrls) -> impl Iterator<Item = &String> {
    let MediaUrls { original, thumbnail, medium, large } = urls;
    [Some(original), thumbnail.as_ref(), medium.as_ref(), large.as_ref()].into_iter().flatten()
}
