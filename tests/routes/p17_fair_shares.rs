//! P17: the work for a signed URL counts as that of the media's owner.

use axum::http::StatusCode;
use futures_util::future::{join, join_all};
use tower_media::{
    InMemory, MediaState, Rendition, Upload, backend::ImageLimits, media::Transform,
};

use super::support::{Clock, SECRET, anonymous, get, owner, signed_in};

#[tokio::test]
async fn p17_signed_urls_count_for_the_owner_of_the_media() {
    let limits = ImageLimits::new()
        .with_pixel_budget_per_owner(1)
        .with_max_waiting_per_owner(1)
        .with_timeout(std::time::Duration::from_secs(120));
    let signer = Clock::default().signer("k1", SECRET);
    let backend = InMemory::new().with_image_limits(limits);
    let media = MediaState::builder(backend).url_signer(signer).build();
    let app = signed_in(media.delivery_routes());
    let link = async |name: &str, width: u32| {
        let photo = &include_bytes!("../fixtures/images/plain-2400x1600.jpg")[..];
        let photo = media.upload(&owner(name), Upload::new(photo)).await.unwrap();
        let rendition = Rendition::from(Transform::new().with_width(width));
        media.signed_url(&photo.id, rendition, std::time::Duration::from_secs(60)).unwrap()
    };
    let (flooded, other) = (link("ana", 900).await, link("bob", 500).await);
    let flood = join_all((0..64).map(|_| get(&app, anonymous(&flooded))));
    let (flood, other) = join(flood, get(&app, anonymous(&other))).await;
    assert_eq!(other.status, StatusCode::OK);
    let (answered, refused): (Vec<_>, Vec<_>) =
        flood.iter().partition(|answer| answer.status == StatusCode::OK);
    assert!(!answered.is_empty() && !refused.is_empty());
    for answer in refused {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "1");
    }
}
