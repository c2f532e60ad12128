//! The marker of a daemon or an interpreter in its environment.

use uuid::Uuid;

/// The environment variable that a daemon is started with: its parent's pid and its own
/// UUID. The processes of its object inherit it, so alone it means nothing. It identifies
/// the processes that a killed daemon left behind.
const DAEMON: &str = "OAD_DAEMON";

/// The same variable for an interpreter.
const INTERPRETER: &str = "OAD_INTERPRETER";

/// The marker of one daemon or interpreter, as `VARIABLE=pid:uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    variable: &'static str,
    parent: u32,
    pub(super) id: Uuid,
}

impl Marker {
    /// The marker of a daemon of this process.
    pub(super) fn of_daemon(id: Uuid) -> Self {
        Marker { variable: DAEMON, parent: std::process::id(), id }
    }

    /// The marker of a new interpreter of this process.
    pub(super) fn of_interpreter() -> Self {
        Marker { variable: INTERPRETER, parent: std::process::id(), id: Uuid::new_v4() }
    }

    /// The marker that this process was started with as a daemon, if it was.
    pub(super) fn of_this_process() -> Option<Self> {
        let variable = std::env::var(DAEMON).ok()?;
        let (parent, id) = variable.split_once(':')?;
        Some(Marker { variable: DAEMON, parent: parent.parse().ok()?, id: id.parse().ok()? })
    }

    /// Returns whether this process started the marked process.
    pub(super) fn is_of_child(self) -> bool {
        self.parent == std::process::id()
    }

    pub(super) fn variable(self) -> (&'static str, String) {
        (self.variable, format!("{}:{}", self.parent, self.id.simple()))
    }

    /// Returns whether the process `pid` was started with this marker. The environment of
    /// another user's process, or of one that has just ended, cannot be read.
    pub(super) fn is_on(self, pid: i32) -> bool {
        std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| self.is_in(&environ))
    }

    /// Returns whether an environment, in the form of `/proc/<pid>/environ`, contains it.
    fn is_in(self, environ: &[u8]) -> bool {
        let (name, value) = self.variable();
        let entry = format!("{name}={value}");
        environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_is_found_whole_in_an_environment() {
        let marker = Marker { variable: DAEMON, parent: 12, id: Uuid::from_u128(0xab) };
        let (name, value) = marker.variable();
        assert!(marker.is_in(format!("A=1\0{name}={value}\0B=2\0").as_bytes()));
        assert!(!marker.is_in(format!("A=1\0{name}={value}0\0").as_bytes()));
        assert!(!marker.is_in(format!("X{name}={value}\0").as_bytes()));
    }
}
