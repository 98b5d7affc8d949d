//! Whether asking is worth while: after repeated failures nobody asks for a moment.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::observe;
use crate::error::{Error, ErrorKind, Result};

/// How many failures in a row open the circuit.
const FAILURES: u32 = 5;

/// How long it stays open at first, and at most; each trial that fails doubles it.
const OPEN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Counts failures in a row. Open, it lets one call through at the end of each pause, as a trial.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// How often it has opened since it was last closed.
    opened: u32,
    closed_from: Option<Instant>,
}

/// When a call was let through: how often the circuit had opened before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted(u32);

impl Circuit {
    /// Lets a call through, or says that it is of no use.
    pub(super) fn admit(&self) -> Result<Admitted> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match state.closed_from {
            Some(closed_from) if now < closed_from => {
                let what = "the media service failed repeatedly and is left alone for a moment";
                Err(Error::new(ErrorKind::Unavailable, what))
            }
            Some(_) => {
                // This call is the trial; the others wait for how it ends.
                state.closed_from = Some(now + pause(state.opened));
                Ok(Admitted(state.opened))
            }
            None => Ok(Admitted(state.opened)),
        }
    }

    /// Takes note of whether the service was there, a refusal included.
    pub(super) fn note(&self, Admitted(when): Admitted, was_there: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if was_there {
            *state = State::default();
            return;
        }
        // Those that were under way together when it opened are one reason, not many.
        if when != state.opened {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            let pause = pause(state.opened);
            state.closed_from = Some(Instant::now() + pause);
            state.opened = state.opened.saturating_add(1);
            observe::opened(pause);
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
    async fn it_opens_after_five_failures_in_a_row_and_lets_one_trial_through_after_a_pause() {
        let circuit = Circuit::default();
        let fails = || circuit.note(circuit.admit().expect("it is let through"), false);
        (0..4).for_each(|_| fails());
        let late = circuit.admit().expect("it is let through");
        circuit.note(late, true);
        (0..5).for_each(|_| fails());
        circuit.note(late, false);
        assert!(circuit.admit().is_err());
        tokio::time::advance(Duration::from_millis(500)).await;
        let trial = circuit.admit().expect("a trial");
        assert!(circuit.admit().is_err(), "and only one");
        circuit.note(trial, false);
        tokio::time::advance(Duration::from_millis(900)).await;
        assert!(circuit.admit().is_err(), "the pause has doubled");
        tokio::time::advance(Duration::from_millis(100)).await;
        circuit.note(circuit.admit().expect("another trial"), true);
        assert!(circuit.admit().is_ok() && circuit.admit().is_ok());
    }
}
