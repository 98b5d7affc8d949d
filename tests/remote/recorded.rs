//! Replays every recorded exchange that this client makes, and checks its result.

mod call;
mod expected;
mod not_sent;
mod special;

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tower_media::{
    ErrorKind, MediaId, MediaState, Owner, Remote, Rendition, Scopes, UnverifiedId, Upload,
    backend::MediaBackend as _,
    media::{DownloadOptions, Variant},
};

use self::{
    call::{Call, call},
    expected::{kind, list, owned_ids, record},
    not_sent::not_sent,
};
use crate::wire::{Answer, Exchange, Service, recorded, recording};

macro_rules! replay {
    ($($test:ident $topic:literal $lines:literal;)*) => {$(
        #[tokio::test]
        async fn $test() {
            replay($topic, $lines).await;
        }
    )*};
}

// The numbers of lines in the original recordings, so that no line is lost.
replay! {
    config "config" 14;
    delete "delete" 18;
    file "file" 68;
    get "get" 23;
    hash "hash" 11;
    health "health" 4;
    legacy "legacy" 9;
    limits "limits" 16;
    list_by_owner "list" 35;
    list_all "list-all" 86;
    lost_object "lost-object" 10;
    metrics "metrics" 1;
    misc "misc" 17;
    outage "outage" 65;
    race "race" 4;
    setup_delivery "setup-delivery" 78;
    setup_lists "setup-lists" 15;
    slow_transform "slow-transform" 6;
    stats "stats" 3;
    transform "transform" 228;
    transitions "transitions" 18;
    upload "upload" 183;
    upload_types "upload-types" 57;
}

/// Makes every call of a recording. The other requests must be those in `not_sent`.
async fn replay(topic: &str, lines: usize) {
    let exchanges = recording(topic);
    assert_eq!(exchanges.len(), lines);
    let service = Service::start().await;
    let remote = patient(&service).build().unwrap();
    let mut others = Vec::new();
    for exchange in &exchanges {
        match call(&exchange.request) {
            Some(call) => {
                let line = Line { topic, exchange, service: &service, remote: &remote };
                line.make(call).await;
            }
            None => others.push(exchange.seq),
        }
    }
    assert_eq!(others, not_sent(topic), "{topic}");
}

/// A client without retries and cache.
fn patient(service: &Service) -> tower_media::remote::RemoteBuilder {
    Remote::builder(&service.url).retries(0).max_staleness(Duration::ZERO)
}

struct Line<'a> {
    topic: &'a str,
    exchange: &'a Exchange,
    service: &'a Service,
    remote: &'a Remote,
}

