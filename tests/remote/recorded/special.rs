//! Tests with several exchanges, or with a modified one.

use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use tower_media::{
    ErrorKind, MediaId, MediaState, Owner, Remote, Rendition, Upload,
    backend::MediaBackend as _,
    media::{Format, ListOptions, MediaStats, SearchOptions, Transform, Variant},
};

use super::{expected::kind, patient};
use crate::wire::{Answer, Exchange, Service, picture, recorded};

fn owner(subject: &str) -> Owner {
    Owner::new(subject).unwrap()
}

fn id(text: &str) -> MediaId {
    MediaId::from_trusted(text).unwrap()
}

/// The id in a recorded path.
fn id_in(exchange: &Exchange) -> MediaId {
    id(exchange.request.path.split('/').nth(4).unwrap())
}

async fn serving(exchanges: impl IntoIterator<Item = Exchange>) -> (Service, Remote) {
    let service = Service::with(exchanges).await;
    let remote = patient(&service).build().unwrap();
    (service, remote)
}

fn with_file_name(mut exchange: Exchange, name: &str) -> Exchange {
    let mut parts = exchange.request.form.iter_mut().flatten();
    parts.find(|part| part.value.is_none()).unwrap().filename = Some(name.to_owned());
    exchange
}

#[tokio::test]
async fn r03_lost_race_of_equal_uploads_is_retried() {
    for seq in [2, 4] {
        let mut race = recorded("race", seq);
        race.answers.sort_by_key(|answer| std::cmp::Reverse(answer.status));
        let lost = race.answers.iter().rposition(|answer| answer.status == 500).unwrap();
        race.answers.drain(..lost);
        assert_eq!(race.answers[1].status, 201);
        let service = Service::with([race.clone()]).await;
        let remote = Remote::new(&service.url).unwrap();
        let subject = if seq == 2 { "racer-2" } else { "racer-8" };
        let upload = Upload::new("once").scope("race");
        let media = remote.upload(&owner(subject), upload.file_name("race.bin")).await.unwrap();
        assert_eq!(media.file_name.as_deref(), Some("race.bin"));
        assert_eq!(service.asked(), [2]);
    }
}

#[tokio::test]
async fn r03_streamed_upload_is_not_retried() {
    let mut race = recorded("race", 2);
    race.answers.retain(|answer| answer.status == 500);
    let service = Service::with([race]).await;
    let remote = Remote::new(&service.url).unwrap();
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>("once".into())]);
    let upload = Upload::from_stream(stream).scope("race");
    let media = remote.upload(&owner("racer-2"), upload.file_name("race.bin")).await;
    assert_eq!(kind(&media), Some(ErrorKind::Unavailable));
    assert_eq!(service.asked(), [1]);
}

