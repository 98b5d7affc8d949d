//! The report of the harness.

use std::fmt;

/// The findings of a [`Replay`](super::Replay).
#[derive(Debug, Default)]
#[must_use = "a report has findings to look at"]
pub struct Report {
    requests: usize,
    findings: Vec<Finding>,
}

/// A request that had the wrong result, or a guard that no request reached.
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

    /// Returns the findings. An application without defects has none.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Asserts that the list of findings is empty.
    ///
    /// # Panics
    ///
    /// If there are findings, with all of them in the message.
    pub fn assert_clean(&self) {
        let list: String = self.findings.iter().map(|finding| format!("\n- {finding}")).collect();
        assert!(self.findings.is_empty(), "the replay of the guarded routes has findings:{list}");
    }
}

impl Finding {
    /// Returns the name of the route, or the place in the code that made an unreached guard.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Returns the case that was tried.
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
