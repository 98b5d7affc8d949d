//! P17: one owner's images leave room for those of others.

use futures_util::future::{join, join_all};
use tower_media::{
    ErrorKind, InMemory, MediaId, Rendition, Result,
    backend::{ImageLimits, MediaBackend},
    media::Transform,
};

use crate::support::{TestStore, builder, owner, picture, upload};

/// One image at a time of each owner, and one that waits.
fn limits() -> ImageLimits {
    ImageLimits::new()
        .with_pixel_budget_per_owner(1)
        .with_max_waiting_per_owner(1)
        .with_timeout(std::time::Duration::from_secs(120))
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
