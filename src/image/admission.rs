//! How many pixels are worked on at once, and who waits.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::ImageLimits;
use crate::error::{Error, ErrorKind, Result};

/// The budget of pixels, and the bounded queue before it.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    budget: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    all: u32,
    share: u32,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Admission,
    _part: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(limits: &ImageLimits) -> Self {
        Self {
            budget: Arc::new(Semaphore::new(limits.pixel_budget as usize)),
            queue: Arc::new(Semaphore::new(limits.max_waiting)),
            all: limits.pixel_budget,
            share: limits.share(),
        }
    }

    /// Waits, first come first served, until `pixels` fit into the budget.
    pub(super) async fn enter(&self, pixels: u64, patience: Duration) -> Result<Admitted> {
        let cost = u32::try_from(pixels).unwrap_or(u32::MAX).clamp(self.share, self.all);
        if let Ok(part) = self.budget.clone().try_acquire_many_owned(cost) {
            return Ok(self.admitted(part));
        }
        let _place = self.queue.try_acquire().map_err(|_| busy("too many pictures wait"))?;
        match tokio::time::timeout(patience, self.budget.clone().acquire_many_owned(cost)).await {
            Ok(Ok(part)) => Ok(self.admitted(part)),
            _ => Err(busy("no room for a picture came free in time")),
        }
    }

    fn admitted(&self, part: OwnedSemaphorePermit) -> Admitted {
        Admitted { admission: self.clone(), _part: part }
    }
}

impl Admitted {
    /// Leave for a second thread, where a core would be idle otherwise.
    pub(super) fn helper(&self) -> Option<OwnedSemaphorePermit> {
        let admission = &self.admission;
        admission.budget.clone().try_acquire_many_owned(admission.share).ok()
    }
}

fn busy(why: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, why)
}
