//! The position of the guard relative to axum's routing, which decides the visible path parameters.

use std::any::type_name;

use axum::{
    extract::{FromRequestParts as _, MatchedPath, NestedPath, RawPathParams},
    http::request::Parts,
};

/// The position of a request in axum's routing when it reaches the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoutingPosition {
    /// On a matched route: all path parameters are visible.
    Route,
    /// On the fallback of a router: no route matched. `Router::layer` covers the fallback as well.
    Fallback,
    /// Before the router that will match the route.
    Outside,
}

impl RoutingPosition {
    pub(super) async fn of(parts: &mut Parts) -> Self {
        if parts.extensions.get::<MatchedPath>().is_some() {
            return Self::Route;
        }
        // A router without a matching route leaves an empty parameter list; `nest_service` leaves the
        // parameters of its prefix, if any, and the path of the nesting.
        let params = RawPathParams::from_request_parts(parts, &()).await;
        let empty = params.is_ok_and(|params| params.iter().next().is_none());
        let nested = parts.extensions.get::<NestedPath>().is_some();
        if empty && !nested { Self::Fallback } else { Self::Outside }
    }
}

/// Returns whether the type name of an extractor contains axum's `Path`.
///
/// Covers extractors that cannot declare it by `MediaIds::READS_PATH`: the payload of `with_ids` and
/// the content of `Skip`. A miss does not weaken the check, because the ids come from the same value
/// that the handler receives; it only loses the diagnosis of a misplaced layer.
pub(super) fn names_path<E>() -> bool {
    type_name::<E>().contains("axum::extract::path::Path<")
}
