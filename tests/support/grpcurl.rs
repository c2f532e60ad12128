//! Runs the real grpcurl with the command line that a daemon returns.
//!
//! The program is found on `PATH`, in Go's folder, or at the path in `GRPCURL`. Without
//! it a test fails in CI, and elsewhere prints that it was skipped.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::absent::absent;

pub struct Grpcurl {
    program: PathBuf,
    command_line: String,
}

/// The output, or what it printed to stderr.
pub type Printed = Result<String, String>;

impl Grpcurl {
    /// Returns grpcurl for a daemon; `None` if it is not installed.
    pub fn of(daemon: &oad::Daemon) -> Option<Self> {
        Grpcurl::with_command_line(daemon.grpcurl())
    }

    /// Returns grpcurl with a custom command line, whose last word is the address.
    pub fn with_command_line(command_line: String) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let go = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("go/bin"));
        let named = std::env::var_os("GRPCURL").map(PathBuf::from);
        let somewhere = std::env::split_paths(&path).chain(go).map(|folder| folder.join("grpcurl"));
        let found = named.into_iter().chain(somewhere).find(|program| program.is_file());
        if found.is_none() {
            absent("grpcurl is not installed");
        }
        found.map(|program| Grpcurl { program, command_line })
    }

    /// Returns a shell that runs the command line, with flags before the address and
    /// words after it.
    pub fn command(&self, flags: &[&str], words: &[&str]) -> Command {
        let (start, address) =
            self.command_line.rsplit_once(' ').expect("the address is its last word");
        let folder = self.program.parent().expect("a program is in a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path)));
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{start} \"$@\"")).args(["sh", "-max-time", "60"]);
        command.args(flags).arg(address).args(words).env("PATH", path.expect("it was one"));
        command
    }

    pub async fn run(&self, flags: &[&str], words: &[&str]) -> Printed {
        let (printed, ended) = self.run_to_the_end(flags, words).await;
        ended.map(|()| printed)
    }

    /// Sends one message and returns the response; for a stream, the first one.
    pub async fn call(&self, rpc: &str, body: Value) -> Result<Value, String> {
        let printed = self.run(&["-d", &body.to_string()], &[rpc]).await?;
        Ok(answers(&printed).into_iter().next().unwrap_or(Value::Null))
    }

    /// Returns all items of a method that returns a stream, and how the stream ended.
    pub async fn iterate(&self, flags: &[&str], body: Value) -> (Vec<Value>, Result<(), String>) {
        let body = body.to_string();
        let flags = [&["-d", &body], flags].concat();
        let (printed, ended) = self.run_to_the_end(&flags, &["oad.v1.Objects/Iterate"]).await;
        (answers(&printed), ended)
    }

    /// Returns the result of a method of an object, or of the root object if the handle
    /// is `null`.
    pub async fn method(
        &self,
        handle: &Value,
        method: &str,
        arguments: Value,
    ) -> Result<Value, String> {
        let body = json!({"handle": handle, "method": method, "arguments": arguments});
        Ok(self.call("oad.v1.Objects/Call", body).await?["value"].clone())
    }

    async fn run_to_the_end(&self, flags: &[&str], words: &[&str]) -> (String, Result<(), String>) {
        let mut command = self.command(flags, words);
        let output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("it does not panic");
        let output = output.expect("a shell can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ended = if output.status.success() { Ok(()) } else { Err(text(&output.stderr)) };
        (text(&output.stdout), ended)
    }
}

fn answers(printed: &str) -> Vec<Value> {
    let answers = serde_json::Deserializer::from_str(printed).into_iter::<Value>();
    answers.collect::<Result<_, _>>().expect("grpcurl prints JSON")
}
