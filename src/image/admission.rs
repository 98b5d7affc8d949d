//! Admission control of image work: a budget of pixels and a bound on concurrent header reads, both shared
//! fairly by the owners of the media (promise P17).

use std::time::Duration;

use super::{
    fair_queue::{Bounds, FairQueue, Full, Permit},
    limits::ImageLimits,
};
use crate::{
    error::{Error, ErrorKind, Result},
    owner::Owner,
};

/// The budget of pixels that are processed at once, and that of header reads.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    pixels: FairQueue<Owner>,
    header_reads: FairQueue<Owner>,
    max_waiting_per_owner: usize,
    max_waiting: usize,
    min_cost: u32,
}

/// Part of the pixel budget, returned when dropped.
#[derive(Debug)]
pub(super) struct PixelPermit {
    permit: Permit<Owner>,
    min_cost: u32,
}

impl Admission {
    pub(super) fn new(limits: &ImageLimits) -> Self {
        let cores = ImageLimits::cores() as u64;
        let budget = u64::from(limits.pixel_budget);
        let budget_per_owner = u64::from(limits.pixel_budget_per_owner());
        let (max_waiting, max_waiting_per_owner) =
            (limits.max_waiting, limits.max_waiting_per_owner);
        let pixels = Bounds { budget, budget_per_owner, max_waiting, max_waiting_per_owner };
        let share = (cores * budget_per_owner / budget).max(1);
        let header_reads = Bounds { budget: cores, budget_per_owner: share, ..pixels };
        Self {
            pixels: FairQueue::new(pixels),
            header_reads: FairQueue::new(header_reads),
            max_waiting_per_owner,
            max_waiting,
            min_cost: limits.min_cost(),
        }
    }

    /// Waits until `pixels` of an owner fit into the budget.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] at once if the queue of the owner or that of all is full, and after
    /// `timeout`.
    pub(super) async fn admit_pixels(
        &self,
        owner: &Owner,
        pixels: u64,
        timeout: Duration,
    ) -> Result<PixelPermit> {
        let cost = pixels.max(self.min_cost.into());
        let permit = self.acquire(&self.pixels, owner, cost, timeout).await?;
        Ok(PixelPermit { permit, min_cost: self.min_cost })
    }

    /// Waits until another header of an owner can be read: at most one per core at a time (promise P19).
    ///
    /// # Errors
    ///
    /// Those of [`admit_pixels`](Self::admit_pixels).
    pub(super) async fn admit_header_read(
        &self,
        owner: &Owner,
        timeout: Duration,
    ) -> Result<Permit<Owner>> {
        self.acquire(&self.header_reads, owner, 1, timeout).await
    }

    async fn acquire(
        &self,
        queue: &FairQueue<Owner>,
        owner: &Owner,
        cost: u64,
        timeout: Duration,
    ) -> Result<Permit<Owner>> {
        let message = match tokio::time::timeout(timeout, queue.admit(owner, cost)).await {
            Ok(Ok(permit)) => return Ok(permit),
            Ok(Err(Full::Owner)) => format!(
                "{} images of the owner are waiting, which is the limit; retry later",
                self.max_waiting_per_owner
            ),
            Ok(Err(Full::Total)) => {
                format!("{} images are waiting, which is the limit; retry later", self.max_waiting)
            }
            Err(_) => format!("the image waited {timeout:?} for admission; retry later"),
        };
        Err(Error::new(ErrorKind::Unavailable, message))
    }
}

impl PixelPermit {
    /// Returns a permit for a second thread if the budget has room for one.
    pub(super) fn try_second_thread(&self) -> Option<Permit<Owner>> {
        self.permit.try_extend(self.min_cost.into())
    }
}
