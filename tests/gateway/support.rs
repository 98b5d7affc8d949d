//! A store over a prefix of its own in the bucket of `.ci/gateway`.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    ObjectMeta, ObjectStore, aws::AmazonS3Builder, prefix::PrefixStore, signer::Signer,
};
use tempfile::TempDir;
use tower_media::{
    Media, MediaId, Owner, Rendition, Result, Store, Upload,
    backend::{ImageLimits, MediaBackend},
    store::StoreBuilder,
};

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `.ci/gateway`"))
}

/// The address of the gateway.
pub fn address() -> SocketAddr {
    env("AWS_ENDPOINT_URL").strip_prefix("http://").unwrap().parse().unwrap()
}

/// A prefix of the bucket, and a folder for the database.
pub struct Bucket {
    prefix: String,
    pub folder: TempDir,
}

impl Bucket {
    pub fn new() -> Self {
        Self { prefix: MediaId::random().to_string(), folder: tempfile::tempdir().unwrap() }
    }

    pub fn url(&self) -> String {
        format!("s3://{}/{}", env("TOWER_MEDIA_TEST_BUCKET"), self.prefix)
    }

    pub fn builder(&self) -> StoreBuilder {
        let limits = ImageLimits::new().with_timeout(Duration::from_secs(120));
        Store::builder().image_limits(limits).bucket(self.url()).grace(Duration::ZERO)
    }

    pub async fn open(&self) -> Store {
        self.builder().open(self.folder.path()).await.unwrap()
    }

    /// The objects under the prefix, without the store in between.
    pub fn objects(&self) -> PrefixStore<impl ObjectStore + Signer> {
        PrefixStore::new(client(), self.prefix.as_str())
    }

    pub async fn list(&self, below: &str) -> Vec<ObjectMeta> {
        self.objects().list(Some(&below.into())).boxed().try_collect().await.unwrap()
    }
}

/// A client of the bucket.
pub fn client() -> impl ObjectStore + Signer {
    AmazonS3Builder::from_env().with_bucket_name(env("TOWER_MEDIA_TEST_BUCKET")).build().unwrap()
}

pub fn owner(name: &str) -> Owner {
    Owner::new(name).unwrap()
}

pub fn upload(bytes: impl Into<Bytes>) -> Upload {
    Upload::new(bytes).scope("me")
}

/// A body that is not kept in memory.
pub fn stream(bytes: Bytes) -> Upload {
    let chunks: Vec<_> = bytes.chunks(100_000).map(|chunk| bytes.slice_ref(chunk)).collect();
    let chunks = futures_util::stream::iter(chunks).map(Ok::<_, tower_media::Error>);
    Upload::from_stream(chunks).scope("me")
}

/// Bytes that are not equal part for part.
pub fn noise(length: usize) -> Bytes {
    let mut state = length as u64;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub fn picture(name: &str) -> Bytes {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/");
    std::fs::read(format!("{folder}{name}")).unwrap().into()
}

pub async fn keep(store: &Store, bytes: impl Into<Bytes>) -> Media {
    store.upload(&owner("ana"), upload(bytes)).await.unwrap()
}

pub async fn read(store: &Store, id: &MediaId, what: impl Into<Rendition>) -> Result<Bytes> {
    store.download(id, &what.into().into()).await?.into_bytes(1 << 30).await
}
