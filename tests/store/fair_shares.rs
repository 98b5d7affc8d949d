//! P17: one owner's images leave room for those of others.

use std::time::Duration;

use futures_util::future::{join, join_all};
use tower_media::{
    ErrorKind, InMemory, MediaId, Rendition, Result,
    backend::{ImageLimits, MediaBackend, MediaBackendExt as _},
    media::{SearchOptions, Transform},
    store::MakeVariants,
};

use crate::support::{TestStore, builder, owner, picture, upload};

/// One image at a time of each owner, and one that waits.
fn limits() -> ImageLimits {
    ImageLimits::new()
        .with_pixel_budget_per_owner(1)
        .with_max_waiting_per_owner(1)
        .with_timeout(Duration::from_secs(120))
}

/// Asks for many renditions of Ana's image and for one of each other owner's.
async fn others_are_answered(backend: &impl MediaBackend) {
    let mut ids: Vec<MediaId> = Vec::new();
    for name in ["ana", "bob", "cleo", "dan"] {
        let photo = upload(picture("plain-2400x1600.jpg"));
        ids.push(backend.upload(&owner(name), photo).await.unwrap().id);
    }
    let ask = async |id: &MediaId, width| -> Result<_> {
        let rendition = Rendition::from(Transform::new().with_width(width));
        backend.download(id, &rendition.into()).await.map(drop)
    };
    let flood = join_all((0..64).map(|n| ask(&ids[0], 1_000 + n)));
    let others = join_all(ids[1..].iter().map(|id| ask(id, 500)));
    let (flood, others) = join(flood, others).await;
    let refused = flood.iter().filter_map(|asked| asked.as_ref().err());
    assert!(refused.clone().all(|error| error.kind() == ErrorKind::Unavailable));
    assert!((1..64).contains(&refused.count()), "{flood:?}");
    assert!(others.iter().all(Result::is_ok), "{others:?}");
}

#[tokio::test]
async fn p17_a_store_refuses_only_the_owner_who_floods() {
    others_are_answered(&TestStore::with(builder().image_limits(limits())).await.store).await;
}

#[tokio::test]
async fn p17_memory_refuses_only_the_owner_who_floods() {
    others_are_answered(&InMemory::new().with_image_limits(limits())).await;
}

#[tokio::test]
async fn p17_variants_ahead_are_made_in_turns_of_the_owners() {
    let home = TestStore::with(builder().variants(MakeVariants::Ahead)).await;
    let photo = picture("plain-2400x1600.jpg");
    // Bytes behind the end marker make each a content of its own.
    let uploads = (0..60_u8).map(|n| {
        let bytes = [&photo[..], &[n]].concat();
        async { home.store.upload(&owner("ana"), upload(bytes)).await.unwrap() }
    });
    join_all(uploads).await;
    let other = home.store.upload(&owner("bob"), upload(photo.clone())).await.unwrap();
    home.store.wait_until_ready(&other.id, Duration::from_secs(120)).await.unwrap();
    let ready = SearchOptions::new().with_limit(1);
    let ready = home.store.search(&owner("ana"), &ready).await.unwrap().total;
    assert!(ready < 40, "{ready} of 60 images came first");
}
