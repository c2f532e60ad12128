//! How a daemon or an interpreter exited unexpectedly.

use super::text::{Excerpt, MAX_PART, escaped_end, one_line, shortened, write_lines};
use super::{Duration, ExitStatus, fmt};
use std::os::unix::process::ExitStatusExt;

/// The most bytes of stderr in a death that another process has reported.
const MAX_STDERR: usize = 4 * 1024;

/// How a daemon, or the interpreter of a Python object below it, exited unexpectedly: its
/// exit code or signal, the end of its stderr, and its uptime.
#[derive(Clone, Debug)]
pub struct Death {
    pub(crate) whose: DeadProcess,
    pub(crate) pid: u32,
    pub(crate) status: Status,
    /// Why oad killed it, if it did.
    pub(crate) reason: Option<String>,
    pub(crate) stderr: String,
    pub(crate) uptime: Duration,
}

/// The process that died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeadProcess {
    Daemon,
    Interpreter,
}

/// Why an interpreter is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum KillReason {
    /// It did not react to an interruption.
    Stuck,
    /// Its answers cannot be used.
    Malformed,
    /// It has closed a socket, and lives.
    Closed,
}

impl KillReason {
    /// For the report of its death.
    pub(crate) fn text(self) -> &'static str {
        match self {
            KillReason::Stuck => {
                "it did not react to an interruption within the time of `kill_when_stuck`"
            }
            KillReason::Malformed => {
                "it sent something other than the answers to its requests; does the object write \
                 to descriptors that are not its own?"
            }
            KillReason::Closed => {
                "it closed its socket, but did not exit; does the object close descriptors that \
                 are not its own, or replace the process (`os.exec…`)?"
            }
        }
    }
}

/// How a process ended, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Known(ExitStatus),
    /// The kernel discarded it, because this program ignores SIGCHLD.
    Discarded,
    /// A wrapper had started the process, and outlived it without reporting its status.
    Unreported,
    /// It was not a process of its own.
    InProcess,
}

impl Status {
    /// It exited by itself.
    pub(crate) fn exited(code: i32) -> Self {
        Status::Known(ExitStatus::from_raw((code & 0xff) << 8))
    }

    /// A signal ended it.
    pub(crate) fn killed(signal: i32, core_dumped: bool) -> Self {
        Status::Known(ExitStatus::from_raw(signal & 0x7f | if core_dumped { 0x80 } else { 0 }))
    }

    pub(crate) fn known(self) -> Option<ExitStatus> {
        match self {
            Status::Known(status) => Some(status),
            Status::Discarded | Status::Unreported | Status::InProcess => None,
        }
    }

    pub(crate) fn signal(self) -> Option<i32> {
        self.known().and_then(|status| status.signal())
    }
}

/// As "exited with code 3", the part of a message that follows "the daemon's process
/// died: ".
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Known(status) => f.write_str(&describe(*status)),
            Status::Discarded => {
                f.write_str("its exit status is unknown (does this program ignore SIGCHLD?)")
            }
            Status::Unreported => {
                f.write_str("its exit status is unknown (the wrapper that started it outlived it)")
            }
            Status::InProcess => f.write_str("it ran within this process, which is still alive"),
        }
    }
}

impl Death {
    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns `true` if the interpreter of a Python object died; the daemon is still
    /// alive then.
    #[must_use]
    pub fn is_of_interpreter(&self) -> bool {
        self.whose == DeadProcess::Interpreter
    }

    /// Returns the exit code, if it exited by itself.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status().and_then(|status| status.code())
    }

    /// Returns the signal that ended it, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Returns `true` if the kernel wrote a core dump of it.
    #[must_use]
    pub fn core_dumped(&self) -> bool {
        self.status().is_some_and(|status| status.core_dumped())
    }

    /// Returns the exit status. It is `None` if this program ignores SIGCHLD, because the
    /// kernel then discards it, or if a wrapper had started the daemon, and outlived it
    /// without reporting its status.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.status.known()
    }

    /// Returns why oad killed it, as "it closed its connection …"; `None` if something
    /// else ended it.
    #[must_use]
    pub fn kill_reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Returns the end of its stderr: at most 4 KiB, with control characters escaped.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Returns how long it had lived.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.uptime
    }

    /// As "killed by signal 9 (SIGKILL) by oad, because it …".
    pub(crate) fn how(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{} by oad, because {reason}", self.status),
            None => self.status.to_string(),
        }
    }

    /// The same of a death that another process has reported, whose texts may be of any
    /// length and may contain anything.
    pub(crate) fn reported(self) -> Self {
        Death {
            reason: self.reason.map(|reason| shortened(&reason, Excerpt::LIMIT)),
            stderr: escaped_end(&self.stderr, MAX_STDERR),
            ..self
        }
    }

    pub(super) fn fmt_details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  uptime: {:.3} s", self.uptime.as_secs_f64())?;
        if self.stderr.is_empty() {
            return f.write_str("; stderr: empty");
        }
        f.write_str("; stderr ended with:")?;
        write_lines(&self.stderr, f)
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = match self.whose {
            DeadProcess::Daemon => "the daemon's process",
            DeadProcess::Interpreter => "the interpreter",
        };
        write!(f, "{process} died: ")?;
        one_line(&self.how(), MAX_PART, f)
    }
}

/// Describes an exit status: "exited with code 3", "killed by signal 9 (SIGKILL)".
pub(crate) fn describe(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("exited with code {code}");
    }
    let Some(signal) = status.signal() else { return status.to_string() };
    let core = if status.core_dumped() { ", core dumped" } else { "" };
    match name(signal) {
        Some(name) => format!("killed by signal {signal} ({name}){core}"),
        None => format!("killed by signal {signal}{core}"),
    }
}

/// The names of the signals that end a process, by their numbers on Linux (signal(7); the
/// same on x86-64 and ARM).
fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_described_in_words() {
        assert_eq!(describe(ExitStatus::from_raw(3 << 8)), "exited with code 3");
        assert_eq!(describe(ExitStatus::from_raw(9)), "killed by signal 9 (SIGKILL)");
        assert_eq!(
            describe(ExitStatus::from_raw(11 | 0x80)),
            "killed by signal 11 (SIGSEGV), core dumped"
        );
        assert_eq!(describe(ExitStatus::from_raw(40)), "killed by signal 40");
        let death = |status| {
            Death {
                whose: DeadProcess::Daemon,
                pid: 1,
                status,
                reason: None,
                stderr: String::new(),
                uptime: Duration::ZERO,
            }
            .to_string()
        };
        assert_eq!(Status::exited(259).known(), Some(ExitStatus::from_raw(3 << 8)));
        assert_eq!(
            [Status::killed(9, false), Status::Discarded, Status::Unreported].map(death),
            [
                "the daemon's process died: killed by signal 9 (SIGKILL)",
                "the daemon's process died: its exit status is unknown (does this program ignore \
                 SIGCHLD?)",
                "the daemon's process died: its exit status is unknown (the wrapper that started \
                 it outlived it)",
            ]
        );
    }
}
