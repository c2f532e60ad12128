//! The private directory that holds a daemon's socket.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Mode;
use uuid::Uuid;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::transport::directory_lock::{Lock, PREFIX};
use crate::common::transport::endpoint::{MAX_SOCKET_PATH, socket_in};
use crate::common::transport::sweep::sweep_in_background;

/// How often a directory is created again that was swept away before it had its lock.
const ATTEMPTS: usize = 5;

/// A fresh directory that only this user may enter, named after the daemon; it is removed
/// when this is dropped.
///
/// The parent creates it before it starts the process, so that it knows what to remove.
/// The daemon removes it too, in case the parent is dead; a directory that is already
/// gone is not a failure. Both hold a lock on it while they live. If both are killed at
/// once, the directory stays without a lock, and a later sweep removes it.
#[derive(Debug)]
pub(crate) struct Directory(Lock);

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
        let created = Directory::create_in(&base, &name);
        sweep_in_background(base.clone());
        created.map_err(|error| {
            let message = format!(
                "failed to create a directory for the daemon's socket in `{}`: {error}",
                base.display()
            );
            let advice = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                Some(rustix::io::Errno::MFILE) => {
                    "this process has reached its limit on open files (`ulimit -n`)"
                }
                Some(rustix::io::Errno::NFILE) => "the system has reached its limit on open files",
                Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
                    "make room, or set `XDG_RUNTIME_DIR` or `TMPDIR` to another directory"
                }
                _ => "set `XDG_RUNTIME_DIR` or `TMPDIR` to a writable directory",
            };
            Error::new(ErrorKind::Spawn, message).advise(advice).because(error)
        })
    }

    fn create_in(base: &Path, name: &str) -> io::Result<Self> {
        let path = base.join(name);
        for _ in 0..ATTEMPTS {
            rustix::fs::mkdir(&path, Mode::RWXU)?;
            // Before the lock is taken, another program's sweep may find the directory
            // without one, and remove it.
            match Lock::take(&path) {
                Ok(lock) if lock.is_at_its_path() => {
                    let directory = Directory(lock);
                    directory.0.set_private()?;
                    return Ok(directory);
                }
                Err(error)
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotFound
                    ) =>
                {
                    // It has just been made here, and only an empty one is removed.
                    let _ = rustix::fs::rmdir(&path);
                    return Err(error);
                }
                // The sweep removes it; removing it here too could hit the next one.
                _ => wait_until_gone(&path),
            }
        }
        Err(io::Error::other("another program removed it each time it was created"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Removes it, with its socket. Nothing else belongs there, and a directory that
    /// somebody has put at its path meanwhile stays.
    ///
    /// # Errors
    ///
    /// If something else is in it.
    pub(crate) fn remove(self) -> io::Result<()> {
        self.0.remove_directory()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // After `remove` there is nothing to do. Otherwise, the next sweep tries again.
        let _ = self.0.remove_directory();
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
    fn only_the_directory_that_was_made_is_removed() {
        let base = tempfile::tempdir().expect("the temporary directory can be written to");
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        for is_dropped in [false, true] {
            let directory = Directory::create_in(base.path(), &name).expect("it can be made");
            let (path, aside) = (directory.path().to_owned(), base.path().join("aside"));
            std::fs::write(socket_in(&path), "").expect("it is empty");
            std::fs::rename(&path, &aside).expect("it is ours");
            std::fs::create_dir(&path).expect("there is none");
            std::fs::write(socket_in(&path), "somebody's").expect("it is empty");
            match is_dropped {
                false => directory.remove().expect("there is nothing to do"),
                true => drop(directory),
            }
            assert!(socket_in(&path).exists(), "what somebody has put there stays");
            assert!(!socket_in(&aside).exists(), "the socket that was made is removed");
            std::fs::remove_dir_all(&path).expect("it is the test's");
            std::fs::remove_dir(&aside).expect("it is empty");
        }
    }

    #[test]
    fn directory_with_something_else_in_it_stays() {
        let base = tempfile::tempdir().expect("the temporary directory can be written to");
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        let directory = Directory::create_in(base.path(), &name).expect("it can be made");
        let file = directory.path().join("notes");
        std::fs::write(&file, "").expect("it is empty");
        directory.remove().expect_err("it is not empty");
        assert!(file.exists());
    }

    #[test]
    fn directory_is_private_whatever_the_umask_is() {
        let base = tempfile::tempdir().expect("the temporary directory can be written to");
        let directory = Directory::create_in(base.path(), "oad-x").expect("it can be made");
        let mode = directory.path().metadata().expect("it exists").mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
