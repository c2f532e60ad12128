//! Whether a process is to be a daemon: by its environment and its fd 0.

use rustix::net::sockopt::socket_domain;
use rustix::net::{AddressFamily, RecvFlags, recv};
use uuid::Uuid;

use crate::common::process::marker::Marker;

/// What a process was started as.
///
/// A program that an object starts inherits the marker but not the lifeline, because a
/// daemon moves that away from fd 0. Pids are not compared: in a PID namespace they have
/// other numbers than outside. A program that took itself for an ordinary one there would
/// run its `main`, which starts the next daemon, without end.
#[derive(Debug)]
pub(super) enum Role {
    /// It runs its `main`.
    Program,
    /// It serves: it has the marker of a daemon, and fd 0 is that daemon's lifeline.
    Daemon(Marker),
    /// It was started as a daemon, but its marker or its lifeline was lost on the way.
    /// Running its `main` would start the next one.
    Incomplete { reason: &'static str, has_lifeline: bool },
}

const NO_LIFELINE: &str = "the socket at its fd 0 is not that daemon's lifeline; a wrapper, such \
                           as one that makes a PID namespace, must pass on its stdin unchanged, \
                           and a program that an object starts with a socket as its stdin needs \
                           an environment without `OAD_DAEMON`";

const NO_MARKER: &str = "its environment does not contain the variable `OAD_DAEMON`; a wrapper, \
                         such as `sudo` or `env -i`, must pass on its environment";

impl Role {
    pub(super) fn of_this_process() -> Self {
        if socket_domain(rustix::stdio::stdin()) != Ok(AddressFamily::UNIX) {
            return Role::Program;
        }
        match (Marker::of_this_process(), greeted_daemon()) {
            (Some(marker), Some(daemon)) if marker.id == daemon => Role::Daemon(marker),
            (Some(_), _) => Role::Incomplete { reason: NO_LIFELINE, has_lifeline: false },
            (None, Some(_)) => Role::Incomplete { reason: NO_MARKER, has_lifeline: true },
            (None, None) => Role::Program,
        }
    }
}

/// Whether this process was started as a daemon; see [`Role`].
pub(crate) fn is_started_as_daemon() -> bool {
    !matches!(Role::of_this_process(), Role::Program)
}

/// The daemon that the hello at fd 0 names. The parent writes it before it starts the
/// process, so this does not wait.
fn greeted_daemon() -> Option<Uuid> {
    let mut hello = [0; 256];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let (_, len) = recv(rustix::stdio::stdin(), &mut hello, flags).ok()?;
    named_daemon(&hello[..len])
}

/// The daemon that the beginning of a hello names in its second field.
fn named_daemon(hello: &[u8]) -> Option<Uuid> {
    let text = String::from_utf8_lossy(hello);
    let (_, rest) = text.strip_prefix("{\"protocol\":")?.split_once(",\"daemon\":\"")?;
    Uuid::try_parse(rest.split_once('"')?.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_names_its_daemon() {
        let daemon = Uuid::from_u128(0xab);
        let hello = format!("{{\"protocol\":1,\"daemon\":\"{daemon}\",\"transport\":{{\"Un");
        assert_eq!(named_daemon(hello.as_bytes()), Some(daemon));
        assert_eq!(named_daemon(b""), None);
        assert_eq!(named_daemon(&hello.as_bytes()[1..]), None);
    }
}
