//! One route, and everything that is tried on it.

use std::collections::BTreeSet;

use axum::{
    body::to_bytes,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use tower_service::Service as _;

use super::{Replay, Report, Route};
use crate::{
    id::MediaId,
    owner::{Owner, Scope},
    testkit::guard_registry::{Declaration, Probe, Sighting, Verdict},
};

/// The most ids that the harness sends to find out whether one too many is refused.
const MAX_SENT: usize = 10_000;

/// Texts that are no ids. Some can stand in a URL as they are, so that they reach a path parameter.
const MALFORMED: [&str; 9] =
    ["..", ".", "a%2Fb", "a%20b", "a%00", "a/b", "a b", "\u{ff11}\u{ff12}", "%C3%A9"];

/// One route under attack.
pub(super) struct Attack<'a> {
    replay: &'a Replay,
    route: &'a Route,
    report: &'a mut Report,
    guards: BTreeSet<usize>,
}

/// What came of one request.
struct Outcome {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    sightings: Vec<Sighting>,
    /// Guards of other states.
    strangers: usize,
}

impl<'a> Attack<'a> {
    pub(super) fn on(replay: &'a Replay, route: &'a Route, report: &'a mut Report) -> Self {
        Self { replay, route, report, guards: BTreeSet::new() }
    }

    /// Attacks, and returns the guards that were met.
    pub(super) async fn run(mut self) -> BTreeSet<usize> {
        let Some(own) = self.own_id_that_passes().await else { return self.guards };
        let (min, max) = self.bounds();
        let replay = self.replay;
        let scopes = self.scopes();
        let foreign = self.supply(&replay.other, scopes.clone()).await;
        let unknown = MediaId::random().to_string();
        let more = self.own_ids(&scopes, min.max(1), own.clone()).await;

        // Signed in as nobody, with ids that would be fine.
        self.refused("nobody is signed in", None, &more, &["missing_owner", "extractor"]).await;

        let caller = Some(&replay.caller);
        let not_owned = &["not_owned"];
        let with = |id: &str| replaced(&more, id);
        let foreign_answer =
            self.refused("an id of another user", caller, &with(&foreign), not_owned).await;
        let unknown_answer =
            self.refused("an unknown id", caller, &with(&unknown), not_owned).await;
        if let (Some(foreign_answer), Some(unknown_answer)) = (foreign_answer, unknown_answer)
            && foreign_answer.without(&foreign) != unknown_answer.without(&unknown)
        {
            self.find("foreign and unknown", "the answers tell one from the other");
        }
        let removed = self.supply(&replay.caller, scopes.clone()).await;
        let id = MediaId::from_trusted(&removed).expect("it was an id when it was supplied");
        if let Ok(true) = replay.media.delete(&replay.caller, &id).await {
            self.refused("a removed id", caller, &with(&removed), not_owned).await;
        }
        if self.declarations().iter().any(|guard| guard.scopes.as_slice().is_some()) {
            let elsewhere = Scope::new("replay-elsewhere").expect("a scope");
            let elsewhere = self.supply(&replay.caller, vec![elsewhere]).await;
            self.refused("an own id of another scope", caller, &with(&elsewhere), not_owned).await;
        }
        if max > more.len() {
            let mut mixed = more.clone();
            mixed.push(foreign.clone());
            self.refused("own ids and one of another user", caller, &mixed, not_owned).await;
            mixed.push(foreign.clone());
            self.refused("a foreign id twice", caller, &mixed, not_owned).await;
        }
        if self.route.capacity > more.len() {
            let mut repeated = more.clone();
            repeated.push(own);
            self.passed("an own id twice", &repeated).await;
        }
        if min > 0 {
            self.refused(
                "no ids",
                caller,
                &[],
                &["too_few_ids", "invalid_ids", "extractor", "unrouted"],
            )
            .await;
        }
        if max < self.route.capacity && max < MAX_SENT {
            let many: Vec<String> = (0..=max).map(|_| MediaId::random().to_string()).collect();
            let mut reasons = vec!["too_many_ids", "extractor", "unreadable_body"];
            if self.guards.len() > 1 {
                // An outer guard that allows more asks about them first, and nobody owns them.
                reasons.push("not_owned");
            }
            self.refused("one id too many", caller, &many, &reasons).await;
        }
        for text in MALFORMED {
            let reasons = &["invalid_ids", "extractor", "unrouted"];
            let case = format!("the malformed id {text:?}");
            self.refused(&case, caller, &with(text), reasons).await;
        }
        self.guards
    }

    /// Learns which guards are on the route by sending the caller's own ids until they pass.
    async fn own_id_that_passes(&mut self) -> Option<String> {
        let case = "the caller's own ids";
        // Each guard shows itself only once those outside of it have let the request pass.
        loop {
            let known = self.guards.len();
            let scopes = self.scopes();
            let own = self.supply(&self.replay.caller, scopes.clone()).await;
            let min = self.bounds().0.max(1);
            let ids = self.own_ids(&scopes, min, own.clone()).await;
            let Some(outcome) = self.send(Some(&self.replay.caller), &ids).await else {
                self.find(case, "the request could not be built");
                return None;
            };
            if outcome.strangers > 0 {
                let what = "a guard of another `MediaState` was met: give `Replay` the state that the \
                            guards were made with";
                self.find(case, what);
                return None;
            }
            self.guards.extend(outcome.sightings.iter().map(|sighting| sighting.guard));
            if self.guards.is_empty() {
                let what = format!(
                    "no guard was met (status {}): is the layer on this route, with the same \
                     `MediaState`, and does `sign_in` sign in?",
                    outcome.status
                );
                self.find(case, what);
                return None;
            }
            if outcome.all_passed(&self.guards) {
                return Some(own);
            }
            if self.guards.len() == known {
                let what = format!(
                    "were refused (status {}: {}), so nothing can be said of other refusals: does \
                     `supply` put media where the ownership looks, and is the request well formed?",
                    outcome.status,
                    String::from_utf8_lossy(&outcome.body)
                );
                self.find(case, what);
                return None;
            }
        }
    }

