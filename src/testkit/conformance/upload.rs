//! What an upload promises.

use std::{convert::Infallible, io, pin::pin};

use bytes::Bytes;
use futures_util::{StreamExt as _, future, stream};
use tokio::sync::oneshot;

use super::lab::{Lab, SCOPE, is_refusal, new_owner, new_picture, picture, scopes, unique};
use crate::{
    backend::MediaBackend,
    error::ErrorKind,
    id::ContentHash,
    media::{ListOptions, Upload},
};

/// What was uploaded is owned, listed and counted as soon as the upload has returned.
pub async fn upload_is_owned_and_listed_at_once(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "upload_is_owned_and_listed_at_once");
    let owner = new_owner();
    lab.has_nothing(&owner).await;
    let mut uploaded = Vec::new();
    for _ in 0..3 {
        let media = lab.upload_new(&owner, SCOPE).await;
        lab.holds(lab.owns(&owner, &scopes([SCOPE]), &media.id).await, "not owned in its scope");
        uploaded.push(media);
        lab.has(&owner, &uploaded).await;
    }
}

/// The record tells the bytes' size, hash and type and the name given, in the upload's answer, in
/// `get` and in the list alike.
pub async fn upload_is_described(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "upload_is_described");
    let (owner, bytes) = (new_owner(), new_picture());
    let upload = Upload::new(bytes.clone()).file_name("my cat.gif").scope(SCOPE);
    let uploaded = lab.upload(&owner, upload).await;
    let got = lab.ok("getting", backend.get(&uploaded.id).await);
    let listed = lab.list(&owner, ListOptions::new()).await;
    for media in [&uploaded, &got].into_iter().chain(&listed) {
        lab.equal("the id", &media.id, &uploaded.id);
        lab.equal("the size", media.size, bytes.len() as u64);
        lab.equal("the hash", media.hash, ContentHash::of(&bytes));
        lab.equal("the type", media.mime_type.as_str(), "image/gif");
        lab.equal("the name", media.file_name.as_deref(), Some("my cat.gif"));
        lab.equal("the date", media.created_at, uploaded.created_at);
    }
}

/// Bytes that arrive in many pieces, some of them empty, are kept in order and whole.
pub async fn upload_in_pieces_is_whole(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "upload_in_pieces_is_whole");
    let owner = new_owner();
    let counting: Vec<u8> = (0..75_000_u32).flat_map(u32::to_le_bytes).collect();
    let long = || picture(&[unique().as_bytes(), &counting].concat());
    for (bytes, piece) in [(new_picture(), 1), (long(), 977), (long(), 65_537)] {
        let mut pieces = vec![Bytes::new()];
        pieces.extend(bytes.chunks(piece).map(Bytes::copy_from_slice));
        pieces.push(Bytes::new());
        let stream = stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
        let media = lab.upload(&owner, Upload::from_stream(stream).scope(SCOPE)).await;
        lab.equal("the size", media.size, bytes.len() as u64);
        lab.equal("the hash", media.hash, ContentHash::of(&bytes));
        lab.holds(lab.read(&media.id).await.1 == bytes, "other bytes came back");
    }
}

/// The bytes of a file are kept whole; a file that is not there leaves nothing.
pub async fn upload_from_a_file_is_whole(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "upload_from_a_file_is_whole");
    let (owner, bytes) = (new_owner(), picture(&[unique().as_bytes(), &[0; 200_000]].concat()));
    let path = std::env::temp_dir().join(unique());
    let upload = || Upload::from_path(&path).scope(SCOPE);
    lab.fails(
        "an upload of no file",
        backend.upload(&owner, upload()).await,
        ErrorKind::InvalidInput,
    );
    lab.has_nothing(&owner).await;

    std::fs::write(&path, &bytes).expect("the folder for temporary files can be written to");
    let stored = backend.upload(&owner, upload()).await;
    std::fs::remove_file(&path).expect("it was written a moment ago");
    let media = lab.ok("an upload from a file", stored);
    lab.equal("the size", media.size, bytes.len() as u64);
    lab.equal("the hash", media.hash, ContentHash::of(&bytes));
    lab.holds(lab.read(&media.id).await.1 == bytes, "other bytes came back");
}

/// A file without bytes is either kept as one or refused, and then leaves nothing.
pub async fn empty_upload_is_kept_or_refused(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "empty_upload_is_kept_or_refused");
    let nothing = stream::empty::<Result<Bytes, Infallible>>();
    for upload in [Upload::new(Bytes::new()), Upload::from_stream(nothing)] {
        let owner = new_owner();
        match backend.upload(&owner, upload.scope(SCOPE)).await {
            Ok(media) => {
                lab.equal("the size", media.size, 0);
                lab.has(&owner, &[&media]).await;
                lab.holds(lab.read(&media.id).await.1.is_empty(), "bytes out of nothing");
            }
            Err(error) => {
                lab.holds(is_refusal(&error), format_args!("not a refusal: {error:?}"));
                lab.has_nothing(&owner).await;
            }
        }
    }
}

