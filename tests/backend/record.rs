//! The JSON of records and lists: the field names of the media protocol.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tower_media::{
    Media, MediaId,
    media::{ContentHash, Exif, FailureReason, MediaStats, MediaStatus, MediaUrls, Metadata, Page},
};

const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn bare() -> Media {
    let id = MediaId::from_trusted("m-1").unwrap();
    let urls = MediaUrls::new("/media/m-1/file");
    let hash = ContentHash::of(b"");
    let mut media = Media::new(id, MediaStatus::Processing, "image/jpeg", 4667, hash, urls);
    media.created_at = UNIX_EPOCH + Duration::new(1_795_352_718, 616_999_999);
    media
}

fn full() -> Media {
    let mut media = bare();
    media.status = MediaStatus::Ready;
    media.file_name = Some("exif-gps.jpg".into());
    media.urls.thumbnail = Some("/media/m-1/file/thumb".into());
    media.urls.medium = Some("/media/m-1/file/medium".into());
    media.urls.large = Some("/media/m-1/file/large".into());
    let mut metadata = Metadata::new(320, 240);
    metadata.format = Some("jpeg".into());
    media.metadata = Some(metadata);
    let mut exif = Exif::default();
    exif.camera_make = Some("Canon".into());
    exif.camera_model = Some("EOS Test 5D".into());
    exif.date_taken = Some("2024-03-15T14:30:45.000Z".into());
    exif.focal_length = Some("50mm".into());
    exif.aperture = Some("2.8".into());
    exif.iso = Some(400);
    exif.exposure_time = Some("1/250".into());
    exif.gps_latitude = Some("47.6603".into());
    exif.gps_longitude = Some("9.1758".into());
    media.exif = Some(exif);
    media
}

fn full_json() -> Value {
    json!({
        "id": "m-1",
        "status": "ready",
        "originalName": "exif-gps.jpg",
        "mimeType": "image/jpeg",
        "size": 4667,
        "hash": EMPTY_HASH,
        "urls": {
            "original": "/media/m-1/file",
            "thumbnail": "/media/m-1/file/thumb",
            "medium": "/media/m-1/file/medium",
            "large": "/media/m-1/file/large",
        },
        "metadata": { "width": 320, "height": 240, "format": "jpeg" },
        "createdAt": "2026-11-22T13:05:18.616Z",
    })
}

fn to_json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn absent_values_are_left_out() {
    assert_eq!(
        to_json(bare()),
        json!({
            "id": "m-1",
            "status": "processing",
            "mimeType": "image/jpeg",
            "size": 4667,
            "hash": EMPTY_HASH,
            "urls": { "original": "/media/m-1/file" },
            "createdAt": "2026-11-22T13:05:18.616Z",
        })
    );
    assert_eq!(to_json(bare().for_owner()), to_json(bare()));
}

#[test]
fn p07_exif_is_in_the_owner_view_only() {
    assert_eq!(to_json(full()), full_json());

    let mut owners = full_json();
    owners["exif"] = json!({
        "cameraMake": "Canon",
        "cameraModel": "EOS Test 5D",
        "dateTaken": "2024-03-15T14:30:45.000Z",
        "focalLength": "50mm",
        "aperture": "2.8",
        "iso": 400,
        "exposureTime": "1/250",
        "gpsLatitude": "47.6603",
        "gpsLongitude": "9.1758",
    });
    assert_eq!(to_json(full().for_owner()), owners);
}

#[test]
fn p07_a_list_contains_no_exif() {
    let page = Page::new(vec![full()], Some("next".into()));
    assert_eq!(to_json(page), json!({ "items": [full_json()], "next": "next" }));
    assert_eq!(to_json(Page::new(vec![], None)), json!({ "items": [] }));
}

#[test]
fn has_alpha_is_left_out_if_false() {
    let mut metadata = Metadata::new(300, 200);
    assert_eq!(to_json(&metadata), json!({ "width": 300, "height": 200 }));
    metadata.has_alpha = true;
    assert_eq!(to_json(&metadata), json!({ "width": 300, "height": 200, "hasAlpha": true }));
}

#[test]
fn dates_are_utc_with_milliseconds() {
    for (since_epoch, shown) in [
        (Duration::ZERO, "1970-01-01T00:00:00.000Z"),
        (Duration::from_secs(1), "1970-01-01T00:00:01.000Z"),
        (Duration::from_millis(1_500), "1970-01-01T00:00:01.500Z"),
        (Duration::from_nanos(1_999_999_999), "1970-01-01T00:00:01.999Z"),
    ] {
        let mut media = bare();
        media.created_at = UNIX_EPOCH + since_epoch;
        assert_eq!(to_json(media)["createdAt"], shown, "{since_epoch:?}");
    }
}

#[test]
fn statuses_and_stats_match_the_protocol() {
    let statuses = [MediaStatus::Processing, MediaStatus::Ready, MediaStatus::Failed];
    assert_eq!(to_json(statuses), json!(["processing", "ready", "failed"]));
    assert_eq!(to_json(MediaStats::new(2, 30)), json!({ "count": 2, "bytes": 30 }));
}

#[test]
fn a_failed_record_names_its_reason_in_json() {
    for (reason, name) in [
        (FailureReason::Unreadable, "unreadable"),
        (FailureReason::TooLarge, "too_large"),
        (FailureReason::Unsupported, "unsupported"),
        (FailureReason::TimedOut, "timed_out"),
    ] {
        let mut media = bare();
        media.failure_reason = Some(reason);
        assert_eq!(to_json(&media)["failureReason"], name);
        assert_eq!(to_json(media.for_owner())["failureReason"], name);
        assert_eq!((reason.as_str(), reason.to_string()), (name, name.to_owned()));
    }
}
