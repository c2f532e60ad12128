//! The private directory that holds a daemon's socket.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::transport::Endpoint;
use crate::transport::endpoint::MAX_SOCKET_PATH;

/// A fresh directory that only this user may enter, named after the daemon; it is removed when this is dropped.
///
/// The parent makes it before there is a process, so that there is nothing it would not know to remove. The daemon removes it too, for
/// the case that the parent is gone; to find it gone is no failure.
#[derive(Debug)]
pub(crate) struct Directory(TempDir);

impl Directory {
    /// Makes the directory under `$XDG_RUNTIME_DIR`, else under the temporary directory, else — where the socket's path would be
    /// too long — under `/tmp`.
    pub(crate) fn create(daemon: Uuid) -> Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| usable(Path::new(dir)));
        let temporary = std::path::absolute(std::env::temp_dir()).ok().map(PathBuf::into_os_string);
        let candidates: Vec<OsString> = runtime.into_iter().chain(temporary).chain([OsString::from("/tmp")]).collect();
        let name = format!("oad-{}", daemon.simple());

        let fits = |base: &&OsString| {
            let path = Endpoint::in_directory(&Path::new(base).join(&name));
            path.path().as_os_str().as_bytes().len() <= MAX_SOCKET_PATH
        };
        // `/tmp` always fits.
        let base = candidates.iter().find(fits).map_or(Path::new("/tmp"), Path::new);
        tempfile::Builder::new()
            .prefix(&name)
            .rand_bytes(0)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map(Directory)
            .map_err(|error| {
                let message =
                    format!("no directory for the daemon's socket can be made in {}: {error}", base.display());
                Error::new(ErrorKind::Spawn, message)
                    .advise("name a directory you may write to in `XDG_RUNTIME_DIR` or `TMPDIR`")
                    .because(error)
            })
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Removes it, with what is in it.
    pub(crate) fn remove(self) -> io::Result<()> {
        match self.0.close() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Whether `$XDG_RUNTIME_DIR` is what its specification says: absolute, ours, nobody else's. It is often stale under `su` and `sudo`.
fn usable(dir: &Path) -> bool {
    let ours = |metadata: std::fs::Metadata| {
        metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
    };
    dir.is_absolute() && dir.metadata().is_ok_and(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_is_private_and_goes_with_its_owner() {
        let daemon = Uuid::new_v4();
        let directory = Directory::create(daemon).expect("the temporary directory can be written to");
        let path = directory.path().to_owned();
        let mode = path.metadata().expect("it exists").mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(path.ends_with(format!("oad-{}", daemon.simple())), "{}", path.display());
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn directory_that_is_gone_is_removed_without_failure() {
        let directory = Directory::create(Uuid::new_v4()).expect("the temporary directory can be written to");
        std::fs::remove_dir(directory.path()).expect("it is empty");
        directory.remove().expect("there is nothing to do");
    }
}
