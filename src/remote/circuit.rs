//! Whether asking is worth while: after repeated failures nobody asks for a moment.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};

/// How many failures in a row open the circuit.
const FAILURES: u32 = 5;

/// How long it stays open at first, and at most; each further failure doubles it.
const OPEN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Counts failures in a row. Open, it lets one call through at the end of each pause, as a trial.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    closed_from: Option<Instant>,
}

impl Circuit {
    /// Lets a call through, or says that it is of no use.
    pub(super) fn admit(&self) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match state.closed_from {
            Some(closed_from) if now < closed_from => {
                let what = "the media service failed repeatedly and is left alone for a moment";
                Err(Error::new(ErrorKind::Unavailable, what))
            }
            Some(_) => {
                // This call is the trial; the others wait for how it ends.
                state.closed_from = Some(now + pause(state.failures));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Takes note of whether the service was there, a refusal included.
    pub(super) fn note(&self, was_there: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if was_there {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.closed_from = Some(Instant::now() + pause(state.failures));
        }
    }
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(FAILURES).min(16);
    OPEN.0.saturating_mul(1 << doublings).min(OPEN.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_five_failures_in_a_row_and_lets_one_trial_through_after_a_pause() {
        let circuit = Circuit::default();
        for _ in 0..4 {
            circuit.note(false);
        }
        circuit.note(true);
        for _ in 0..5 {
            assert!(circuit.admit().is_ok());
            circuit.note(false);
        }
        assert!(circuit.admit().is_err());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(circuit.admit().is_ok(), "a trial");
        assert!(circuit.admit().is_err(), "and only one");
        circuit.note(false);
        tokio::time::advance(Duration::from_millis(900)).await;
        assert!(circuit.admit().is_err(), "the pause has doubled");
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(circuit.admit().is_ok());
        circuit.note(true);
        assert!(circuit.admit().is_ok() && circuit.admit().is_ok());
    }
}
