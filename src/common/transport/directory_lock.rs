//! The lock on a daemon's directory, by which it is also known.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};

use crate::common::transport::endpoint::SOCKET;

/// The prefix of the name of every such directory; the daemon's UUID follows.
pub(super) const PREFIX: &str = "oad-";

/// The shared lock that marks a directory as used. The kernel releases it with the
/// process, however that ends.
///
/// It also tells the directory from another one that somebody has put at its path.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    fd: OwnedFd,
}

impl Lock {
    /// Marks the directory as used by this process.
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        Lock::with(directory, FlockOperation::NonBlockingLockShared)
    }

    /// Succeeds if no process uses the directory; while this lives, none can start to.
    pub(super) fn take_alone(directory: &Path) -> io::Result<Self> {
        Lock::with(directory, FlockOperation::NonBlockingLockExclusive)
    }

    fn with(directory: &Path, operation: FlockOperation) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(directory, flags, Mode::empty())?;
        rustix::fs::flock(&fd, operation)?;
        Ok(Lock { path: directory.to_owned(), fd })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets only this user enter, whatever the umask is.
    pub(super) fn set_private(&self) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.fd, Mode::RWXU)?)
    }

    pub(super) fn is_ours(&self) -> bool {
        rustix::fs::fstat(&self.fd)
            .is_ok_and(|stat| stat.st_uid == rustix::process::geteuid().as_raw())
    }

    /// Whether the directory is still the one at its path.
    pub(super) fn is_at_its_path(&self) -> bool {
        match (rustix::fs::fstat(&self.fd), rustix::fs::lstat(&self.path)) {
            (Ok(own), Ok(there)) => (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino),
            _ => false,
        }
    }

    /// Removes the directory and its socket. Parent and daemon both do it, in any order.
    ///
    /// # Errors
    ///
    /// If something else is in it, or the directory above it cannot be written to.
    pub(crate) fn remove_directory(&self) -> io::Result<()> {
        // By descriptor: in this directory, whatever is at its path now.
        match rustix::fs::unlinkat(&self.fd, SOCKET, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        if !self.is_at_its_path() {
            return Ok(());
        }
        match rustix::fs::rmdir(&self.path) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
