//! Untrusted images: promises P4 to P7.

use tower_media::{
    ErrorKind, Rendition,
    backend::MediaBackend,
    media::{MediaStatus, Variant},
};

use crate::support::{TestStore, keep, owner, picture, read, upload};

/// Files, their MIME type by magic bytes, and the format of those that can be decoded.
const KINDS: [(&str, &str, Option<&str>); 9] = [
    ("quad-noexif.jpg", "image/jpeg", Some("jpeg")),
    ("exif.png", "image/png", Some("png")),
    ("static.gif", "image/gif", Some("gif")),
    ("lossy.webp", "image/webp", Some("webp")),
    ("quad.heic", "image/heif", if cfg!(feature = "heic") { Some("heif") } else { None }),
    ("quad.avif", "image/avif", if cfg!(feature = "avif") { Some("heif") } else { None }),
    ("quad.bmp", "image/bmp", None),
    ("quad.tiff", "image/tiff", None),
    ("document.pdf", "application/pdf", None),
];

#[tokio::test]
async fn p04_bytes_decide_the_type() {
    let home = TestStore::new().await;
    for (name, mime_type, format) in KINDS {
        for declared in ["image/png", "image/jpeg", "image/svg+xml", "text/html", "nonsense"] {
            for ending in ["jpg", "png", "svg", "html"] {
                let what = format!("{name} as {declared} and .{ending}");
                // A new owner each time, so that no existing row answers.
                let upload = upload(picture(name));
                let owner = owner(&what.replace(' ', "-"));
                let upload = upload.file_name(format!("picture.{ending}")).content_type(declared);
                let media = home.store.upload(&owner, upload).await.unwrap();
                let said = media.mime_type.replace("heic", "heif");
                assert_eq!(said, mime_type, "{what}");
                let known = media.metadata.as_ref().and_then(|metadata| metadata.format.as_deref());
                assert_eq!(known, format, "{what}");
                let thumbnail = read(&home.store, &media.id, Variant::Thumbnail).await;
                match format {
                    Some(_) => assert!(thumbnail.unwrap().starts_with(b"RIFF"), "{what}"),
                    None => {
                        let kind = thumbnail.unwrap_err().kind();
                        assert_eq!(kind, ErrorKind::Unsupported, "{what}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn p04_markup_is_not_an_image() {
    let home = TestStore::new().await;
    for (bytes, name) in [
        (picture("drawing.svg"), "drawing.png"),
        (picture("text.txt"), "text.jpg"),
        ("BM<html><script>alert(1)</script>".into(), "bitmap.bmp"),
    ] {
        let upload = upload(bytes).file_name(name).content_type("image/png");
        let media = home.store.upload(&owner(name), upload).await.unwrap();
        assert_eq!(media.metadata, None, "{name}");
        assert_ne!(media.mime_type, "image/png", "{name}");
        let made = read(&home.store, &media.id, Rendition::png(64)).await;
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported, "{name}");
    }
}

#[tokio::test]
async fn p05_a_broken_image_has_its_original_only() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    // A tenth of a JPEG is less than the share of rows that is shown (promise P18).
    let tenth = picture("plain-1000x700.jpg").slice(..1_500);
    let broken = ["garbage.jpg", "truncated-header.jpg"].map(|name| (name, picture(name)));
    for (name, bytes) in broken.into_iter().chain([("a tenth", tenth)]) {
        let media = keep(&home.store, bytes.clone(), &ana).await;
        for rendition in
            Variant::ALL.map(Rendition::from).into_iter().chain([Rendition::png(4_000)])
        {
            let made = read(&home.store, &media.id, rendition).await;
            assert_eq!(made.unwrap_err().kind(), ErrorKind::Failed, "{name} {rendition:?}");
        }
        assert_eq!(home.store.get(&media.id).await.unwrap().status, MediaStatus::Failed, "{name}");
        let original = read(&home.store, &media.id, Rendition::Original).await.unwrap();
        assert_eq!(original, bytes, "{name}");
    }
}

#[tokio::test]
async fn p06_the_record_has_the_display_size() {
    let home = TestStore::new().await;
    let media = keep(&home.store, picture("orientation-6.jpg"), &owner("ana")).await;
    let metadata = media.metadata.unwrap();
    assert_eq!((metadata.width, metadata.height), (200, 320));
}

#[tokio::test]
async fn p07_coordinates_are_in_the_owners_view_only() {
    let home = TestStore::new().await;
    let media = keep(&home.store, picture("exif-gps.jpg"), &owner("ana")).await;
    let public = serde_json::to_string(&media).unwrap();
    assert!(!public.contains("47.66") && !public.contains("Canon"), "{public}");
    let own = serde_json::to_value(media.for_owner()).unwrap();
    assert_eq!(own["exif"]["gpsLatitude"], "47.6603");
    assert_eq!(own["exif"]["exposureTime"], "1/250");
    let kept = home.store.get(&media.id).await.unwrap();
    assert_eq!((kept.exif, kept.metadata), (media.exif.clone(), media.metadata.clone()));
}
