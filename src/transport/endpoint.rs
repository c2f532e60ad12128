//! Where a daemon can be reached.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where a daemon can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// The socket in a daemon's directory.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Endpoint::Unix(directory.join(SOCKET_NAME))
    }

    pub(crate) fn path(&self) -> &Path {
        let Endpoint::Unix(path) = self;
        path
    }
}

/// Short, because the whole path must fit [`MAX_SOCKET_PATH`].
const SOCKET_NAME: &str = "s";

/// The longest path a Unix socket can have, in bytes (unix(7): 108 with the final NUL).
pub(super) const MAX_SOCKET_PATH: usize = 107;

/// As grpcurl takes it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint::Unix(path) = self;
        write!(f, "unix:{}", path.display())
    }
}
