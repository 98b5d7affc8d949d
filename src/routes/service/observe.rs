//! Logs and metrics of requests, with the metric names of the original service.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};

/// Counts and times every request by its route, not by its path (promise G16).
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let method = label(request.method().as_str());
    let path = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().replace('{', ":").replace('}', ""),
        None => "/*".to_owned(),
    };
    let started = Instant::now();
    let response = next.run(request).await;
    let (seconds, status) = (started.elapsed().as_secs_f64(), response.status().as_u16());
    tracing::debug!(method, path, status, seconds, "the media service responded");
    #[cfg(feature = "metrics")]
    {
        let labels = [
            ("method", method.to_owned()),
            ("path", path),
            ("status", status.to_string()),
            ("service", "tower-media".to_owned()),
        ];
        metrics::counter!("media_http_requests_total", &labels).increment(1);
        metrics::histogram!("media_http_request_duration_seconds", &labels).record(seconds);
    }
    response
}

/// Bounds the values of the label, because a client may send any method.
fn label(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
