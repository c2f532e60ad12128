//! A process that measures on request: a Python peer, or oad in a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// It exits when its stdin closes, which dropping this does, and waits for.
pub(crate) struct ClientProcess {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The processes that serve it.
    pub(crate) servers: Vec<u32>,
}

impl ClientProcess {
    /// Starts a Python peer; `python/measure.py` lists what it can measure.
    ///
    /// # Errors
    ///
    /// The process could not be started, or ended at once; why is on stderr.
    pub(crate) fn python<A: AsRef<OsStr>>(
        interpreter: &Path,
        arguments: &[A],
        directory: &Path,
    ) -> Result<Self, String> {
        let mut command = Command::new(interpreter);
        // What it leaves in the temporary directory is removed with ours.
        command.arg("-B").arg(scripts().join("measure.py")).args(arguments);
        ClientProcess::start(command.env("TMPDIR", directory))
    }

    /// Starts a program that follows the same protocol.
    ///
    /// # Errors
    ///
    /// As for [`ClientProcess::python`].
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("failed to run `{command:?}`: {error}"))?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("its stdout is piped"));
        let mut client = ClientProcess { process, input, output, servers: Vec::new() };
        let pids = client.read("ready")?;
        client.servers = pids.iter().filter_map(|pid| pid.parse().ok()).collect();
        Ok(client)
    }

    /// Has it measure something, and returns its samples.
    pub(crate) fn measure(&mut self, command: &str) -> Vec<f64> {
        let input = self.input.as_mut().expect("it is open until this is dropped");
        writeln!(input, "{command}").expect("the client reads");
        let samples = self.read("samples").expect("the client measures");
        samples.iter().map(|sample| sample.parse().expect("a sample is a number")).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Reads the words of a line that begins with `first`.
    fn read(&mut self, first: &str) -> Result<Vec<String>, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        let mut words = line.split_whitespace();
        match words.next() == Some(first) {
            true => Ok(words.map(str::to_owned).collect()),
            false => Err("it ended; its stderr says why".to_owned()),
        }
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        // It fails only if the process has been reaped, which nothing else does.
        let _ = self.process.wait();
    }
}

/// Where the Python scripts are.
pub(crate) fn scripts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/python"))
}
