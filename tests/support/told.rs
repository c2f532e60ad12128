//! What is told by `tracing`, as text.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::fmt::MakeWriter;

/// What was told, as text.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<u8>>>);

impl Told {
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).expect("it is UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// Whether lines of output were told as those of a process of a daemon's.
    pub fn assert_output(&self, pid: u32, daemon: u32, expected: &[(&str, &str, &str)]) {
        let lines = self.lines();
        for (level, stream, text) in expected {
            let expected = format!(
                " {level} oad::output: {text} pid={pid} daemon={daemon} stream=\"{stream}\""
            );
            assert!(
                lines.iter().any(|line| line.ends_with(&expected)),
                "{expected} is not in {lines:#?}"
            );
        }
    }

    pub fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        // While there is one subscriber only, `tracing` asks that of the thread which
        // comes to an event first; on a thread of another test, which has none, the event
        // would be switched off for all.
        static ANOTHER: OnceLock<tracing::Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
        tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false).without_time().finish()
    }
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Told {
    type Writer = Told;

    fn make_writer(&'a self) -> Told {
        self.clone()
    }
}
