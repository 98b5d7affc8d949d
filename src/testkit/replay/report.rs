//! What the harness found.

use std::fmt;

/// What [`Replay`](super::Replay) found.
#[derive(Debug, Default)]
#[must_use = "a report is there to be looked at"]
pub struct Report {
    requests: usize,
    findings: Vec<Finding>,
}

/// Something that should not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    route: String,
    case: String,
    what: String,
}

impl Report {
    pub(super) fn count_request(&mut self) {
        self.requests += 1;
    }

    pub(super) fn find(&mut self, route: &str, case: &str, what: impl Into<String>) {
        let (route, case) = (route.to_owned(), case.to_owned());
        self.findings.push(Finding { route, case, what: what.into() });
    }

    /// Returns how many requests were sent.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Returns what should not have happened.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Panics with all findings, if there are any.
    ///
    /// # Panics
    ///
    /// See above.
    pub fn assert_clean(&self) {
        let list: String = self.findings.iter().map(|finding| format!("\n- {finding}")).collect();
        assert!(self.findings.is_empty(), "guarded routes let through or went wrong:{list}");
    }
}

impl Finding {
    /// Returns the route, by the name it was given.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Returns what was tried.
    pub fn case(&self) -> &str {
        &self.case
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, case, what } = self;
        write!(f, "{route}: {case}: {what}")
    }
}
