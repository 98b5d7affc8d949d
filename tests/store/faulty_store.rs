//! Object store with switchable faults.

use std::{fmt, sync::Arc};

use futures_util::{StreamExt as _, stream, stream::BoxStream};
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
}

/// Objects in memory behind a switchable fault.
#[derive(Debug, Clone, Default)]
pub struct FaultyStore {
    objects: Arc<InMemory>,
    fault: Arc<watch::Sender<Fault>>,
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
                let mut fault = self.fault.subscribe();
                let over = fault.wait_for(|fault| *fault != Fault::HoldsRenditions).await;
                over.map(drop).map_err(|_| broken())
            }
            Fault::HoldsRenditions | Fault::Full { .. } => Ok(()),
        }
    }

    /// The number of bytes of all objects.
    #[allow(dead_code, reason = "used by one of several tests")]
    pub fn used(&self) -> u64 {
        let objects = self.objects.list(None).map(|found| found.map_or(0, |found| found.size));
        let sum = objects.fold(0, |sum, size| async move { sum + size });
        futures_util::FutureExt::now_or_never(sum).expect("objects in memory")
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
        self.reserve(body.content_length() as u64)?;
        self.objects.put_opts(key, body, options).await
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
        match self.fault() {
            Fault::None | Fault::HoldsRenditions | Fault::Full { .. } => {
                self.objects.delete_stream(keys)
            }
            Fault::Errs => stream::iter([Err(broken())]).boxed(),
            Fault::Hangs => stream::pending().boxed(),
        }
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
