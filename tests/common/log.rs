//! What is logged on one thread.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, dispatcher::DefaultGuard};
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

/// Hears what is logged on the thread that made it, spans as they end, until it is dropped.
pub struct Log {
    text: Text,
    _hears: DefaultGuard,
    /// With one subscriber alone, a thread that has none would decide for all what is heard.
    _second: Dispatch,
}

impl Log {
    pub fn of(filter: &str) -> Self {
        let text = Text::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(move || writer.clone())
            .finish();
        let second = Dispatch::new(tracing_subscriber::registry());
        Self { text, _hears: tracing::subscriber::set_default(subscriber), _second: second }
    }

    /// Takes out what was logged until now.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.text.0.lock().unwrap())).unwrap()
    }
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
