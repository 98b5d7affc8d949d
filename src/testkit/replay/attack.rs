//! The requests to one route.

use std::sync::Arc;

use axum::extract::Request;

use super::{
    Owners, Replay, Report, Route,
    exchange::{Outcome, Reached},
};
use crate::{
    id::MediaId,
    owner::{Owner, Scope},
    testkit::guard_registry::{Declaration, MountedGuard},
};

/// The greatest number of ids in a request that has one id too many.
const MAX_SENT: usize = 10_000;

/// Text that is not a media id. Some of it is valid in a URL, so that it reaches a path parameter.
const MALFORMED: [&str; 9] =
    ["..", ".", "a%2Fb", "a%20b", "a%00", "a/b", "a b", "\u{ff11}\u{ff12}", "%C3%A9"];

/// One route under attack.
pub(super) struct Attack<'a> {
    replay: &'a Replay,
    route: &'a Route,
    report: &'a mut Report,
    reached: &'a mut Reached,
    // The guards of the route, from the outermost to the innermost.
    guards: Vec<Arc<MountedGuard>>,
}

impl<'a> Attack<'a> {
    pub(super) fn on(
        replay: &'a Replay,
        route: &'a Route,
        report: &'a mut Report,
        reached: &'a mut Reached,
    ) -> Self {
        Self { replay, route, report, reached, guards: Vec::new() }
    }

