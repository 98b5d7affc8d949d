//! Checks of uploads.

use std::{convert::Infallible, io, pin::pin};

use bytes::Bytes;
use futures_util::{StreamExt as _, future, stream};
use tokio::sync::oneshot;

use super::checker::{Checker, SCOPE, image, is_refusal, new_image, new_owner, scopes, unique};
use crate::{
    backend::MediaBackend,
    error::ErrorKind,
    id::ContentHash,
    media::{ListOptions, Upload},
};

/// An upload is owned, listed and counted when the call returns.
pub(super) async fn upload_is_owned_and_listed_at_once<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    check.has_nothing(&owner).await;
    let mut uploaded = Vec::new();
    for _ in 0..3 {
        let media = check.upload_new(&owner, SCOPE).await;
        check.holds(
            check.owns(&owner, &scopes([SCOPE]), &media.id).await,
            "the upload is not owned in its scope",
        );
        uploaded.push(media);
        check.has(&owner, &uploaded).await;
    }
}

/// The record has the size, hash, type and file name of the upload, in the answer of the upload, of
/// `get` and in the list.
pub(super) async fn record_describes_the_upload<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, bytes) = (new_owner(), new_image());
    let upload = Upload::new(bytes.clone()).file_name("my cat.gif").scope(SCOPE);
    let uploaded = check.upload(&owner, upload).await;
    let got = check.ok("getting", check.backend.get(&uploaded.id).await);
    let listed = check.list(&owner, ListOptions::new()).await;
    for media in [&uploaded, &got].into_iter().chain(&listed) {
        check.equal("the id", &media.id, &uploaded.id);
        check.equal("the size", media.size, bytes.len() as u64);
        check.equal("the hash", media.hash, ContentHash::of(&bytes));
        check.equal("the type", media.mime_type.as_str(), "image/gif");
        check.equal("the name", media.file_name.as_deref(), Some("my cat.gif"));
        check.equal("the date", media.created_at, uploaded.created_at);
    }
}

/// Chunks of any size, including empty ones, are stored complete and in order.
pub(super) async fn chunked_upload_is_whole<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let counting: Vec<u8> = (0..75_000_u32).flat_map(u32::to_le_bytes).collect();
    let long = || image(&[unique().as_bytes(), &counting].concat());
    for (bytes, size) in [(new_image(), 1), (long(), 977), (long(), 65_537)] {
        let mut chunks = vec![Bytes::new()];
        chunks.extend(bytes.chunks(size).map(Bytes::copy_from_slice));
        chunks.push(Bytes::new());
        let stream = stream::iter(chunks.into_iter().map(Ok::<_, Infallible>));
        let media = check.upload(&owner, Upload::from_stream(stream).scope(SCOPE)).await;
        check.equal("the size", media.size, bytes.len() as u64);
        check.equal("the hash", media.hash, ContentHash::of(&bytes));
        check.holds(check.read(&media.id).await.1 == bytes, "the download has other bytes");
    }
}

/// A file is stored completely. A missing file is an error and leaves nothing behind.
pub(super) async fn upload_from_path_is_whole<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, bytes) = (new_owner(), image(&[unique().as_bytes(), &[0; 200_000]].concat()));
    let path = std::env::temp_dir().join(unique());
    let upload = || Upload::from_path(&path).scope(SCOPE);
    check.fails(
        "an upload of a missing file",
        check.backend.upload(&owner, upload()).await,
        ErrorKind::InvalidInput,
    );
    check.has_nothing(&owner).await;

    std::fs::write(&path, &bytes).expect("the temporary folder is writable");
    let stored = check.backend.upload(&owner, upload()).await;
    std::fs::remove_file(&path).expect("the file exists");
    let media = check.ok("an upload from a file", stored);
    check.equal("the size", media.size, bytes.len() as u64);
    check.equal("the hash", media.hash, ContentHash::of(&bytes));
    check.holds(check.read(&media.id).await.1 == bytes, "the download has other bytes");
}

/// An upload of zero bytes is stored, or refused without leaving anything behind.
pub(super) async fn empty_upload_is_kept_or_refused<B: MediaBackend>(check: &Checker<'_, B>) {
    let nothing = stream::empty::<Result<Bytes, Infallible>>();
    for upload in [Upload::new(Bytes::new()), Upload::from_stream(nothing)] {
        let owner = new_owner();
        match check.backend.upload(&owner, upload.scope(SCOPE)).await {
            Ok(media) => {
                check.equal("the size", media.size, 0);
                check.has(&owner, &[&media]).await;
                check.holds(check.read(&media.id).await.1.is_empty(), "the download has bytes");
            }
            Err(error) => {
                check.holds(is_refusal(&error), format_args!("not a refusal: {error:?}"));
                check.has_nothing(&owner).await;
            }
        }
    }
}

