//! An object for tests of calls, timeouts and shutdown.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Does what its caller asks for: waits, blocks, fails, exits.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub struct Lab {
    log: Mutex<Vec<String>>,
    /// A file that the drop creates.
    on_drop: Option<std::path::PathBuf>,
    drop_takes: Duration,
    #[serde(skip)]
    nested: Option<LabProxy>,
}

#[oad::object(pub)]
impl Lab {
    pub fn new() -> Self {
        Lab::default()
    }

    pub fn marking(on_drop: &std::path::Path, drop_takes: Duration) -> Self {
        Lab { log: Mutex::default(), on_drop: Some(on_drop.to_owned()), drop_takes, nested: None }
    }

    /// A constructor that fails.
    pub fn failing(why: String) -> Result<Self, String> {
        Err(why)
    }

    /// A slow constructor.
    pub async fn slowly(takes: Duration) -> Self {
        tokio::time::sleep(takes).await;
        Lab::default()
    }

    pub fn echo(&self, value: oad::Value) -> oad::Value {
        value
    }

    pub fn len(&self, bytes: &oad::value::Bytes) -> usize {
        bytes.len()
    }

    pub fn bytes(&self, len: usize) -> oad::value::Bytes {
        vec![7; len].into()
    }

    /// Blocks; calls may overlap.
    pub fn block(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Blocks on a future, as a blocking client of an async library does.
    pub fn block_on_a_future(&self, time: Duration) -> u8 {
        tokio::runtime::Handle::current().block_on(async move {
            tokio::time::sleep(time).await;
            7
        })
    }

    /// Computes; calls may overlap.
    pub fn spin(&self, time: Duration) -> u64 {
        let start = std::time::Instant::now();
        let mut turns = 0;
        while start.elapsed() < time {
            turns = std::hint::black_box(turns + 1);
        }
        turns
    }

    /// Records its start and blocks, exclusively.
    pub fn note(&mut self, what: String, takes: Duration) -> Vec<String> {
        self.log.lock().unwrap().push(what);
        std::thread::sleep(takes);
        self.log()
    }

    /// Records its start, and its end when it is dropped or done.
    pub async fn wait(&self, what: String, takes: Duration) {
        let _note = Note(&self.log, what.clone());
        self.log.lock().unwrap().push(format!("{what} began"));
        tokio::time::sleep(takes).await;
        self.log.lock().unwrap().push(format!("{what} finished"));
    }

    /// The same, exclusively.
    pub async fn wait_alone(&mut self, what: String, takes: Duration) {
        self.wait(what, takes).await;
    }

    /// The same, but is not cancelled.
    #[oad(finish)]
    pub async fn wait_to_the_end(&self, what: String, takes: Duration) {
        self.wait(what, takes).await;
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub fn panic(&self, message: String) {
        panic!("{message}");
    }

    pub fn panic_at_length(&self, len: usize) {
        panic!("{}", "p".repeat(len));
    }

    pub async fn panic_later(&mut self, message: String) {
        tokio::task::yield_now().await;
        panic!("{message}");
    }

    pub fn abort(&self) {
        eprintln!("these are my last words");
        std::process::abort();
    }

    pub fn exit(&self, code: i32) {
        std::process::exit(code);
    }

    pub fn exit_after(&self, time: Duration, code: i32) {
        std::thread::sleep(time);
        std::process::exit(code);
    }

    pub fn print(&self, text: &str) {
        print!("{text}");
        eprint!("{text}");
    }

    /// Starts a process in a session of its own and does not wait for it.
    pub fn stray(&self) -> u32 {
        let stray = Command::new("setsid")
            .args(["sleep", "1000"])
            .stdin(Stdio::null())
            .spawn()
            .expect("setsid runs");
        stray.id()
    }

    /// Consumes the object.
    pub fn consume(self, note: String) -> usize {
        self.log.lock().unwrap().len() + note.len()
    }

    /// Makes a daemon within this one, keeps it, and returns its pid.
    pub async fn nest(&mut self, mark: &std::path::Path) -> Result<u32, oad::Error> {
        let nested = LabProxy::marking(mark, Duration::ZERO).await?;
        let pid = oad::Remote::pid(&nested);
        self.nested = Some(nested);
        Ok(pid)
    }

    /// Runs a program and returns its output.
    pub fn run(
        &self,
        program: &str,
        arguments: &[String],
        environment: Vec<(String, String)>,
    ) -> String {
        let output = Command::new(program)
            .args(arguments)
            .envs(environment)
            .output()
            .expect("it can be started");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

struct Note<'a>(&'a Mutex<Vec<String>>, String);

impl Drop for Note<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(format!("{} ended", self.1));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        std::thread::sleep(self.drop_takes);
        if let Some(mark) = &self.on_drop {
            std::fs::write(mark, "dropped").expect("the mark can be written");
        }
    }
}
