//! The search for guards that no request reached.

use std::collections::BTreeMap;

use axum::{body::Body, extract::Request, http::Method};

use super::{Replay, Report, attack::Attack, exchange::Reached};
use crate::id::MediaId;

/// Returns a method that no route has.
fn unused_method() -> Method {
    Method::from_bytes(b"REPLAY").expect("a method")
}

impl Attack<'_> {
    /// Sends the caller's own ids, with a method that no route has, to the path of the route and to the
    /// paths above it: `MethodRouter::layer` and `Router::layer` put guards around 405 responses and
    /// fallbacks too.
    pub(super) async fn reach_fallbacks(&mut self, own: &[String]) {
        let Some(request) = self.request(own) else { return };
        let path = request.uri().path().to_owned();
        // `*` is the path of a request that no fallback of a path matches.
        let mut paths = vec![path.clone(), "*".to_owned()];
        for (slash, _) in path.match_indices('/') {
            let above = &path[..=slash];
            paths.extend([above.to_owned(), format!("{above}{}", MediaId::random())]);
            paths.extend((slash > 0).then(|| path[..slash].to_owned()));
        }
        for path in paths {
            let Some(mut request) = self.request(own) else { continue };
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            let Ok(uri) = format!("{path}{query}").parse().or_else(|_| path.parse()) else {
                continue;
            };
            (*request.method_mut(), *request.uri_mut()) = (unused_method(), uri);
            self.exchange(request, true).await;
        }
    }
}

impl Replay {
    /// Reaches the guards of the routes that are left out.
    ///
    /// # Panics
    ///
    /// If a name is neither that of a route nor a method and a path.
    pub(super) async fn reach_left_out(&self, report: &mut Report, reached: &mut Reached) {
        for name in &self.left_out {
            let request = match self.routes.iter().find(|route| route.name == *name) {
                Some(route) => (route.build)(&[]).ok(),
                None => without_ids(name),
            };
            let request = request.unwrap_or_else(|| {
                panic!(
                    "`leave_out` names {name:?}, which is neither a route of this replay nor a method \
                     and path such as \"POST /posts/{{id}}\""
                )
            });
            let mut unused = Request::new(Body::empty());
            *unused.uri_mut() = request.uri().clone();
            *unused.method_mut() = unused_method();
            for request in [request, unused] {
                self.send(request, Some(&self.owners_of(name).caller), report, reached).await;
            }
        }
    }

    /// Reports the layers with a guard that no request reached, each once.
    pub(super) fn report_unreached(&self, reached: &Reached, report: &mut Report) {
        let mut layers = BTreeMap::<usize, Vec<_>>::new();
        for guard in self.media.guards().mounted() {
            layers.entry(guard.declaration.layer).or_default().push(guard);
        }
        for guards in layers.into_values() {
            let by_routes = |guard: &_| reached.get(guard);
            let Some(unreached) = guards.iter().find(|guard| by_routes(&guard.number).is_none())
            else {
                continue;
            };
            let routes = guards.iter().filter_map(|guard| by_routes(&guard.number)).flatten();
            let mut routes: Vec<&str> = routes.map(String::as_str).collect();
            routes.sort_unstable();
            routes.dedup();
            let others = match routes.as_slice() {
                [] => String::new(),
                routes => format!("; requests reached the same layer at {}", routes.join(", ")),
            };
            let what = format!(
                "{} is on a route that no request reached{others}: add the route, or leave it out",
                unreached.declaration
            );
            report.find(
                &unreached.declaration.location.to_string(),
                "every guard is reached",
                what,
            );
        }
    }
}

/// Builds a request without ids from `METHOD /path`.
fn without_ids(name: &str) -> Option<Request> {
    let (method, path) = name.split_once(' ')?;
    Request::builder().method(method).uri(path).body(Body::empty()).ok()
}
