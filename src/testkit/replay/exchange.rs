//! One request through the application.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use tower_service::Service as _;

use super::{Replay, Report};
use crate::{
    owner::Owner,
    testkit::guard_registry::{MountedGuard, Probe, Sighting, Verdict},
};

/// The guards that requests reached, by their number, with the routes that led to them.
pub(super) type Reached = BTreeMap<usize, BTreeSet<String>>;

/// A response, and the guards that saw the request.
pub(super) struct Outcome {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) sightings: Vec<Sighting>,
    // Guards of other states.
    pub(super) other_states: usize,
}

impl Replay {
    /// Sends one request, and records the guards that it reached.
    pub(super) async fn send(
        &self,
        mut request: Request,
        owner: Option<&Owner>,
        report: &mut Report,
        reached: &mut Reached,
    ) -> Outcome {
        let probe = Probe::default();
        request.extensions_mut().insert(probe.clone());
        if let Some(owner) = owner {
            (self.sign_in)(&mut request, owner);
        }
        report.count_request();
        let response = match self.app.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let registry = self.media.guards();
        let (sightings, others): (Vec<_>, Vec<_>) =
            probe.sightings().into_iter().partition(|sighting| sighting.registry.is(registry));
        for seen in &sightings {
            reached.entry(seen.guard.number).or_default().insert(seen.route.clone());
        }
        let (status, headers, other_states) = (parts.status, parts.headers, others.len());
        Outcome { status, headers, body, sightings, other_states }
    }
}

impl Outcome {
    pub(super) fn all_passed(&self, guards: &[Arc<MountedGuard>]) -> bool {
        let passed = |guard: &Arc<MountedGuard>| {
            self.sightings
                .iter()
                .any(|seen| seen.guard.number == guard.number && seen.verdict == Verdict::Passed)
        };
        !guards.is_empty() && guards.iter().all(passed)
    }

    /// Returns the reason of the refusal, as the guards recorded it.
    pub(super) fn reason(&self) -> &'static str {
        match self.sightings.last().map(|sighting| sighting.verdict) {
            None => "unrouted",
            Some(Verdict::Passed) => "passed",
            Some(Verdict::Extractor) => "extractor",
            Some(Verdict::Guard(label)) => label,
        }
    }

    /// Returns the response without the id of the request, and without headers that depend on length or
    /// time.
    pub(super) fn without(&self, id: &str) -> (StatusCode, HeaderMap, String) {
        let mut headers = self.headers.clone();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::DATE);
        (self.status, headers, String::from_utf8_lossy(&self.body).replace(id, ""))
    }
}
