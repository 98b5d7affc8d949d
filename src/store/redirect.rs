//! Redirects to presigned URLs of the object store, which then delivers the bytes without this server.

use std::time::Duration;

use axum::http::{HeaderName, header};
use object_store::path::Path;

use super::inner::Inner;
use crate::{
    error::Result,
    media::{Download, DownloadOptions},
};

impl Inner {
    /// Adds a presigned URL of the blob under the key to a download, if the options allow it and the blobs
    /// are in an object store that signs URLs.
    pub(super) async fn redirect(
        &self,
        key: &Path,
        download: Download,
        options: &DownloadOptions,
    ) -> Result<Option<Download>> {
        let Some(expires_in) = options.redirect() else { return Ok(None) };
        // The unit of the expiry is the second, and 0 is not valid.
        let expires_in = expires_in.max(Duration::from_secs(1));
        let download = if options.is_attachment() { download.as_attachment() } else { download };
        let headers = download.response_headers();
        // The object store sends neither `nosniff` nor a sandbox, so the type and the disposition are what
        // keeps a browser from running the bytes (promise P8). Both are bound into the signature.
        let bound = |name: HeaderName, default: &'static str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or(default)
        };
        let content_type = bound(header::CONTENT_TYPE, "application/octet-stream");
        let disposition = bound(header::CONTENT_DISPOSITION, "attachment");
        let url = self.blobs.presigned_url(key, content_type, disposition, expires_in).await?;
        Ok(url.map(|url| download.with_redirect(url)))
    }
}
