//! One call of the service, and the text of its errors.

use std::{fmt::Display, time::Duration};

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};

/// Identifies a call in its errors. They never name URLs, owners, ids or keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    operation: &'static str,
    started: Instant,
    pub(super) attempts: u32,
    /// The status of the last response, once there is one.
    pub(super) status: Option<StatusCode>,
}

impl Call {
    pub(super) fn new(operation: &'static str) -> Self {
        Self { operation, started: Instant::now(), attempts: 0, status: None }
    }

    /// An error that names the operation, the attempts, the elapsed time and the status.
    pub(super) fn error(&self, kind: ErrorKind, what: impl Display) -> Error {
        let Self { operation, attempts, .. } = self;
        let noun = if *attempts == 1 { "attempt" } else { "attempts" };
        let elapsed = self.started.elapsed();
        let status = self.status.map(|status| format!(", status {status}")).unwrap_or_default();
        let details = format!("operation `{operation}`, {attempts} {noun}, {elapsed:.1?}{status}");
        Error::new(kind, format!("{what} ({details})"))
    }

    /// Makes [`error`](Self::error) the source of `public`, whose text a client may see and which
    /// therefore must not depend on the elapsed time (promise G5).
    pub(super) fn explain(&self, public: Error, what: impl Display) -> Error {
        let kind = public.kind();
        public.with_source(self.error(kind, what))
    }

    pub(super) fn timeout(&self, what: &str, after: Duration) -> Error {
        self.error(ErrorKind::Timeout, format_args!("{what} within {after:?}"))
    }

    /// Parses a response body as JSON of the protocol.
    pub(super) fn parse<'a, T: serde::Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|error| {
            let what = "the media service returned JSON that does not match the protocol";
            self.error(ErrorKind::Unexpected, what).with_source(error)
        })
    }

    /// An error below HTTP, without its URL because URLs name owners.
    pub(super) fn transport(&self, error: reqwest::Error) -> Error {
        let (kind, what) = if error.is_timeout() {
            (ErrorKind::Timeout, "the media service did not respond in time")
        } else if error.is_connect() {
            (ErrorKind::Unavailable, "cannot connect to the media service")
        } else if error.is_builder() {
            let kind = ErrorKind::InvalidInput;
            let details = self.error(kind, "cannot build the request");
            return Error::new(kind, "the media request cannot be sent")
                .with_source(details.with_source(error.without_url()));
        } else {
            (ErrorKind::Unavailable, "the connection to the media service broke")
        };
        self.error(kind, what).with_source(error.without_url())
    }
}
