//! Admission control of image work: a budget of pixels with a bounded queue, and a bound on concurrent
//! header reads.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::ImageLimits;
use crate::error::{Error, ErrorKind, Result};

/// The budget of pixels that are processed at once, and the queue before it, first in, first out.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    budget: Arc<Semaphore>,
    header_reads: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    max_cost: u32,
    min_cost: u32,
}

/// Part of the pixel budget, returned when dropped.
#[derive(Debug)]
pub(super) struct PixelPermit {
    admission: Admission,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(limits: &ImageLimits) -> Self {
        Self {
            budget: Arc::new(Semaphore::new(limits.pixel_budget as usize)),
            header_reads: Arc::new(Semaphore::new(ImageLimits::cores())),
            queue: Arc::new(Semaphore::new(limits.max_waiting)),
            max_cost: limits.pixel_budget,
            min_cost: limits.min_cost(),
        }
    }

    /// Waits until `pixels` fit into the budget.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] at once if the queue is full, and after `timeout`.
    pub(super) async fn admit_pixels(&self, pixels: u64, timeout: Duration) -> Result<PixelPermit> {
        let cost = u32::try_from(pixels).unwrap_or(u32::MAX).clamp(self.min_cost, self.max_cost);
        let permit = self.acquire(&self.budget, cost, timeout).await?;
        Ok(PixelPermit { admission: self.clone(), _permit: permit })
    }

    /// Waits until another header can be read: at most one per core at a time (promise P19).
    ///
    /// # Errors
    ///
    /// Those of [`admit_pixels`](Self::admit_pixels).
    pub(super) async fn admit_header_read(
        &self,
        timeout: Duration,
    ) -> Result<OwnedSemaphorePermit> {
        self.acquire(&self.header_reads, 1, timeout).await
    }

    async fn acquire(
        &self,
        semaphore: &Arc<Semaphore>,
        cost: u32,
        timeout: Duration,
    ) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = semaphore.clone().try_acquire_many_owned(cost) {
            return Ok(permit);
        }
        let _place = self
            .queue
            .try_acquire()
            .map_err(|_| overloaded("too many images are waiting: try again later"))?;
        match tokio::time::timeout(timeout, semaphore.clone().acquire_many_owned(cost)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(overloaded("the image waited too long for admission: try again later")),
        }
    }
}

impl PixelPermit {
    /// Returns a permit for a second thread if the budget has room for one.
    pub(super) fn try_second_thread(&self) -> Option<OwnedSemaphorePermit> {
        let admission = &self.admission;
        admission.budget.clone().try_acquire_many_owned(admission.min_cost).ok()
    }
}

fn overloaded(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}
