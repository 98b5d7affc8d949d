//! A circuit breaker: after repeated failures, calls fail at once for a while.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::observe;

/// The number of consecutive failures that opens the circuit.
const FAILURES: u32 = 5;

/// The first and the longest time for which the circuit stays open. Each failed trial doubles it.
const OPEN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Counts consecutive failures. While open, it admits one call at the end of each pause, as a trial.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// The number of times the circuit has opened since the last success.
    opened: u32,
    open_until: Option<Instant>,
}

/// An admitted call. It carries `State::opened` of the time of its admission.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission(u32);

impl CircuitBreaker {
    /// Admits a call, unless the circuit is open.
    pub(super) fn admit(&self) -> Option<Admission> {
        let mut state = self.0.lock();
        if let Some(open_until) = state.open_until {
            let now = Instant::now();
            if now < open_until {
                return None;
            }
            // This call is the trial; the others wait for its outcome.
            state.open_until = Some(now + pause(state.opened));
        }
        Some(Admission(state.opened))
    }

    /// Records the outcome of an admitted call. An error status other than an outage counts as a success.
    pub(super) fn record(&self, Admission(opened): Admission, succeeded: bool) {
        let mut state = self.0.lock();
        if succeeded {
            *state = State::default();
            return;
        }
        // Calls that were in flight when the circuit opened must not lengthen the pause.
        if opened != state.opened {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            let pause = pause(state.opened);
            state.open_until = Some(Instant::now() + pause);
            state.opened = state.opened.saturating_add(1);
            observe::circuit_opened(pause);
        }
    }
}

fn pause(opened: u32) -> Duration {
    OPEN.0.saturating_mul(1 << opened.min(16)).min(OPEN.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn r07_five_failures_open_the_circuit_until_a_trial_succeeds() {
        let breaker = CircuitBreaker::default();
        let fail = || breaker.record(breaker.admit().expect("the circuit is closed"), false);
        (0..4).for_each(|_| fail());
        let late = breaker.admit().expect("the circuit is closed");
        breaker.record(late, true);
        (0..5).for_each(|_| fail());
        breaker.record(late, false);
        assert!(breaker.admit().is_none());
        tokio::time::advance(Duration::from_millis(500)).await;
        let trial = breaker.admit().expect("a trial");
        assert!(breaker.admit().is_none(), "a second trial");
        breaker.record(trial, false);
        tokio::time::advance(Duration::from_millis(900)).await;
        assert!(breaker.admit().is_none(), "the pause has doubled");
        tokio::time::advance(Duration::from_millis(100)).await;
        breaker.record(breaker.admit().expect("another trial"), true);
        assert!(breaker.admit().is_some() && breaker.admit().is_some());
    }
}
