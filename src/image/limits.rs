//! Limits on the cost of images, and on the number of concurrent ones.

use std::{num::NonZeroUsize, thread::available_parallelism, time::Duration};

use crate::{
    error::{Error, Result},
    media::FailureReason,
};

/// Limits on the cost of images (promise P2), and the shares of each owner (promise P17).
///
/// An image over a limit is stored, and has no renditions: a request for one is
/// [`ErrorKind::Failed`](crate::ErrorKind::Failed).
///
/// # Default
///
/// 50 megapixels, 16,384 pixels per side, 256 MiB for one decode, 8 s; 100 megapixels at once, and 256
/// waiting callers. Of these, one owner gets all but one core's share of the pixels, and 64 waiting callers.
///
/// ```
/// use std::time::Duration;
/// use tower_media::backend::ImageLimits;
///
/// let limits = ImageLimits::new().with_max_pixels(12_000_000).with_timeout(Duration::from_secs(3));
/// assert_eq!(limits.max_pixels(), 12_000_000);
/// assert_eq!(limits.max_side(), 16_384);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLimits {
    pub(super) max_pixels: u64,
    pub(super) max_side: u32,
    pub(super) max_memory: u64,
    pub(super) timeout: Duration,
    pub(super) pixel_budget: u32,
    pub(super) pixel_budget_per_owner: Option<u32>,
    pub(super) max_waiting: usize,
    pub(super) max_waiting_per_owner: usize,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_pixels: 50_000_000,
            max_side: 16_384,
            max_memory: 256 << 20,
            timeout: Duration::from_secs(8),
            pixel_budget: 100_000_000,
            pixel_budget_per_owner: None,
            max_waiting: 256,
            max_waiting_per_owner: 64,
        }
    }
}

impl ImageLimits {
    /// Creates the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of pixels of an image: width times height of its header, which is checked
    /// before memory is allocated. The canvas of a letterboxed rendition
    /// ([`Fit::Contain`](crate::media::Fit::Contain)) has the same limit.
    #[must_use]
    pub fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets the maximum length of a side, in pixels.
    #[must_use]
    pub fn with_max_side(mut self, pixels: u32) -> Self {
        self.max_side = pixels;
        self
    }

    /// Sets the maximum memory for decoding one image, in bytes: that of the decoder and of the decoded
    /// pixels, estimated from the header. A HEIC or AVIF photograph in tiles takes its pixels and one tile;
    /// one that is a single coded image takes 4 to 14 bytes per pixel.
    #[must_use]
    pub fn with_max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Sets the maximum time for processing one image, and the maximum time that a caller waits before it.
    ///
    /// Work is stopped at this deadline between rows, between tiles, and when a decoder or encoder reads or
    /// writes. One call cannot be stopped: the encoding of one WebP or AVIF rendition, and the decoding of
    /// one coded image of HEIC, AVIF or lossy WebP. The caller gets its error in time; the thread and the
    /// budget are occupied until the call ends.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the number of pixels that the whole store processes at once. A larger image is processed alone.
    /// The number of concurrent images never exceeds that of the cores.
    #[must_use]
    pub fn with_pixel_budget(mut self, pixels: u32) -> Self {
        self.pixel_budget = pixels.max(1);
        self
    }

    /// Sets the number of pixels that are processed at once of one owner's media. A larger image is processed
    /// as the only one of its owner. Default: the pixel budget without one core's share, so that an image of
    /// another owner is processed at once.
    #[must_use]
    pub fn with_pixel_budget_per_owner(mut self, pixels: u32) -> Self {
        self.pixel_budget_per_owner = Some(pixels);
        self
    }

    /// Sets the maximum number of callers that wait for the pixel budget, of all owners. Further calls fail at
    /// once with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable), which routes answer with 503 and
    /// `Retry-After`.
    #[must_use]
    pub fn with_max_waiting(mut self, callers: usize) -> Self {
        self.max_waiting = callers;
        self
    }

    /// Sets the maximum number of callers that wait for images of one owner. Further calls for this owner fail
    /// at once, as described for [`with_max_waiting`](Self::with_max_waiting); those for others wait.
    #[must_use]
    pub fn with_max_waiting_per_owner(mut self, callers: usize) -> Self {
        self.max_waiting_per_owner = callers;
        self
    }

    /// Returns the maximum number of pixels of an image.
    pub fn max_pixels(&self) -> u64 {
        self.max_pixels
    }

    /// Returns the maximum length of a side, in pixels.
    pub fn max_side(&self) -> u32 {
        self.max_side
    }

    /// Returns the maximum memory for decoding one image, in bytes.
    pub fn max_memory(&self) -> u64 {
        self.max_memory
    }

    /// Returns the maximum time for processing one image.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the number of pixels that are processed at once.
    pub fn pixel_budget(&self) -> u32 {
        self.pixel_budget
    }

    /// Returns the number of pixels that are processed at once of one owner's media.
    pub fn pixel_budget_per_owner(&self) -> u32 {
        let all_but_one = self.pixel_budget - self.min_cost();
        self.pixel_budget_per_owner.unwrap_or(all_but_one).clamp(1, self.pixel_budget)
    }

    /// Returns the maximum number of waiting callers of all owners.
    pub fn max_waiting(&self) -> usize {
        self.max_waiting
    }

    /// Returns the maximum number of waiting callers for images of one owner.
    pub fn max_waiting_per_owner(&self) -> usize {
        self.max_waiting_per_owner
    }

    /// Fails if decoding takes more than this many bytes.
    pub(super) fn check_memory(&self, bytes: u64) -> Result<()> {
        if bytes > self.max_memory {
            let message = format!(
                "decoding the image takes {bytes} bytes of memory, and the limit is {}",
                self.max_memory
            );
            return Err(Error::failed(FailureReason::TooLarge, message));
        }
        Ok(())
    }

    /// Fails if an image of this size has no pixels, or more than the limits allow.
    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<()> {
        if width == 0 || height == 0 {
            return Err(Error::failed(FailureReason::Unreadable, "the image has no pixels"));
        }
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > self.max_side || pixels > self.max_pixels {
            let message = format!(
                "the image has {width} x {height} pixels, and the limits are {} per side and {} in all",
                self.max_side, self.max_pixels
            );
            return Err(Error::failed(FailureReason::TooLarge, message));
        }
        Ok(())
    }

    /// Returns the minimum cost of an image in pixels, with which no more images than cores fit into the
    /// budget.
    pub(super) fn min_cost(&self) -> u32 {
        self.pixel_budget.div_ceil(u32::try_from(Self::cores()).unwrap_or(u32::MAX))
    }

    pub(super) fn cores() -> usize {
        available_parallelism().map_or(1, NonZeroUsize::get)
    }
}
