//! EXIF data in the texts of the media protocol, without the faults of the recorded service.

use serde_json::{Value, json};

use crate::{
    fixture, images,
    made::{Container, exif, quad},
};

async fn read(bytes: impl Into<bytes::Bytes>) -> Value {
    let (_, exif) = images().read(bytes).await.unwrap().unwrap();
    serde_json::to_value(exif).unwrap()
}

#[tokio::test]
async fn exif_has_the_texts_of_the_protocol() {
    for (name, expected) in [
        (
            "exif-gps.jpg",
            json!({
                "cameraMake": "Canon",
                "cameraModel": "EOS Test 5D",
                "dateTaken": "2024-03-15T14:30:45.000Z",
                "focalLength": "50mm",
                "aperture": "2.8",
                "iso": 400,
                "exposureTime": "1/250",
                "gpsLatitude": "47.6603",
                "gpsLongitude": "9.175799999999999",
            }),
        ),
        (
            "exif-createdate-only.jpg",
            json!({ "dateTaken": "2022-01-02T03:04:05.000Z", "iso": 100, "exposureTime": "1/3" }),
        ),
        (
            "exif-utf8.jpg",
            json!({
                "cameraMake": "Größe 日本",
                "cameraModel": "Latin \u{FFFD}",
                "dateTaken": "2020-06-07T08:09:10.000Z",
            }),
        ),
        ("exif-gps-zero.jpg", json!({ "gpsLatitude": "0", "gpsLongitude": "0" })),
        ("exif-gps-noref.jpg", json!({ "gpsLatitude": "10.5", "gpsLongitude": "20.25" })),
        ("orientation-6.jpg", json!({ "cameraMake": "Orient" })),
    ] {
        assert_eq!(read(fixture(name)).await, expected, "{name}");
    }
    for (name, exposure) in [
        ("exif-exposure-1-1.jpg", "1s"),
        ("exif-exposure-5-2.jpg", "2.5s"),
        ("exif-exposure-7-10.jpg", "1/1"),
        ("exif-exposure-10-600.jpg", "1/60"),
        ("exif-exposure-1-8000.jpg", "1/8000"),
    ] {
        let exif = read(fixture(name)).await;
        assert_eq!(exif["exposureTime"], exposure, "{name}");
        assert_eq!((&exif["aperture"], &exif["focalLength"]), (&json!("11"), &json!("26mm")));
    }
}

#[tokio::test]
async fn dates_use_the_offset_of_the_file_or_utc() {
    let exif = read(fixture("exif-offset-sw.jpg")).await;
    assert_eq!(exif["dateTaken"], "2023-12-31T21:59:59.123Z");
    assert_eq!(exif["gpsLatitude"], "-33.8568");
    assert_eq!(exif["gpsLongitude"], "-70.6483");
    assert_eq!((&exif["focalLength"], &exif["exposureTime"]), (&json!("4.25mm"), &json!("2s")));
}

#[tokio::test]
async fn impossible_exif_values_are_left_out() {
    assert_eq!(
        read(fixture("exif-odd.jpg")).await,
        json!({ "cameraMake": "Odd", "cameraModel": "spaced", "focalLength": "16.666666666666668mm" })
    );
    assert_eq!(read(fixture("exif-zero-date.jpg")).await, json!({ "cameraMake": "ZeroDate" }));
    assert_eq!(read(fixture("exif-gps-lat-only.jpg")).await, Value::Null);
}

#[tokio::test]
async fn a_nul_ends_an_exif_text() {
    assert_eq!(
        read(fixture("exif-nul.jpg")).await,
        json!({
            "cameraMake": "Nul",
            "cameraModel": "NulModel",
            "dateTaken": "2021-05-06T07:08:09.000Z",
        })
    );
}

#[tokio::test]
async fn a_single_field_makes_exif_present() {
    assert_eq!(
        read(fixture("exif-model-only.jpg")).await,
        json!({ "cameraModel": "ModelOnly", "iso": 200, "aperture": "5.6" })
    );
    assert_eq!(read(fixture("quad-noexif.jpg")).await, Value::Null);
    assert_eq!(read(fixture("exif-date-only.jpg")).await, Value::Null, "ModifyDate is not used");
}

#[tokio::test]
async fn exif_is_read_from_every_container() {
    let expected = json!({
        "cameraMake": "PngMake",
        "cameraModel": "PngModel",
        "dateTaken": "2021-02-03T04:05:06.000Z",
        "gpsLatitude": "1.5",
        "gpsLongitude": "2.5",
    });
    for name in ["exif.png", "exif.webp"] {
        assert_eq!(read(fixture(name)).await, expected, "{name}");
    }
    for container in [Container::Jpeg, Container::Png, Container::WebP] {
        let exif = read(container.write(&quad(8, 8), &exif(1))).await;
        assert_eq!(exif["gpsLatitude"], "47.6603", "{container:?}");
    }
}

#[tokio::test]
async fn broken_exif_does_not_affect_the_pixels() {
    for exif in [&b""[..], b"II*\0\xFF\xFF\xFF\xFF", b"MM\0*\0\0\0\x08\xFF\xFF", b"nonsense"] {
        let picture = Container::Jpeg.write(&quad(8, 8), exif);
        assert_eq!(read(picture).await, Value::Null);
    }
}