    pub(super) async fn run(mut self) {
        let Some(own) = self.own_id_that_passes().await else {
            let own = self.supply(&self.owners().caller, self.scopes()).await;
            return self.reach_fallbacks(&[own]).await;
        };
        let (min, max) = self.bounds();
        let (replay, owners) = (self.replay, self.owners());
        let scopes = self.scopes();
        let foreign = self.supply(&owners.other, scopes.clone()).await;
        let unknown = MediaId::random().to_string();
        let more = self.own_ids(&scopes, min.max(1), own.clone()).await;
        self.reach_fallbacks(&more).await;

        // Valid ids without a login.
        self.refused("no owner", None, &more, &["missing_owner", "extractor"]).await;

        let caller = Some(&owners.caller);
        let not_owned = &["not_owned"];
        let with = |id: &str| replaced(&more, id);
        let foreign_answer =
            self.refused("an id of another user", caller, &with(&foreign), not_owned).await;
        let unknown_answer =
            self.refused("an unknown id", caller, &with(&unknown), not_owned).await;
        if let (Some(foreign_answer), Some(unknown_answer)) = (foreign_answer, unknown_answer)
            && foreign_answer.without(&foreign) != unknown_answer.without(&unknown)
        {
            self.find("foreign and unknown", "the responses differ");
        }
        let deleted = self.supply(&owners.caller, scopes.clone()).await;
        let id = MediaId::from_trusted(&deleted).expect("supplied as an id");
        if let Ok(true) = replay.media.delete(&owners.caller, &id).await {
            self.refused("a deleted id", caller, &with(&deleted), not_owned).await;
        }
        if self.declarations().any(|guard| guard.scopes.as_slice().is_some()) {
            let elsewhere = Scope::new("replay-elsewhere").expect("a scope");
            let elsewhere = self.supply(&owners.caller, vec![elsewhere]).await;
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
                // An outer guard that allows more of them refuses them first, because they are unknown.
                reasons.push("not_owned");
            }
            self.refused("one id too many", caller, &many, &reasons).await;
        }
        for text in MALFORMED {
            let reasons = &["invalid_ids", "extractor", "unrouted"];
            let case = format!("the malformed id {text:?}");
            self.refused(&case, caller, &with(text), reasons).await;
        }
    }

    /// Finds the guards of the route by sending the caller's own ids until they pass: the control
    /// request.
    async fn own_id_that_passes(&mut self) -> Option<String> {
        let case = "the caller's own ids";
        // An inner guard sees a request only if the outer guards let it pass.
        loop {
            let known = self.guards.len();
            let owners = self.owners();
            let scopes = self.scopes();
            let own = self.supply(&owners.caller, scopes.clone()).await;
            let min = self.bounds().0.max(1);
            let ids = self.own_ids(&scopes, min, own.clone()).await;
            let Some(outcome) = self.send(Some(&owners.caller), &ids).await else {
                self.find(case, "the request could not be built");
                return None;
            };
            if outcome.other_states > 0 {
                let what = "reached a guard of another `MediaState`: give `Replay` the state of the \
                            guards";
                self.find(case, what);
                return None;
            }
            for seen in &outcome.sightings {
                if self.guards.iter().all(|guard| guard.number != seen.guard.number) {
                    self.guards.push(Arc::clone(&seen.guard));
                }
            }
            let status = outcome.status;
            if self.guards.is_empty() {
                let what = format!(
                    "reached no guard (status {status}): put the layer on this route, with the same \
                     `MediaState`, and check that `sign_in` signs in"
                );
                self.find(case, what);
                return None;
            }
            let body = String::from_utf8_lossy(&outcome.body);
            if outcome.all_passed(&self.guards) {
                if status.is_client_error() || status.is_server_error() {
                    let what = format!(
                        "passed the guards, but the handler refused them (status {status}: {body}): \
                         send a request that the handler accepts"
                    );
                    self.find(case, what);
                }
                return Some(own);
            }
            if self.guards.len() == known {
                let refusing = outcome.sightings.last().map_or("the guard", |seen| &seen.route);
                let what = format!(
                    "were refused at {refusing} (status {status}: {body}), so other refusals prove \
                     nothing: check that `supply` stores media where the ownership finds it, and that \
                     the request is well formed"
                );
                self.find(case, what);
                return None;
            }
        }
    }

    async fn own_ids(&self, scopes: &[Scope], count: usize, first: String) -> Vec<String> {
        let mut ids = vec![first];
        while ids.len() < count.min(self.route.capacity) {
            let caller = &self.owners().caller;
            ids.push(self.supply(caller, scopes.to_vec()).await);
        }
        ids
    }

    async fn supply(&self, owner: &Owner, scopes: Vec<Scope>) -> String {
        (self.replay.supply)(owner.clone(), scopes)
            .await
            .unwrap_or_else(|error| panic!("`supply` failed: {error}"))
            .to_string()
    }

    fn owners(&self) -> &'a Owners {
        self.replay.owners_of(&self.route.name)
    }

    fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.guards.iter().map(|guard| &guard.declaration)
    }

    /// Returns the range of ids that all guards of the route accept.
    fn bounds(&self) -> (usize, usize) {
        let min = self.declarations().map(|guard| *guard.ids.start()).max().unwrap_or(1);
        let max = self.declarations().map(|guard| *guard.ids.end()).min().unwrap_or(1);
        (min, max.min(self.route.capacity))
    }

    /// Returns scopes in which media counts for all guards of the route.
    fn scopes(&self) -> Vec<Scope> {
        let first =
            self.declarations().filter_map(|guard| guard.scopes.as_slice()?.first().cloned());
        let mut scopes: Vec<Scope> = first.collect();
        if scopes.is_empty() {
            scopes.push(Scope::new("replay").expect("a scope"));
        }
        scopes
    }

    pub(super) fn request(&self, ids: &[String]) -> Option<Request> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        (self.route.build)(&ids).ok()
    }

    async fn send(&mut self, who: Option<&Owner>, ids: &[String]) -> Option<Outcome> {
        let request = self.request(ids)?;
        Some(self.exchange(request, who.is_some()).await)
    }

    pub(super) async fn exchange(&mut self, request: Request, signed_in: bool) -> Outcome {
        let caller = &self.owners().caller;
        self.replay.send(request, signed_in.then_some(caller), self.report, self.reached).await
    }

    /// Expects a refusal for one of `reasons`, with a status that says so.
    async fn refused(
        &mut self,
        case: &str,
        who: Option<&Owner>,
        ids: &[String],
        reasons: &[&str],
    ) -> Option<Outcome> {
        // A request that cannot be built cannot be sent.
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
        let caller = &self.owners().caller;
        match self.send(Some(caller), ids).await {
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

/// Returns `ids` with the last one replaced.
fn replaced(ids: &[String], id: &str) -> Vec<String> {
    let mut ids = ids.to_vec();
    if let Some(last) = ids.last_mut() {
        id.clone_into(last);
    }
    ids
}
