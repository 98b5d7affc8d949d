//! What a file is, by its first bytes, before the rest of it is read (promise P4).

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};

use super::{UploadPolicy, UploadRejection};
use crate::media::{is_raster_image, media_type};

/// Within how many bytes the type must show.
const TYPE_WITHIN: usize = 512;

/// Within how many bytes the dimensions must show: JPEG has them behind what a camera wrote.
const DIMENSIONS_WITHIN: usize = 256 << 10;

/// Reads as much of a file as it takes to know that the policy takes it, and returns that.
pub(super) async fn look<S>(
    file: &mut S,
    hint: Option<&str>,
    policy: &UploadPolicy,
) -> Result<Bytes, UploadRejection>
where
    S: Stream<Item = Result<Bytes, UploadRejection>> + Unpin,
{
    let mut begin = Begin { file, bytes: BytesMut::new(), is_whole: false };
    let mime_type = loop {
        let mime_type = media_type(&begin.bytes, hint);
        if is_among(&mime_type, &policy.types) && !begin.bytes.is_empty() {
            break mime_type;
        }
        if !begin.grows(TYPE_WITHIN).await? {
            return Err(UploadRejection::UnsupportedType(policy.types.clone()));
        }
    };
    if let Some(most) = policy.max_dimensions.filter(|_| is_raster_image(&mime_type)) {
        begin.measure(most).await?;
    }
    Ok(begin.bytes.freeze())
}

struct Begin<'a, S> {
    file: &'a mut S,
    bytes: BytesMut,
    is_whole: bool,
}

impl<S: Stream<Item = Result<Bytes, UploadRejection>> + Unpin> Begin<'_, S> {
    /// Reads on, unless there are `enough` bytes or no more.
    async fn grows(&mut self, enough: usize) -> Result<bool, UploadRejection> {
        if self.is_whole || self.bytes.len() >= enough {
            return Ok(false);
        }
        match self.file.next().await {
            Some(piece) => self.bytes.extend_from_slice(&piece?),
            None => self.is_whole = true,
        }
        Ok(true)
    }

    async fn measure(&mut self, most: (u32, u32)) -> Result<(), UploadRejection> {
        // Looked at each time there is twice as much, so that small pieces do not cost much.
        let mut enough = TYPE_WITHIN;
        loop {
            while self.grows(enough).await? {}
            if let Ok(size) = imagesize::blob_size(&self.bytes) {
                let fits = size.width <= most.0 as usize && size.height <= most.1 as usize;
                return if fits {
                    Ok(())
                } else {
                    Err(UploadRejection::TooManyPixels(most.0, most.1))
                };
            }
            if self.is_whole || enough >= DIMENSIONS_WITHIN {
                return Err(UploadRejection::Unmeasurable);
            }
            enough *= 2;
        }
    }
}

fn is_among(mime_type: &str, types: &[String]) -> bool {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    types.iter().any(|allowed| allowed.eq_ignore_ascii_case(essence))
}
