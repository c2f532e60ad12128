//! Where a daemon can be reached.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where a daemon can be reached. `Display` shows it as gRPC names addresses:
/// `unix:/run/user/1000/oad-…/s`, or `127.0.0.1:41234`. grpcurl wants the first of these
/// otherwise; see [`Daemon::grpcurl`](crate::Daemon::grpcurl).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket, by its path. Only this user can open it.
    Unix(PathBuf),
    /// A port of this machine. Everybody on it can connect, but is answered nothing
    /// without the daemon's token.
    Tcp(SocketAddr),
    /// None: it lives in the very process that made it, and only that can reach it.
    InProcess,
}

impl Endpoint {
    /// The socket in a daemon's directory.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Endpoint::Unix(socket_in(directory))
    }

    /// A port of 127.0.0.1 that the kernel is to choose.
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
    // Short, because the whole must fit `MAX_SOCKET_PATH`.
    directory.join("s")
}

/// The longest path a Unix socket can have, in bytes (unix(7): 108 with the final NUL).
pub(super) const MAX_SOCKET_PATH: usize = 107;

/// As gRPC names addresses.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "{address}"),
            Endpoint::InProcess => f.write_str("in-process"),
        }
    }
}
