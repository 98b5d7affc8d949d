//! The page, with a content security policy: scripts, styles and pictures of its own origin only.

use axum::{
    Router,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
    routing::get,
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", include_str!("page.html"))))
        .route("/page.css", get(|| file("text/css; charset=utf-8", include_str!("page.css"))))
        .route("/page.js", get(|| file("text/javascript; charset=utf-8", include_str!("page.js"))))
        .route("/card.js", get(|| file("text/javascript; charset=utf-8", include_str!("card.js"))))
        .route("/tus.js", get(|| file("text/javascript; charset=utf-8", include_str!("tus.js"))))
        .route("/wire.js", get(|| file("text/javascript; charset=utf-8", include_str!("wire.js"))))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
}

async fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    (headers, content)
}
