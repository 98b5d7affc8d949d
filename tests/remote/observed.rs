//! G16: calls of the service are counted, with bounded labels.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tower_media::{
    Ownership as _, OwnershipQuestion, Remote, Rendition, Upload, backend::MediaBackend as _,
};

use super::{
    ownership::{owner, scope},
    service::Service,
};

#[test]
fn g16_queries_cache_hits_and_bytes_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let service = Service::with_owned_route().await;
            let remote = Remote::builder(&service.url)
                .max_staleness(Duration::from_secs(3_600))
                .build()
                .unwrap();
            let ana = owner("ana");
            let upload = Upload::new(Bytes::from_static(b"content")).scope("me");
            let stored = remote.upload(&ana, upload).await.unwrap();
            let (me, ids) = (scope("me"), [stored.id.clone()]);
            let question = OwnershipQuestion::new(&ana, &me, &ids);
            for _ in 0..3 {
                assert_eq!(remote.owned(&question).await.unwrap(), ids);
            }
            let download = remote.download(&stored.id, &Rendition::Original.into()).await.unwrap();
            assert_eq!(download.into_bytes(100).await.unwrap(), "content");
        });
    });

    let mut counted = BTreeMap::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        let labels = key.key().labels().map(|label| label.value().to_owned());
        let name = [key.key().name().to_owned()].into_iter().chain(labels).collect::<Vec<_>>();
        let DebugValue::Counter(count) = value else { panic!("{name:?} is not a counter") };
        counted.insert(name.join(" "), count);
    }
    let counted: Vec<_> = counted.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(
        counted,
        [
            ("tower_media_ownership_checks_total cached", 2),
            ("tower_media_ownership_checks_total queried", 1),
            ("tower_media_ownership_queries_total", 1),
            ("tower_media_remote_bytes_total down", 7),
            ("tower_media_remote_bytes_total up", 7),
        ]
    );
}
