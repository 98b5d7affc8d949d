//! Redirects: followed within the service only, with the method and the body unchanged.

use reqwest::{Method, Request, Response, StatusCode, Url, header};

use super::{call::Call, response::text};
use crate::error::{ErrorKind, Result};

/// The most redirects of one request.
const MAX_REDIRECTS: usize = 5;

/// Sends a request and follows redirects to the same origin.
///
/// Another origin would receive the keys and the ids, or may be a host that only this machine can reach.
/// A changed method would turn a `DELETE` into a `GET` whose success looks like a deletion.
pub(super) async fn send(
    call: &Call,
    http: &reqwest::Client,
    mut request: Request,
) -> Result<Response> {
    let refuse = |what| call.error(ErrorKind::Unexpected, what);
    for _ in 0..=MAX_REDIRECTS {
        let copy = request.try_clone();
        let response = http.execute(request).await.map_err(|error| call.transport(error))?;
        let Some(next) = copy.and_then(|copy| redirected(&response, copy)) else {
            return Ok(response);
        };
        if next.url().origin() != response.url().origin() {
            return Err(refuse("the media service redirects to another host"));
        }
        request = next;
    }
    Err(refuse("the media service redirects too often"))
}

/// Points `request` to the response's redirect target, if there is one that can be followed.
fn redirected(response: &Response, mut request: Request) -> Option<Request> {
    let keeps_method = match response.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
            request.method() == Method::GET
        }
        _ => false,
    };
    let target: Url = response.url().join(text(response, header::LOCATION)?).ok()?;
    *request.url_mut() = target;
    keeps_method.then_some(request)
}
