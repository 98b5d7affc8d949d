//! Renditions: made once, cached, bounded, and never the original.

use std::{fs, time::Duration};

use tower_media::{
    ErrorKind, Rendition,
    backend::{MediaBackend, MediaBackendExt as _},
    media::{ByteRange, DownloadOptions, MediaStatus, Transform, Variant},
    store::MakeVariants,
};

use crate::support::{TestStore, builder, keep, owner, picture, read};

#[tokio::test]
async fn a_rendition_is_made_once_and_then_cached() {
    let home = TestStore::new().await;
    let kept = keep(&home.store, picture("plain-1000x700.jpg"), &owner("ana")).await;
    let ask = || read(&home.store, &kept.id, Variant::Medium);
    let asked = futures_util::future::join_all((0..16).map(|_| ask())).await;
    let first = asked[0].as_ref().unwrap().clone();
    assert!(asked.into_iter().all(|answer| answer.unwrap() == first));
    let made = home.files("renditions");
    assert_eq!(made.len(), 2, "thumbnail and medium come from one decode");

    // The cache answers: the original is not needed.
    fs::remove_dir_all(home.folder.path().join("blobs")).unwrap();
    assert_eq!(ask().await.unwrap(), first);
    read(&home.store, &kept.id, Variant::Thumbnail).await.unwrap();
    assert_eq!(
        read(&home.store, &kept.id, Rendition::png(9)).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_missing_or_truncated_rendition_is_made_again() {
    let home = TestStore::new().await;
    let kept = keep(&home.store, picture("plain-1000x700.jpg"), &owner("ana")).await;
    let whole = read(&home.store, &kept.id, Variant::Medium).await.unwrap();
    for file in home.files("renditions") {
        fs::write(file, "cut").unwrap();
    }
    assert_eq!(read(&home.store, &kept.id, Variant::Medium).await.unwrap(), whole);
    fs::remove_dir_all(home.folder.path().join("renditions")).unwrap();
    assert_eq!(read(&home.store, &kept.id, Variant::Medium).await.unwrap(), whole);
}

#[tokio::test]
async fn a_range_of_a_cached_rendition_is_delivered() {
    let home = TestStore::new().await;
    let kept = keep(&home.store, picture("plain-1000x700.jpg"), &owner("ana")).await;
    let whole = read(&home.store, &kept.id, Variant::Medium).await.unwrap();
    let options = DownloadOptions::from(Variant::Medium).with_range(ByteRange::Suffix(10));
    let part = home.store.download(&kept.id, &options).await.unwrap();
    assert_eq!(part.part().unwrap().total(), whole.len() as u64);
    assert_eq!(part.into_bytes(10).await.unwrap(), whole.slice(whole.len() - 10..));
}

#[tokio::test]
async fn p12_cached_renditions_are_bounded() {
    let home = TestStore::with(builder().max_rendition_bytes(20_000)).await;
    let kept = keep(&home.store, picture("plain-1000x700.jpg"), &owner("ana")).await;
    for side in 100..160 {
        read(&home.store, &kept.id, Transform::new().with_width(side)).await.unwrap();
    }
    let bytes: u64 =
        home.files("renditions").iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(bytes <= 20_000, "{bytes}");
    assert!(home.store.verify().await.unwrap().strays == 0);
}

#[tokio::test]
async fn p12_equal_transforms_share_one_rendition() {
    let home = TestStore::new().await;
    let kept = keep(&home.store, picture("plain-1000x700.jpg"), &owner("ana")).await;
    let png = |quality| {
        Transform::new()
            .with_width(50)
            .with_format(tower_media::media::Format::Png)
            .with_quality(quality)
    };
    for quality in [1, 50, 100] {
        read(&home.store, &kept.id, png(quality)).await.unwrap();
    }
    assert_eq!(home.files("renditions").len(), 1);
}

#[tokio::test]
async fn p12_equivalent_transforms_of_an_image_share_one_rendition() {
    let home = TestStore::new().await;
    let kept = keep(&home.store, picture("plain-1000x700.jpg"), &owner("ana")).await;
    let whole = Transform::new();
    for asked in [whole, whole.with_width(5000), whole.with_height(6000), whole.with_width(1000)] {
        read(&home.store, &kept.id, asked).await.unwrap();
    }
    assert_eq!(home.files("renditions").len(), 1);
    read(&home.store, &kept.id, whole.with_width(999)).await.unwrap();
    assert_eq!(home.files("renditions").len(), 2);
}

#[tokio::test]
async fn p05_a_rendition_is_never_the_original() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    for (name, kind) in [
        ("garbage.jpg", ErrorKind::Failed),
        ("truncated-header.jpg", ErrorKind::Failed),
        ("document.pdf", ErrorKind::Unsupported),
        ("drawing.svg", ErrorKind::Unsupported),
        ("text.txt", ErrorKind::Unsupported),
    ] {
        let kept = keep(&home.store, picture(name), &ana).await;
        assert_eq!(kept.urls.thumbnail, None, "{name}");
        for what in [Variant::Thumbnail.into(), Variant::Large.into(), Rendition::png(10)] {
            let refused = read(&home.store, &kept.id, what).await.unwrap_err();
            assert_eq!(refused.kind(), kind, "{name}: {what:?}");
        }
        assert_eq!(read(&home.store, &kept.id, Rendition::Original).await.unwrap(), picture(name));
    }
    let tiny = picture("one-pixel.png");
    let kept = keep(&home.store, tiny.clone(), &ana).await;
    for variant in Variant::ALL {
        let rendition = read(&home.store, &kept.id, variant).await.unwrap();
        assert!(rendition.starts_with(b"RIFF") && rendition != tiny);
    }
}

#[tokio::test]
async fn variants_made_ahead_exist_once_the_image_is_ready() {
    let home = TestStore::with(builder().variants(MakeVariants::Ahead)).await;
    let ana = owner("ana");
    let photo = keep(&home.store, picture("plain-1000x700.jpg"), &ana).await;
    let broken = keep(&home.store, picture("plain-1000x700.jpg").slice(..1_500), &ana).await;
    let text = keep(&home.store, "text", &ana).await;
    assert_eq!((photo.status, text.status), (MediaStatus::Processing, MediaStatus::Ready));
    assert_eq!(photo.urls.thumbnail, None);

    let deadline = Duration::from_secs(60);
    let ready = home.store.wait_until_ready(&photo.id, deadline).await.unwrap();
    assert!(
        ready.urls.thumbnail.is_some() && ready.urls.medium.is_some() && ready.urls.large.is_none()
    );
    // Only the variants that the URLs name are made.
    assert_eq!(home.files("renditions").len(), 2);
    let failed = home.store.wait_until_ready(&broken.id, deadline).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Failed);
}