/// The same bytes of the same owner are one record under one id, whatever their name; in another
/// scope they are owned there as well.
pub async fn equal_bytes_are_one_record(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "equal_bytes_are_one_record");
    let (owner, bytes) = (new_owner(), new_picture());
    let upload = |name, scope| Upload::new(bytes.clone()).file_name(name).scope::<&str>(scope);
    let first = lab.upload(&owner, upload("one.gif", "one")).await;
    for again in [upload("one.gif", "one"), upload("two.gif", "one"), upload("two.gif", "two")] {
        lab.equal("the id of equal bytes", &lab.upload(&owner, again).await.id, &first.id);
        lab.has(&owner, &[&first]).await;
    }
    for (scope, owned) in [("one", true), ("two", true), ("three", false)] {
        let found = lab.owns(&owner, &scopes([scope]), &first.id).await;
        lab.equal(format_args!("ownership in scope {scope}"), found, owned);
    }
}

/// Equal uploads of one owner at the same time are one record and no error (promise R3).
pub async fn equal_uploads_at_once_are_one_record(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "equal_uploads_at_once_are_one_record");
    let (owner, bytes) = (new_owner(), new_picture());
    let uploads = (0..16).map(|_| {
        let pieces = bytes.chunks(20).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let stream = stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
        lab.upload(&owner, Upload::from_stream(stream).scope(SCOPE))
    });
    let answers = future::join_all(uploads).await;
    for media in &answers {
        lab.equal("the id of equal bytes", &media.id, &answers[0].id);
        lab.equal("the date of equal bytes", media.created_at, answers[0].created_at);
    }
    lab.has(&owner, &answers[..1]).await;
}

/// An upload with an invalid scope is refused; one without a scope counts in `default`.
pub async fn invalid_scope_is_refused(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "invalid_scope_is_refused");
    let owner = new_owner();
    let upload = || Upload::new(new_picture());
    for (what, upload) in [
        ("an upload with two scopes in one", upload().scope("a,b")),
        ("an upload with an empty scope", upload().scope("")),
    ] {
        lab.fails(what, backend.upload(&owner, upload).await, ErrorKind::InvalidInput);
    }
    lab.has_nothing(&owner).await;
    let media = lab.upload(&owner, upload()).await;
    for (scope, owned) in [("default", true), (SCOPE, false)] {
        let found = lab.owns(&owner, &scopes([scope]), &media.id).await;
        lab.equal(format_args!("ownership in scope {scope}"), found, owned);
    }
}

/// An upload whose stream fails is an error and leaves nothing, wherever it failed.
pub async fn broken_upload_leaves_nothing(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "broken_upload_leaves_nothing");
    let owner = new_owner();
    let kept = lab.upload_new(&owner, SCOPE).await;
    for pieces in [0, 1, 3] {
        let whole = picture(unique().repeat(100).as_bytes());
        let before = (0..pieces).map(move |_| Ok(whole.clone()));
        let cut = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
        let stream = stream::iter(before.chain(std::iter::once_with(cut)));
        let upload = Upload::from_stream(stream).scope(SCOPE);
        let what = format!("an upload that breaks off after {pieces} pieces");
        lab.fails(what, backend.upload(&owner, upload).await, ErrorKind::InvalidInput);
        lab.has(&owner, &[&kept]).await;
    }
}

/// An upload that is given up while its bytes still come leaves nothing.
pub async fn dropped_upload_leaves_nothing(backend: &impl MediaBackend) {
    let lab = Lab::new(backend, "dropped_upload_leaves_nothing");
    let owner = new_owner();
    let (reading_on, read_on) = oneshot::channel();
    let begin = stream::once(future::ready(Ok::<_, Infallible>(new_picture())));
    let no_end = stream::once(async move {
        // Nobody listens any more once the upload is given up.
        let _ = reading_on.send(());
        future::pending().await
    });
    {
        let upload = Upload::from_stream(begin.chain(no_end)).scope(SCOPE);
        let upload = pin!(backend.upload(&owner, upload));
        if let future::Either::Left((result, _)) = future::select(upload, read_on).await {
            lab.broken(format_args!("the upload ended before its bytes did: {result:?}"));
        }
    }
    lab.has_nothing(&owner).await;
}
