//! Object store with switchable faults.

use std::{fmt, sync::Arc};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory,
    path::Path,
};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(dead_code, reason = "used by several tests, each of which has its own faults")]
pub enum Fault {
    #[default]
    None,
    /// Answers 500.
    Errs,
    /// Does not answer.
    Hangs,
    /// Refuses to store more than this number of bytes.
    Full { capacity: u64 },
    /// Blocks access to renditions until the fault is lifted.
    HoldsRenditions,
    /// Blocks puts until the fault is lifted.
    HoldsPuts,
    /// Blocks deletes until the fault is lifted.
    HoldsDeletes,
    /// Delays puts and deletes at random. Some fail, and of these some are applied later nevertheless.
    Interleaves,
}

/// What happens to a put or delete.
enum Fate {
    Applied,
    Lost,
    Late,
}

/// Objects in memory behind a switchable fault.
#[derive(Debug, Clone, Default)]
pub struct FaultyStore {
    objects: Arc<InMemory>,
    fault: Arc<watch::Sender<Fault>>,
    /// The calls that are blocked, or that are yet to be applied.
    held: Arc<watch::Sender<usize>>,
}

/// Counts a call as held until dropped.
struct Held(Arc<watch::Sender<usize>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|held| *held -= 1);
    }
}

impl FaultyStore {
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    fn fault(&self) -> Fault {
        *self.fault.borrow()
    }

    async fn pass(&self, key: &Path) -> Result<()> {
        match self.fault() {
            Fault::None => Ok(()),
            Fault::Errs => Err(broken()),
            Fault::Hangs => std::future::pending().await,
            Fault::HoldsRenditions if key.as_ref().starts_with("renditions/") => {
                self.hold(Fault::HoldsRenditions).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Blocks until the fault is lifted.
    async fn hold(&self, fault: Fault) {
        let _held = self.count_held();
        let mut current = self.fault.subscribe();
        current.wait_for(|current| *current != fault).await.expect("the sender is here");
    }

    fn count_held(&self) -> Held {
        self.held.send_modify(|held| *held += 1);
        Held(self.held.clone())
    }

    /// Waits until this number of calls is blocked or yet to be applied.
    #[allow(dead_code, reason = "used by one of several tests")]
    pub async fn until_held(&self, number: usize) {
        self.held.subscribe().wait_for(|held| *held == number).await.expect("the sender is here");
    }

    /// Delays a put or delete by some turns of the scheduler.
    async fn interleave(&self) -> Fate {
        if self.fault() != Fault::Interleaves {
            return Fate::Applied;
        }
        turns(30).await;
        match rand::random_range(0..12) {
            0 => Fate::Lost,
            1 | 2 => Fate::Late,
            _ => Fate::Applied,
        }
    }

    /// Deletes one object.
    async fn delete_one(&self, key: Path) -> Result<Path> {
        match self.fault() {
            Fault::Errs => return Err(broken()),
            Fault::Hangs => std::future::pending().await,
            Fault::HoldsDeletes => self.hold(Fault::HoldsDeletes).await,
            _ => {}
        }
        let objects = self.objects.clone();
        let delete = |key| objects.delete_stream(stream::iter([Ok(key)]).boxed()).try_collect();
        match self.interleave().await {
            Fate::Lost => Err(broken()),
            Fate::Applied => delete(key.clone()).await.map(|_: Vec<_>| key),
            Fate::Late => {
                let (held, delete) = (self.count_held(), delete(key));
                tokio::spawn(async move {
                    let _held = held;
                    turns(300).await;
                    let _: Result<Vec<_>> = delete.await;
                });
                Err(broken())
            }
        }
    }

    /// The number of bytes of all objects.
    #[allow(dead_code, reason = "used by one of several tests")]
    pub fn used(&self) -> u64 {
        let objects = self.objects.list(None).map(|found| found.map_or(0, |found| found.size));
        let sum = objects.fold(0, |sum, size| async move { sum + size });
        sum.now_or_never().expect("objects in memory")
    }

    fn reserve(&self, bytes: u64) -> Result<()> {
        match self.fault() {
            Fault::Full { capacity } if self.used() + bytes > capacity => Err(Error::Generic {
                store: "faulty",
                source: std::io::Error::from(std::io::ErrorKind::StorageFull).into(),
            }),
            _ => Ok(()),
        }
    }
}

/// Yields up to this number of times.
async fn turns(max: usize) {
    for _ in 0..rand::random_range(0..max) {
        tokio::task::yield_now().await;
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "500 from https://key:secret@store".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        key: &Path,
        body: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.pass(key).await?;
        if self.fault() == Fault::HoldsPuts {
            self.hold(Fault::HoldsPuts).await;
        }
        self.reserve(body.content_length() as u64)?;
        match self.interleave().await {
            Fate::Lost => Err(broken()),
            Fate::Applied => self.objects.put_opts(key, body, options).await,
            Fate::Late => {
                let (held, objects, key) = (self.count_held(), self.objects.clone(), key.clone());
                tokio::spawn(async move {
                    let _held = held;
                    turns(300).await;
                    let _ = objects.put_opts(&key, body, options).await;
                });
                Err(broken())
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.pass(key).await?;
        self.reserve(10 << 20)?;
        self.objects.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.pass(key).await?;
        self.objects.get_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        keys.and_then(move |key| {
            let store = store.clone();
            async move { store.delete_one(key).await }
        })
        .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