#[tokio::test]
async fn file_name_is_sent_as_ascii_with_its_extension() {
    for (seq, given, sent) in [
        (80, "größe-日本-🐢.txt", "gr__e-__-_.txt"),
        (81, "größe.txt", "gr__e.txt"),
        (83, "../../etc/passwd", "passwd"),
        (85, r"C:\dir\name.txt", "name.txt"),
        (87, "a b+c%20d.txt", "a b+c_20d.txt"),
        (89, r#"a"b.txt"#, "a_b.txt"),
        (78, "", ""),
    ] {
        let mut exchange = with_file_name(recorded("upload", seq), sent);
        exchange.answers = recorded("upload", 57).answers;
        let (service, remote) = serving([exchange]).await;
        let upload = Upload::new("text").scope("test");
        // The response is that to another file, so the hash differs.
        let media = remote.upload(&owner("user-types"), upload.file_name(given)).await;
        assert_eq!(kind(&media), Some(ErrorKind::Integrity), "{given}");
        assert_eq!((service.asked(), service.strays()), (vec![1], vec![]), "{given}");
    }
}

#[tokio::test]
async fn upload_form_has_its_fields_before_its_file() {
    let (service, remote) = serving([recorded("upload", 1)]).await;
    let upload = Upload::new(picture("exif-gps.jpg")).file_name("exif-gps.jpg");
    let upload = upload.content_type("text/html").scope("test");
    let media = remote.upload(&owner("user-a"), upload).await.unwrap();
    assert_eq!(media.size, 4667);

    let body = service.bodies().remove(0);
    let file = picture("exif-gps.jpg");
    let at = body.windows(file.len()).position(|window| *window == file).unwrap();
    let head = std::str::from_utf8(&body[..at]).unwrap();
    let boundary = head.lines().next().unwrap();
    let part = |disposition: &str| {
        format!("{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n")
    };
    let expected = [
        part(r#"name="app""#) + "\r\ntest\r\n",
        part(r#"name="userId""#) + "\r\nuser-a\r\n",
        part(r#"name="file"; filename="exif-gps.jpg""#) + "\r\n",
    ];
    assert_eq!(head, expected.concat());
    let tail = std::str::from_utf8(&body[at + file.len()..]).unwrap();
    assert_eq!(tail.trim_end(), format!("\r\n{boundary}--"));
}

#[tokio::test]
async fn converted_heic_may_have_another_hash() {
    // Detected by its bytes, or by its name.
    for (bytes, name) in [(picture("quad.heic"), "photo"), ("cut".into(), "IMG_0001.HEIC")] {
        let (service, remote) = serving([with_file_name(recorded("upload", 177), name)]).await;
        let upload = Upload::new(bytes).scope("test");
        let media = remote.upload(&owner("user-types"), upload.file_name(name)).await.unwrap();
        assert_eq!(media.mime_type, "image/jpeg");
        assert_eq!(service.asked(), [1]);
    }
    let (_service, remote) = serving([with_file_name(recorded("upload", 177), "photo")]).await;
    let upload = Upload::new("no heic").scope("test");
    let media = remote.upload(&owner("user-types"), upload.file_name("photo")).await;
    assert_eq!(kind(&media), Some(ErrorKind::Integrity));
}

#[tokio::test]
async fn broken_heic_is_not_retried() {
    let service = Service::with([recorded("upload", 183)]).await;
    let remote = Remote::new(&service.url).unwrap();
    let upload = Upload::new("broken").scope("test");
    let media = remote.upload(&owner("user-types"), upload.file_name("broken.heic")).await;
    assert_eq!(kind(&media), Some(ErrorKind::Failed));
    assert_eq!(service.asked(), [1]);
}

#[tokio::test]
async fn wait_until_ready_polls_until_processed() {
    let mut get = recorded("upload", 2);
    get.answers.extend(recorded("upload", 3).answers);
    let media = id_in(&get);
    let (service, remote) = serving([get]).await;
    let state = MediaState::new(remote);
    let media = state.wait_until_ready(&media, Duration::from_secs(10)).await.unwrap();
    let metadata = media.metadata.expect("a processed image has metadata");
    assert!(media.exif.is_some() && metadata.width > 0 && metadata.format.is_some());
    assert_eq!(service.asked(), [2]);
}

#[tokio::test]
async fn wait_until_ready_ends_at_failed_processing() {
    let get = recorded("upload", 164);
    let media = id_in(&get);
    let (_service, remote) = serving([get]).await;
    let media = MediaState::new(remote).wait_until_ready(&media, Duration::from_secs(10)).await;
    assert_eq!(kind(&media), Some(ErrorKind::Failed));
}

#[tokio::test]
async fn p05_original_in_place_of_a_variant_is_not_found() {
    // The record names the variant, yet a JPEG comes.
    let file = recorded("file", 27);
    let mut record = recorded("setup-delivery", 40);
    let text = record.answers[0].text.as_mut().unwrap();
    *text = text.replace(r#""thumbnail":"#, r#""medium":"x","thumbnail":"#);
    let media = id_in(&file);
    let (service, remote) = serving([file, record]).await;
    let download = remote.download(&media, &Variant::Medium.into()).await;
    assert_eq!(kind(&download), Some(ErrorKind::NotFound));
    assert_eq!(service.asked(), [1, 1]);
}

#[tokio::test]
async fn p05_transform_of_another_type_is_unexpected() {
    let mut transform = recorded("transform", 66);
    transform.answers[0].content_type = Some("application/octet-stream".to_owned());
    let media = id_in(&transform);
    let (_service, remote) = serving([transform]).await;
    let png = Transform::new().with_width(400).with_format(Format::Png);
    let download = remote.download(&media, &png.into()).await;
    assert_eq!(kind(&download), Some(ErrorKind::Unexpected));
}

#[tokio::test]
async fn g10_uuid_in_another_spelling_is_not_found_unsent() {
    let (service, remote) = serving([]).await;
    for seq in [5, 6] {
        let media = id_in(&recorded("get", seq));
        assert_eq!(kind(&remote.get(&media).await), Some(ErrorKind::NotFound));
        let download = remote.download(&media, &Rendition::Original.into()).await;
        assert_eq!(kind(&download), Some(ErrorKind::NotFound));
    }
    assert_eq!(service.strays(), [""; 0]);
}

#[tokio::test]
async fn lost_bytes_and_unknown_ids_have_different_texts() {
    let mut texts = Vec::new();
    for (topic, seq) in [("outage", 5), ("lost-object", 1), ("file", 22)] {
        let file = recorded(topic, seq);
        let media = id_in(&file);
        let (_service, remote) = serving([file]).await;
        let error = remote.download(&media, &Rendition::Original.into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        texts.push(error.to_string());
    }
    assert_eq!(texts[0], texts[1], "an outage of the store and a lost file look alike");
    assert_ne!(texts[0], texts[2]);
}

/// The list of nine records as two pages of five.
fn two_pages() -> [Exchange; 2] {
    let mut first = recorded("list-all", 3);
    let text = first.answers[0].text.take().unwrap();
    let mut list: serde_json::Value = serde_json::from_str(&text).unwrap();
    list["items"].as_array_mut().unwrap().truncate(5);
    list["hasMore"] = true.into();
    first.answers[0].text = Some(list.to_string());
    first.request.query = Some("userId=lister&limit=5".to_owned());
    [first, recorded("list-all", 52)]
}

#[tokio::test]
async fn pages_are_followed_to_the_last() {
    let (service, remote) = serving(two_pages()).await;
    let owner = owner("lister");
    let pages: Vec<_> =
        remote.pages(&owner, SearchOptions::new().with_limit(5)).try_collect().await.unwrap();
    let counts: Vec<_> = pages.iter().map(|page| page.items.len()).collect();
    assert_eq!(counts, [5, 4]);

    let options = ListOptions::new().with_limit(5);
    let page = remote.list(&owner, &options).await.unwrap();
    assert_eq!(page.items, pages[0].items);
    let page = remote.list(&owner, &options.clone().with_after(page.next.unwrap())).await.unwrap();
    assert_eq!((&page.items, page.next), (&pages[1].items, None));
    assert_eq!((service.asked(), service.strays()), (vec![2, 2], vec![]));

    for unknown in ["0", "05", "-1", "x", ""] {
        let page = remote.list(&owner, &options.clone().with_after(unknown)).await;
        assert_eq!(kind(&page), Some(ErrorKind::InvalidInput), "{unknown}");
    }
}

#[tokio::test]
async fn statistics_are_counted_from_lists() {
    let mut all = recorded("list-all", 3);
    all.request.query = Some("userId=lister&limit=500".to_owned());
    let list: serde_json::Value =
        serde_json::from_str(all.answers[0].text.as_ref().unwrap()).unwrap();
    let items = list["items"].as_array().unwrap();
    let bytes = items.iter().map(|item| item["size"].as_u64().unwrap()).sum();
    let (_service, remote) = serving([all]).await;
    let stats = remote.stats(&owner("lister")).await.unwrap();
    assert_eq!(stats, MediaStats::new(9, bytes));
}

#[tokio::test]
async fn with_to_excludes_a_record_of_the_same_millisecond() {
    // The service compares microseconds and shows milliseconds.
    let (_service, remote) = serving([recorded("list-all", 3), recorded("list-all", 34)]).await;
    let owner = owner("lister");
    let all = remote.list_all(&owner, &SearchOptions::new()).await.unwrap().items;
    let time: jiff::Timestamp = "2026-11-22T14:40:27.578Z".parse().unwrap();
    let time = SystemTime::from(time);
    assert!(all.iter().any(|media| media.created_at == time));
    let until = remote.list_all(&owner, &SearchOptions::new().with_to(time)).await.unwrap().items;
    assert!(!until.is_empty() && until.iter().all(|media| media.created_at < time));
}

#[tokio::test]
async fn missing_content_type_is_octet_stream() {
    let mut file = recorded("file", 21);
    file.answers = vec![Answer { status: 200, length: 20, ..Answer::default() }];
    let media = id_in(&file);
    let (_service, remote) = serving([file]).await;
    let download = remote.download(&media, &Rendition::Original.into()).await.unwrap();
    assert_eq!(download.content_type(), "application/octet-stream");
}