#[tokio::test]
async fn pending_variants_are_made_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let builder = builder().variants(MakeVariants::Ahead);
    let store = builder.clone().open(folder.path()).await.unwrap();
    let mut kept = Vec::new();
    for name in ["plain-1000x700.jpg", "plain-2400x1600.jpg", "alpha.png"] {
        kept.push(keep(&store, picture(name), &owner("ana")).await);
    }
    store.close().await.unwrap();
    drop(store);
    let store = builder.open(folder.path()).await.unwrap();
    for media in kept {
        let ready = store.wait_until_ready(&media.id, Duration::from_secs(60)).await.unwrap();
        assert!(ready.urls.thumbnail.is_some());
    }
}

#[tokio::test]
async fn variants_are_made_only_if_a_url_names_them() {
    for when in [MakeVariants::Ahead, MakeVariants::OnRequest] {
        let home = TestStore::with(builder().variants(when)).await;
        for (name, count) in
            [("one-pixel.png", 1), ("plain-1000x700.jpg", 2), ("plain-2400x1600.jpg", 3)]
        {
            let kept = keep(&home.store, picture(name), &owner("ana")).await;
            let ready = home.store.wait_until_ready(&kept.id, Duration::from_secs(60)).await;
            let urls = ready.unwrap().urls;
            read(&home.store, &kept.id, Variant::Thumbnail).await.unwrap();
            let named = [urls.thumbnail, urls.medium, urls.large].into_iter().flatten().count();
            let folder = format!("renditions/{}", kept.id);
            assert_eq!((home.files(&folder).len(), named), (count, count), "{name}: {when:?}");
        }
    }
}
