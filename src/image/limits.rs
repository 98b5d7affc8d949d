//! How large a picture may be, and how many at once.

use std::{num::NonZeroUsize, thread::available_parallelism, time::Duration};

use crate::{
    error::{Error, Result},
    media::FailureReason,
};

/// How much a picture may cost (promise P2).
///
/// A picture over a limit is stored, but has no renditions: asking for one is
/// [`ErrorKind::Failed`](crate::ErrorKind::Failed).
///
/// # Default
///
/// 50 megapixels, 16,384 pixels a side, 256 MiB for one decode, 8 s; 100 megapixels at once, and 64
/// callers that wait for them.
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
    pub(super) max_waiting: usize,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_pixels: 50_000_000,
            max_side: 16_384,
            max_memory: 256 << 20,
            timeout: Duration::from_secs(8),
            pixel_budget: 100_000_000,
            max_waiting: 64,
        }
    }
}

impl ImageLimits {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many pixels a picture may have: width times height as its header says, which is
    /// judged before memory is taken. The bars of [`Fit::Contain`](crate::media::Fit::Contain) are held to
    /// it as well.
    #[must_use]
    pub fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets how long a side may be, in pixels.
    #[must_use]
    pub fn with_max_side(mut self, pixels: u32) -> Self {
        self.max_side = pixels;
        self
    }

    /// Sets how much memory decoding one picture may take, in bytes: what the decoder needs and the
    /// decoded pixels, estimated from the header. HEIC and AVIF count 20 bytes a pixel, so the default
    /// takes them up to 13 megapixels.
    #[must_use]
    pub fn with_max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Sets how long a picture may be worked on, and how long a caller waits before that.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many pixels may be worked on at once by the whole store. A larger picture is worked
    /// on alone; besides, there are never more pictures at once than the machine has cores.
    #[must_use]
    pub fn with_pixel_budget(mut self, pixels: u32) -> Self {
        self.pixel_budget = pixels.max(1);
        self
    }

    /// Sets how many callers may wait for the budget. One more is told at once to come back later:
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
    #[must_use]
    pub fn with_max_waiting(mut self, callers: usize) -> Self {
        self.max_waiting = callers;
        self
    }

    /// Returns how many pixels a picture may have.
    pub fn max_pixels(&self) -> u64 {
        self.max_pixels
    }

    /// Returns how long a side may be, in pixels.
    pub fn max_side(&self) -> u32 {
        self.max_side
    }

    /// Returns how much memory decoding one picture may take, in bytes.
    pub fn max_memory(&self) -> u64 {
        self.max_memory
    }

    /// Returns how long a picture may be worked on.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns how many pixels may be worked on at once.
    pub fn pixel_budget(&self) -> u32 {
        self.pixel_budget
    }

    /// Returns how many callers may wait.
    pub fn max_waiting(&self) -> usize {
        self.max_waiting
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
