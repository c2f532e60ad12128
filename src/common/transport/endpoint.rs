//! The address of a daemon.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The address of a daemon. `Display` uses gRPC's syntax: `unix:/run/user/1000/oad-…/s`,
/// or `127.0.0.1:41234`. grpcurl has another syntax for the first; see
/// [`Daemon::grpcurl`](crate::Daemon::grpcurl).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket, by its path. Only this user can open it.
    Unix(PathBuf),
    /// A port of this machine. Any local user can connect, but requests without the
    /// daemon's token are refused.
    Tcp(SocketAddr),
    /// None: the daemon runs in the process that started it, and only that can reach it.
    InProcess,
}

impl Endpoint {
    /// The socket in a daemon's directory.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Endpoint::Unix(socket_in(directory))
    }

    /// A port of 127.0.0.1 that the kernel chooses.
    pub(crate) fn any_port() -> Self {
        Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// The path of the Unix socket, if it is one.
    pub(crate) fn socket(&self) -> Option<&Path> {
        match self {
            Endpoint::Unix(path) => Some(path),
            Endpoint::Tcp(_) | Endpoint::InProcess => None,
        }
    }
}

/// The path of the socket in a daemon's directory.
pub(super) fn socket_in(directory: &Path) -> PathBuf {
    // Short, because the whole path must fit `MAX_SOCKET_PATH`.
    directory.join(SOCKET)
}

/// The name of a daemon's socket in its directory.
pub(super) const SOCKET: &str = "s";

/// The longest path a Unix socket can have, in bytes (unix(7): 108 with the final NUL).
pub(super) const MAX_SOCKET_PATH: usize = 107;

/// In gRPC's syntax.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "{address}"),
            Endpoint::InProcess => f.write_str("in-process"),
        }
    }
}