    async fn own_ids(&self, scopes: &[Scope], count: usize, first: String) -> Vec<String> {
        let mut ids = vec![first];
        while ids.len() < count.min(self.route.capacity) {
            ids.push(self.supply(&self.replay.caller, scopes.to_vec()).await);
        }
        ids
    }

    async fn supply(&self, owner: &Owner, scopes: Vec<Scope>) -> String {
        (self.replay.supply)(owner.clone(), scopes)
            .await
            .unwrap_or_else(|error| panic!("media for the replay could not be supplied: {error}"))
            .to_string()
    }

    fn declarations(&self) -> Vec<Declaration> {
        let all = self.replay.media.guards().all();
        self.guards.iter().map(|number| all[*number].clone()).collect()
    }

    /// How many ids all guards of the route together allow.
    fn bounds(&self) -> (usize, usize) {
        let guards = self.declarations();
        let min = guards.iter().map(|guard| *guard.ids.start()).max().unwrap_or(1);
        let max = guards.iter().map(|guard| *guard.ids.end()).min().unwrap_or(1);
        (min, max.min(self.route.capacity))
    }

    /// Scopes in which media counts for all guards of the route.
    fn scopes(&self) -> Vec<Scope> {
        let named = self.declarations();
        let first = named.iter().filter_map(|guard| guard.scopes.as_slice()?.first().cloned());
        let mut scopes: Vec<Scope> = first.collect();
        if scopes.is_empty() {
            scopes.push(Scope::new("replay").expect("a scope"));
        }
        scopes
    }

    async fn send(&mut self, who: Option<&Owner>, ids: &[String]) -> Option<Outcome> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut request = (self.route.build)(&ids).ok()?;
        let probe = Probe::default();
        request.extensions_mut().insert(probe.clone());
        if let Some(owner) = who {
            (self.replay.sign_in)(&mut request, owner);
        }
        self.report.count_request();
        let response = match self.replay.app.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let own = self.replay.media.guards();
        let (sightings, strangers): (Vec<_>, Vec<_>) =
            probe.sightings().into_iter().partition(|sighting| sighting.registry.is(own));
        let strangers = strangers.len();
        Some(Outcome { status: parts.status, headers: parts.headers, body, sightings, strangers })
    }

    /// Expects a refusal for one of `reasons`, with a status that says so.
    async fn refused(
        &mut self,
        case: &str,
        who: Option<&Owner>,
        ids: &[String],
        reasons: &[&str],
    ) -> Option<Outcome> {
        // What cannot even be built cannot be sent by anybody.
        let outcome = self.send(who, ids).await?;
        let reason = outcome.reason();
        if outcome.all_passed(&self.guards) {
            self.find(case, format!("reached the handler (status {})", outcome.status));
        } else if who.is_some() && !reasons.contains(&reason) {
            let what = format!("was refused as {reason:?} instead of one of {reasons:?}");
            self.find(case, what);
        } else if outcome.status.is_success() || outcome.status.is_server_error() {
            self.find(case, format!("was refused, but with status {}", outcome.status));
        }
        Some(outcome)
    }

    async fn passed(&mut self, case: &str, ids: &[String]) {
        match self.send(Some(&self.replay.caller), ids).await {
            Some(outcome) if outcome.all_passed(&self.guards) => {}
            Some(outcome) => {
                self.find(case, format!("was refused (status {})", outcome.status));
            }
            None => self.find(case, "the request could not be built"),
        }
    }

    fn find(&mut self, case: &str, what: impl Into<String>) {
        self.report.find(&self.route.name, case, what);
    }
}

impl Outcome {
    fn all_passed(&self, guards: &BTreeSet<usize>) -> bool {
        let passed = |guard: &usize| {
            let of_it = |seen: &&Sighting| seen.guard == *guard && seen.verdict == Verdict::Passed;
            self.sightings.iter().any(|seen| of_it(&seen))
        };
        !guards.is_empty() && guards.iter().all(passed)
    }

    /// Why the request was refused, as far as the guards know.
    fn reason(&self) -> &'static str {
        match self.sightings.last().map(|sighting| sighting.verdict) {
            None => "unrouted",
            Some(Verdict::Passed) => "passed",
            Some(Verdict::Extractor) => "extractor",
            Some(Verdict::Guard(label)) => label,
        }
    }

    /// The answer without what the caller sent, and without what depends on its length or on time.
    fn without(&self, id: &str) -> (StatusCode, HeaderMap, String) {
        let mut headers = self.headers.clone();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::DATE);
        (self.status, headers, String::from_utf8_lossy(&self.body).replace(id, ""))
    }
}

/// `ids` with the last one replaced.
fn replaced(ids: &[String], id: &str) -> Vec<String> {
    let mut ids = ids.to_vec();
    if let Some(last) = ids.last_mut() {
        id.clone_into(last);
    }
    ids
}
