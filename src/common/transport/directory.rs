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

/// What the name of every such directory begins with; the daemon's UUID follows.
const PREFIX: &str = "oad-";

/// How often a directory is made anew that was swept away in the moment before it had its
/// lock.
const ATTEMPTS: usize = 5;

/// A fresh directory that only this user may enter, named after the daemon; it is removed
/// when this is dropped.
///
/// The parent makes it before there is a process, so that there is nothing it would not
/// know to remove. The daemon removes it too, for the case that the parent is gone; to
/// find it gone is no failure. Both hold a lock on it while they live. Where both are
/// killed at once the directory stays, with nobody's lock, and the next one to be made
/// sweeps it away.
#[derive(Debug)]
pub(crate) struct Directory {
    directory: TempDir,
    _lock: Lock,
}

/// The shared lock that says that a directory is in use. The kernel lets go of it with
/// the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock(OwnedFd);

impl Directory {
    /// Makes the directory under `$XDG_RUNTIME_DIR`, else under the temporary directory,
    /// else — where the socket's path would be too long — under `/tmp`.
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
                "no directory for the daemon's socket can be made in {}: {error}",
                base.display()
            );
            Error::new(ErrorKind::Spawn, message)
                .advise("name a directory you may write to in `XDG_RUNTIME_DIR` or `TMPDIR`")
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
                // It is the sweep's to remove: a second hand could remove the next one.
                _ => wait_until_gone(&directory.keep()),
            }
        }
        Err(io::Error::other("it is swept away as soon as it is made"))
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
    /// Says that this process uses the directory.
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        let fd = open(directory)?;
        rustix::fs::flock(&fd, FlockOperation::NonBlockingLockShared)?;
        Ok(Lock(fd))
    }

    /// Whether nobody uses the directory; while this lives, nobody begins to.
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

/// Waits, not for long, until a sweep has done what it has begun.
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

/// Removes a daemon's directory, with its socket. Parent and daemon both do it, and
/// either may be first.
pub(crate) fn remove_directory(directory: &Path) {
    let _ = std::fs::remove_file(socket_in(directory));
    let _ = std::fs::remove_dir(directory);
}

/// Removes the directories of daemons that were killed together with their parents. What
/// cannot be removed is left to the next sweep.
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

/// Whether `$XDG_RUNTIME_DIR` is what its specification says: absolute, ours, nobody
/// else's. It is often stale under `su` and `sudo`.
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
