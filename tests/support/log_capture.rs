//! Captures `tracing` events as text.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::fmt::MakeWriter;

/// The captured events, as text.
#[derive(Clone, Default)]
pub struct LogCapture(Arc<Mutex<Vec<u8>>>);

impl LogCapture {
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).expect("it is UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// Asserts that lines of output were logged for a process of a daemon.
    pub fn assert_output(&self, pid: u32, daemon: u32, expected: &[(&str, &str, &str)]) {
        let lines = self.lines();
        for (level, stream, text) in expected {
            let expected = format!(
                " {level} oad::output: {text} pid={pid} daemon={daemon} stream=\"{stream}\""
            );
            assert!(
                lines.iter().any(|line| line.ends_with(&expected)),
                "`{expected}` is not in {lines:#?}"
            );
        }
    }

    pub fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        // With a single subscriber, `tracing` caches the interest of the thread that
        // first reaches an event. On the thread of another test, which has no subscriber,
        // that would disable the event for all threads. A second dispatcher prevents it.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
        tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false).without_time().finish()
    }
}

impl Write for LogCapture {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogCapture {
    type Writer = LogCapture;

    fn make_writer(&'a self) -> LogCapture {
        self.clone()
    }
}