impl Line<'_> {
    async fn make(&self, call: Call) {
        self.service.serve([self.exchange.clone()]);
        let Some(answer) = self.exchange.answers.first() else { panic!("{self}: no response") };
        let hasty;
        let remote = if answer.silent {
            hasty = patient(self.service).request_timeout(Duration::from_millis(100));
            &hasty.build().unwrap()
        } else {
            self.remote
        };
        let mut asked = vec![1];
        match call {
            Call::Health => {
                remote.health().await.unwrap();
            }
            Call::Get(id) => self.is_record(answer, remote.get(&id).await, Some(&id)),
            Call::ByHash(hash) => match remote.find_by_hash(hash).await {
                Ok(None) => assert_eq!(answer.status, 404, "{self}"),
                found => {
                    assert_ne!(answer.status, 404, "{self}: an unknown hash is not an error");
                    self.is_record(answer, found.map(Option::unwrap), None);
                }
            },
            Call::Download(id, options) => match options.rendition() {
                Rendition::Variant(variant) => {
                    asked = self.is_variant(remote, &id, variant, answer).await;
                }
                _ => self.is_body(remote, &id, options, answer).await,
            },
            Call::Delete(id) => asked = self.is_deleted(remote, &id, answer).await,
            Call::Owned(owner, scopes, limit) => {
                asked = self.is_owned(&owner, &scopes, limit, answer).await;
            }
            Call::SearchOptions(owner, options) => {
                let page = remote.list_all(&owner, &options).await;
                assert_eq!(kind(&page), expected::failure(answer, None), "{self}");
                if let Ok(page) = page {
                    assert_eq!(expected::page(&page), list(answer), "{self}");
                }
            }
            Call::Upload { owner, scope, file_name, length, streamed, skips_processing } => {
                let bytes = Bytes::from(vec![b'u'; length]);
                let upload = if streamed {
                    let (first, rest) = (bytes.slice(..7), bytes.slice(7..));
                    Upload::from_stream(stream::iter([Ok::<_, std::io::Error>(first), Ok(rest)]))
                } else {
                    Upload::new(bytes)
                };
                let mut upload = upload.scope(scope).file_name(file_name);
                if skips_processing {
                    upload = upload.skip_processing();
                }
                let mut answer = answer.clone();
                // The bytes are not recorded, so other bytes with another hash are sent.
                let hash = tower_media::media::ContentHash::of(&vec![b'u'; length]).to_string();
                let file = self.exchange.request.form.iter().flatten();
                for part in file.filter(|part| !part.sha256.is_empty()) {
                    answer.text = answer.text.map(|text| text.replace(&part.sha256, &hash));
                }
                let media = remote.upload(&owner, upload).await;
                match expected::upload_failure(&answer) {
                    Some(expected) => assert_eq!(kind(&media), Some(expected), "{self}"),
                    None => self.is_record(&answer, media, None),
                }
            }
        }
        assert_eq!(self.service.asked(), asked, "{self}");
        assert_eq!(self.service.strays(), [""; 0], "{self}");
    }

    fn is_record(
        &self,
        answer: &Answer,
        media: tower_media::Result<tower_media::Media>,
        id: Option<&MediaId>,
    ) {
        assert_eq!(kind(&media), expected::failure(answer, id), "{self}");
        if let Ok(media) = media {
            assert_eq!(serde_json::to_value(media.for_owner()).unwrap(), record(answer), "{self}");
            let public = serde_json::to_value(&media).unwrap();
            assert_eq!(public.get("exif"), None, "{self}: EXIF is for the owner");
        }
    }

    async fn is_body(
        &self,
        remote: &Remote,
        id: &MediaId,
        options: DownloadOptions,
        answer: &Answer,
    ) {
        let download = remote.download(id, &options).await;
        assert_eq!(kind(&download), expected::failure(answer, Some(id)), "{self}");
        let Ok(download) = download else { return };
        let content_type = answer.content_type.as_deref().filter(|text| !text.is_empty());
        assert_eq!(download.content_type(), content_type.unwrap_or("application/octet-stream"));
        let bytes = answer.bytes();
        let length = (!answer.chunked).then_some(bytes.len() as u64);
        assert_eq!(download.length(), length, "{self}");
        // The original service ignores ranges.
        assert_eq!(download.part(), None, "{self}");
        assert!(download.into_bytes(bytes.len()).await.unwrap() == bytes, "{self}");
    }

    /// A variant is requested only if the record names it, because the service would send the original.
    async fn is_variant(
        &self,
        remote: &Remote,
        id: &MediaId,
        variant: Variant,
        answer: &Answer,
    ) -> Vec<usize> {
        let known = self.record_of(id);
        let said = &known.answers[0];
        self.service.serve([self.exchange.clone(), known.clone()]);
        let there = said.status == 200 && {
            let urls = &record(said)["urls"];
            let name = if variant == Variant::Thumbnail { "thumbnail" } else { variant.as_str() };
            urls.get(name).is_some()
        };
        if there {
            self.is_body(remote, id, variant.into(), answer).await;
            return vec![1, 1];
        }
        let expected = expected::failure(said, Some(id)).unwrap_or(ErrorKind::NotFound);
        let download = remote.download(id, &variant.into()).await;
        assert_eq!(kind(&download), Some(expected), "{self}");
        vec![0, 1]
    }

    /// The record at the time of this line.
    fn record_of(&self, id: &MediaId) -> Exchange {
        let mut before = recording(self.topic);
        let after = before.split_off(self.exchange.seq);
        before.reverse();
        let elsewhere = ["setup-delivery", "config", "get"].into_iter().flat_map(recording);
        let all = before.into_iter().chain(after).chain(elsewhere);
        let mut known = all
            .filter(|exchange| matches!(call(&exchange.request), Some(Call::Get(of)) if of == *id));
        known.next().unwrap_or_else(|| panic!("{self}: no record of {id:?}"))
    }

    /// The recorded deletions have no owner; ours check the ownership first.
    async fn is_deleted(&self, remote: &Remote, id: &MediaId, answer: &Answer) -> Vec<usize> {
        let owner = Owner::new("owner").unwrap();
        let mut list = recorded("delete", 12);
        list.request.query = Some("userId=owner&limit=500".to_owned());
        let nothing = list.answers[0].clone();
        list.answers =
            vec![Answer::json(200, format!(r#"[{{"id":"{id}","status":"ready"}}]"#)), nothing];
        self.service.serve([self.exchange.clone(), list]);
        let deleted = remote.delete(&owner, id).await.unwrap();
        assert_eq!(deleted, answer.status == 200, "{self}");
        assert!(!remote.delete(&owner, id).await.unwrap(), "{self}: not owned");
        vec![1, 2]
    }

    /// Every row of a list is owned, whatever its status. Other ids are not owned only if the service's
    /// count equals that of the list; here it is one more if the list was full.
    async fn is_owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        limit: usize,
        answer: &Answer,
    ) -> Vec<usize> {
        let media = MediaState::new(patient(self.service).max_rows(limit).build().unwrap());
        let full = expected::failure(answer, None).is_none() && owned_ids(answer).len() >= limit;
        self.service.serve([self.exchange.clone(), count(owner, scopes, answer, full.into())]);
        let unverified = |id: &str| UnverifiedId::parse(id).unwrap();
        let absent = unverified("00000000-0000-4000-8000-000000000000");
        let absence = media.verify(owner, scopes.clone(), [absent]).await.unwrap_err();
        if let Some(failure) = expected::failure(answer, None) {
            assert_eq!(absence.kind(), failure, "{self}");
            return vec![1, 0];
        }
        let rows = owned_ids(answer);
        let refusal = if full { ErrorKind::Unavailable } else { ErrorKind::NotOwned };
        assert_eq!(absence.kind(), refusal, "{self}");
        if rows.is_empty() {
            return vec![1, 0];
        }
        let ids = rows.iter().map(|id| unverified(id));
        media.verify(owner, scopes.clone(), ids).await.unwrap();
        vec![2, 1]
    }
}

/// The service's count: the distinct ready rows of a list, plus `more`. The recordings do not contain
/// both requests at one moment, so the count is made up.
fn count(owner: &Owner, scopes: &Scopes, listed: &Answer, more: usize) -> Exchange {
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(listed.text.as_deref().unwrap_or_default()).unwrap_or_default();
    let ready = rows.iter().filter(|row| row["status"] == "ready");
    let ids: std::collections::BTreeSet<_> = ready.map(|row| row["id"].as_str()).collect();
    let total = ids.len() + more;
    let mut exchange = recorded("list-all", 3);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("userId", owner.subject()).append_pair("limit", "1");
    for scope in scopes.as_slice().unwrap_or_default() {
        query.append_pair("apps", scope.as_str());
    }
    exchange.request.query = Some(query.finish());
    let page = serde_json::json!({"items": [], "total": total, "hasMore": more > 0});
    exchange.answers = vec![Answer::json(200, page.to_string())];
    exchange
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.topic, self.exchange.seq, self.exchange.name)
    }
}
