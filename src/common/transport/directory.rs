//! The private directory that holds a daemon's socket.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use tempfile::TempDir;
use uuid::Uuid;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::transport::endpoint::{MAX_SOCKET_PATH, socket_in};

/// The prefix of the name of every such directory; the daemon's UUID follows.
const PREFIX: &str = "oad-";

/// How often a directory is created again that was swept away before it had its lock.
const ATTEMPTS: usize = 5;

/// A fresh directory that only this user may enter, named after the daemon; it is removed
/// when this is dropped.
///
/// The parent creates it before it starts the process, so that it knows what to remove.
/// The daemon removes it too, in case the parent is dead; a directory that is already
/// gone is not a failure. Both hold a lock on it while they live. If both are killed at
/// once, the directory stays without a lock, and the next `Directory::create` removes it.
#[derive(Debug)]
pub(crate) struct Directory {
    directory: TempDir,
    _lock: Lock,
}

/// The shared lock that marks a directory as used. The kernel releases it with the
/// process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock(OwnedFd);

impl Directory {
    /// Creates the directory under `$XDG_RUNTIME_DIR`, else under the temporary
    /// directory, else — where the socket's path would be too long — under `/tmp`.
    pub(crate) fn create(daemon: Uuid) -> Result<Self> {
        let runtime =
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| usable(dir));
        let temporary = std::path::absolute(std::env::temp_dir()).ok();
        let name = format!("{PREFIX}{}", daemon.simple());

        // The path goes through JSON and to grpcurl, so it must be text.
        let fits = |base: &PathBuf| {
            socket_in(&base.join(&name)).to_str().is_some_and(|path| path.len() <= MAX_SOCKET_PATH)
        };
        // `/tmp` always fits.
        let base = runtime
            .into_iter()
            .chain(temporary)
            .find(fits)
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        sweep(&base);
        Directory::create_in(&base, &name).map_err(|error| {
            let message = format!(
                "failed to create a directory for the daemon's socket in `{}`: {error}",
                base.display()
            );
            Error::new(ErrorKind::Spawn, message)
                .advise("set `XDG_RUNTIME_DIR` or `TMPDIR` to a writable directory")
                .because(error)
        })
    }

    fn create_in(base: &Path, name: &str) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::Builder::new()
                .prefix(name)
                .rand_bytes(0)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(base)?;
            // Before the lock is taken, another program's sweep may find the directory
            // without one, and remove it.
            match Lock::take(directory.path()) {
                Ok(lock) if directory.path().exists() => {
                    return Ok(Directory { directory, _lock: lock });
                }
                Err(error)
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotFound
                    ) =>
                {
                    return Err(error);
                }
                // The sweep removes it; removing it here too could hit the next one.
                _ => wait_until_gone(&directory.keep()),
            }
        }
        Err(io::Error::other("another program removed it each time it was created"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it, with what is in it.
    pub(crate) fn remove(self) -> io::Result<()> {
        match self.directory.close() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

impl Lock {
    /// Marks the directory as used by this process.
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        let fd = open(directory)?;
        rustix::fs::flock(&fd, FlockOperation::NonBlockingLockShared)?;
        Ok(Lock(fd))
    }

    /// Succeeds if no process uses the directory; while this lives, none can start to.
    fn take_alone(directory: &Path) -> io::Result<Self> {
        let fd = open(directory)?;
        rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Lock(fd))
    }

    fn is_ours(&self) -> bool {
        rustix::fs::fstat(&self.0)
            .is_ok_and(|stat| stat.st_uid == rustix::process::geteuid().as_raw())
    }
}

/// Waits briefly until a sweep has removed the directory.
fn wait_until_gone(directory: &Path) {
    for _ in 0..50 {
        if !directory.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn open(directory: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(directory, flags, Mode::empty())?)
}

/// Removes a daemon's directory and its socket. Parent and daemon both do it, in any
/// order.
pub(crate) fn remove_directory(directory: &Path) {
    let _ = std::fs::remove_file(socket_in(directory));
    let _ = std::fs::remove_dir(directory);
}

/// Removes the directories of daemons that were killed together with their parents.
/// Failures are left to the next sweep.
fn sweep(base: &Path) {
    let is_named_so = |name: &OsStr| {
        let uuid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        uuid.is_some_and(|uuid| uuid.len() == 32 && Uuid::try_parse(uuid).is_ok())
    };
    for entry in base
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_named_so(&entry.file_name()))
    {
        let path = entry.path();
        if Lock::take_alone(&path).is_ok_and(|lock| lock.is_ours()) {
            remove_directory(&path);
        }
    }
}

/// Whether `$XDG_RUNTIME_DIR` conforms to its specification: absolute, owned by this
/// user, and closed to all others. It is often stale under `su` and `sudo`.
fn usable(dir: &Path) -> bool {
    let ours = |metadata: std::fs::Metadata| {
        metadata.is_dir()
            && metadata.uid() == rustix::process::geteuid().as_raw()
            && metadata.mode() & 0o022 == 0
    };
    dir.is_absolute() && dir.metadata().is_ok_and(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_is_private_and_goes_with_its_owner() {
        let daemon = Uuid::new_v4();
        let directory =
            Directory::create(daemon).expect("the temporary directory can be written to");
        let path = directory.path().to_owned();
        let mode = path.metadata().expect("it exists").mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(path.ends_with(format!("oad-{}", daemon.simple())), "{}", path.display());
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn directory_that_is_gone_is_removed_without_failure() {
        let directory =
            Directory::create(Uuid::new_v4()).expect("the temporary directory can be written to");
        std::fs::remove_dir(directory.path()).expect("it is empty");
        directory.remove().expect("there is nothing to do");
    }

    #[test]
    fn directory_without_a_lock_is_swept_and_one_in_use_is_not() {
        let base = tempfile::tempdir().expect("the temporary directory can be written to");
        let name = || format!("{PREFIX}{}", Uuid::new_v4().simple());
        let used = Directory::create_in(base.path(), &name()).expect("it can be made");
        let left = base.path().join(name());
        let others = [base.path().join("oad-notes"), base.path().join(format!("x{}", name()))];
        for path in others.iter().chain([&left]) {
            std::fs::create_dir(path).expect("it is not there yet");
        }
        std::fs::write(left.join("s"), "").expect("it is empty");
        sweep(base.path());
        assert!(!left.exists(), "it is nobody's");
        assert!(used.path().exists() && others.iter().all(|path| path.exists()));
    }
}
