//! Clones, and the calls that a state passes to its backend.

use tower_media::{
    ErrorKind, InMemory, MediaId, MediaState, Rendition, Scopes, UnverifiedId, Upload,
    backend::MediaBackend as _,
    media::ListOptions,
    testkit::{Fault, Faulty},
};

use super::support::{owner, upload_texts};

#[tokio::test]
async fn clones_share_their_media() {
    let media = MediaState::in_memory();
    let (clone, ana) = (media.clone(), owner("ana"));
    let ids = upload_texts(&media, &ana, 2).await;
    assert_eq!(clone.get(&ids[0]).await.unwrap(), media.get(&ids[0]).await.unwrap());
    assert!(clone.delete(&ana, &ids[0]).await.unwrap());
    assert!(!media.delete(&ana, &ids[0]).await.unwrap());
    assert_eq!(media.stats(&ana).await.unwrap().count, 1);
}

#[tokio::test]
async fn separate_states_do_not_share_media() {
    let (one, other) = (MediaState::in_memory(), MediaState::in_memory());
    let ids = upload_texts(&one, &owner("ana"), 1).await;
    assert_eq!(other.get(&ids[0]).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn every_call_reports_an_outage_until_it_ends() {
    let backend = Faulty::new(InMemory::new());
    let (media, ana) = (MediaState::new(backend.clone()), owner("ana"));
    let id = &upload_texts(&media, &ana, 1).await[0];
    let upload = || Upload::new("text 0").scope("me");
    let options = ListOptions::new();
    let calls = async || {
        [
            media.upload(&ana, upload()).await.err(),
            media.get(id).await.err(),
            media.download(id, Rendition::Original).await.err(),
            media.download_all([id], Rendition::Original).await.err(),
            media.list(&ana, &options).await.err(),
            media.stats(&ana).await.err(),
            media.delete(&ana, &MediaId::from_trusted("absent").unwrap()).await.err(),
        ]
        .map(|error| error.map(|error| error.kind()))
    };
    for kind in [ErrorKind::Unavailable, ErrorKind::Internal, ErrorKind::Timeout] {
        backend.set(Fault::Fail(kind));
        assert_eq!(calls().await, [Some(kind); 7]);
    }
    backend.set(Fault::None);
    assert_eq!(calls().await, [None; 7]);
}

#[tokio::test]
async fn urls_need_no_call_of_the_backend() {
    let backend = Faulty::new(InMemory::new());
    let media = MediaState::new(backend.clone());
    let uploaded = media.upload(&owner("ana"), Upload::new("cat").scope("me")).await;
    let uploaded = uploaded.unwrap();
    backend.set(Fault::Panic);
    let urls = media.urls(&uploaded.id);
    assert_eq!(urls.original, uploaded.urls.original);
    assert_eq!(urls.original, format!("/media/{}/file", uploaded.id));
    assert_eq!(urls.thumbnail.unwrap(), format!("/media/{}/file/thumb", uploaded.id));
}

// A counter over all owners in the token would reveal the number of other owners' uploads.
#[tokio::test]
async fn p15_a_page_token_reveals_nothing_of_other_owners() {
    let token_after = async |foreign| {
        let (media, ana) = (MediaState::in_memory(), owner("ana"));
        upload_texts(&media, &owner("bob"), foreign).await;
        upload_texts(&media, &ana, 2).await;
        media.list(&ana, &ListOptions::new().with_limit(1)).await.unwrap().next.unwrap()
    };
    assert_eq!(token_after(0).await, token_after(5).await);
}

#[tokio::test]
async fn an_ownership_only_state_stores_nothing() {
    let (table, ana) = (InMemory::new(), owner("ana"));
    let stored = table.upload(&ana, Upload::new("x").scope("me")).await.unwrap();
    let media = MediaState::with_ownership_only(table);
    let asked = [UnverifiedId::parse(stored.id.as_str()).unwrap()];
    let owned = media.verify(&ana, Scopes::any(), asked).await.unwrap();
    assert_eq!(owned.ids(), std::slice::from_ref(&stored.id));

    let unsupported = |error: tower_media::Error| assert_eq!(error.kind(), ErrorKind::Unsupported);
    unsupported(media.upload(&ana, Upload::new("x").scope("me")).await.unwrap_err());
    unsupported(media.get(&stored.id).await.unwrap_err());
    unsupported(media.download(&stored.id, Rendition::Original).await.unwrap_err());
    unsupported(media.list(&ana, &ListOptions::new()).await.unwrap_err());
    unsupported(media.stats(&ana).await.unwrap_err());
    unsupported(media.delete(&ana, &stored.id).await.unwrap_err());
}