/// Equal bytes of one owner are one record with one id, regardless of their file names. A second scope
/// is added to the record.
pub(super) async fn equal_bytes_are_one_record<B: MediaBackend>(check: &Checker<'_, B>) {
    let (owner, bytes) = (new_owner(), new_image());
    let upload = |name, scope| Upload::new(bytes.clone()).file_name(name).scope::<&str>(scope);
    let first = check.upload(&owner, upload("one.gif", "one")).await;
    for again in [upload("one.gif", "one"), upload("two.gif", "one"), upload("two.gif", "two")] {
        check.equal("the id of equal bytes", &check.upload(&owner, again).await.id, &first.id);
        check.has(&owner, &[&first]).await;
    }
    for (scope, owned) in [("one", true), ("two", true), ("three", false)] {
        let found = check.owns(&owner, &scopes([scope]), &first.id).await;
        check.equal(format_args!("ownership in scope {scope}"), found, owned);
    }
}

/// Concurrent uploads of equal bytes by one owner are one record, without an error (promise R3).
pub(super) async fn concurrent_equal_uploads_are_one_record<B: MediaBackend>(
    check: &Checker<'_, B>,
) {
    let (owner, bytes) = (new_owner(), new_image());
    let uploads = (0..16).map(|_| {
        let chunks = bytes.chunks(20).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let stream = stream::iter(chunks.into_iter().map(Ok::<_, Infallible>));
        check.upload(&owner, Upload::from_stream(stream).scope(SCOPE))
    });
    let answers = future::join_all(uploads).await;
    for media in &answers {
        check.equal("the id of equal bytes", &media.id, &answers[0].id);
        check.equal("the date of equal bytes", media.created_at, answers[0].created_at);
    }
    check.has(&owner, &answers[..1]).await;
}

/// An upload with an invalid scope is refused. An upload without a scope is in the scope `default`.
pub(super) async fn invalid_scope_is_refused<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let upload = || Upload::new(new_image());
    for (what, upload) in [
        ("an upload with a comma in its scope", upload().scope("a,b")),
        ("an upload with an empty scope", upload().scope("")),
    ] {
        check.fails(what, check.backend.upload(&owner, upload).await, ErrorKind::InvalidInput);
    }
    check.has_nothing(&owner).await;
    let media = check.upload(&owner, upload()).await;
    for (scope, owned) in [("default", true), (SCOPE, false)] {
        let found = check.owns(&owner, &scopes([scope]), &media.id).await;
        check.equal(format_args!("ownership in scope {scope}"), found, owned);
    }
}

/// An upload whose stream fails is an error and leaves nothing behind.
pub(super) async fn failed_upload_leaves_nothing<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let kept = check.upload_new(&owner, SCOPE).await;
    for chunks in [0, 1, 3] {
        let whole = image(unique().repeat(100).as_bytes());
        let before = (0..chunks).map(move |_| Ok(whole.clone()));
        let cut = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
        let stream = stream::iter(before.chain(std::iter::once_with(cut)));
        let upload = Upload::from_stream(stream).scope(SCOPE);
        let what = format!("an upload that fails after {chunks} chunks");
        check.fails(what, check.backend.upload(&owner, upload).await, ErrorKind::InvalidInput);
        check.has(&owner, &[&kept]).await;
    }
}

/// An upload that is dropped while its stream is pending leaves nothing behind.
pub(super) async fn dropped_upload_leaves_nothing<B: MediaBackend>(check: &Checker<'_, B>) {
    let owner = new_owner();
    let (is_reading, reads) = oneshot::channel();
    let start = stream::once(future::ready(Ok::<_, Infallible>(new_image())));
    let pending = stream::once(async move {
        // The receiver is dropped together with the upload.
        let _ = is_reading.send(());
        future::pending().await
    });
    {
        let upload = Upload::from_stream(start.chain(pending)).scope(SCOPE);
        let upload = pin!(check.backend.upload(&owner, upload));
        if let future::Either::Left((result, _)) = future::select(upload, reads).await {
            check.fail(format_args!("the upload returned before its stream ended: {result:?}"));
        }
    }
    check.has_nothing(&owner).await;
}
