//! Redirects: within the service only, and only of what can be sent again as it was.

use reqwest::{Method, Request, Response, StatusCode, Url, header};

use super::response::{text, transport};
use crate::error::{Error, ErrorKind, Result};

/// The most redirects of one request.
const MAX_REDIRECTS: usize = 5;

/// Sends a request and follows where the service redirects it to.
///
/// Not to another host: the keys and the question would go to a stranger, or to a machine that only this
/// one can reach. And never as another method: a removal that became a `GET` would look like one that
/// was made.
pub(super) async fn send(http: &reqwest::Client, mut request: Request) -> Result<Response> {
    for _ in 0..=MAX_REDIRECTS {
        let again = request.try_clone();
        let response = http.execute(request).await.map_err(transport)?;
        let next = again.and_then(|again| redirected(&response, again));
        let Some(next) = next else { return Ok(response) };
        if next.url().origin() != response.url().origin() {
            let what = "the media service redirects to another host";
            return Err(Error::new(ErrorKind::Unexpected, what));
        }
        request = next;
    }
    Err(Error::new(ErrorKind::Unexpected, "the media service redirects without end"))
}

/// The same request, to where the answer redirects it, if it does.
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
