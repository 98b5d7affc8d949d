//! Detects the type and the dimensions of a file by its magic bytes (promise P4).

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};

use super::{UploadPolicy, UploadRejection};
use crate::media::{is_raster_image, media_type};

/// The number of leading bytes that must reveal the type.
const MAX_TYPE_PREFIX: usize = 512;

/// The number of leading bytes that must reveal the dimensions. In a JPEG they come after the metadata.
const MAX_DIMENSIONS_PREFIX: usize = 256 << 10;

/// Checks a file against the policy. Reads only its prefix, and returns it.
pub(super) async fn sniff<S>(
    file: &mut S,
    hint: Option<&str>,
    policy: &UploadPolicy,
) -> Result<Bytes, UploadRejection>
where
    S: Stream<Item = Result<Bytes, UploadRejection>> + Unpin,
{
    let mut prefix = Prefix { file, bytes: BytesMut::new(), is_complete: false };
    let mime_type = loop {
        let mime_type = media_type(&prefix.bytes, hint);
        if is_among(&mime_type, &policy.types) && !prefix.bytes.is_empty() {
            break mime_type;
        }
        if !prefix.grow(MAX_TYPE_PREFIX).await? {
            return Err(UploadRejection::UnsupportedType(policy.types.clone()));
        }
    };
    if let Some(max) = policy.max_dimensions.filter(|_| is_raster_image(&mime_type)) {
        prefix.check_dimensions(max).await?;
    }
    Ok(prefix.bytes.freeze())
}

/// Returns whether the beginning of a file already shows that the policy refuses its type.
#[cfg(feature = "tus")]
pub(super) fn is_refused(prefix: &[u8], hint: Option<&str>, policy: &UploadPolicy) -> bool {
    prefix.len() >= MAX_TYPE_PREFIX && !is_among(&media_type(prefix, hint), &policy.types)
}

struct Prefix<'a, S> {
    file: &'a mut S,
    bytes: BytesMut,
    is_complete: bool,
}

impl<S: Stream<Item = Result<Bytes, UploadRejection>> + Unpin> Prefix<'_, S> {
    /// Reads one chunk, and returns `false` if there are `length` bytes already or the file has ended.
    async fn grow(&mut self, length: usize) -> Result<bool, UploadRejection> {
        if self.is_complete || self.bytes.len() >= length {
            return Ok(false);
        }
        match self.file.next().await {
            Some(chunk) => self.bytes.extend_from_slice(&chunk?),
            None => self.is_complete = true,
        }
        Ok(true)
    }

    async fn check_dimensions(&mut self, max: (u32, u32)) -> Result<(), UploadRejection> {
        // Parsed again only after the prefix has doubled, so that small chunks stay cheap.
        let mut length = MAX_TYPE_PREFIX;
        loop {
            while self.grow(length).await? {}
            if let Ok(size) = imagesize::blob_size(&self.bytes) {
                let fits = size.width <= max.0 as usize && size.height <= max.1 as usize;
                return if fits {
                    Ok(())
                } else {
                    Err(UploadRejection::TooManyPixels(max.0, max.1))
                };
            }
            if self.is_complete || length >= MAX_DIMENSIONS_PREFIX {
                return Err(UploadRejection::Unmeasurable);
            }
            length *= 2;
        }
    }
}

fn is_among(mime_type: &str, types: &[String]) -> bool {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    types.iter().any(|allowed| allowed.eq_ignore_ascii_case(essence))
}
