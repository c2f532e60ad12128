//! Removes the directories of daemons that were killed together with their parents.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::common::transport::directory_lock::{Lock, PREFIX};

/// How long one sweep may take. The next one goes on where it stopped.
const LIMIT: Duration = Duration::from_millis(20);

/// The least time between two sweeps.
const PAUSE: Duration = Duration::from_secs(1);

/// The last sweep of this process.
static LAST: Mutex<Option<LastSweep>> = Mutex::new(None);

struct LastSweep {
    base: PathBuf,
    /// How many entries of the directory it has left behind.
    position: usize,
    ended: Instant,
}

/// Sweeps `base` on another thread, so that no start of a daemon waits for it. A folder
/// may hold very many directories of other users.
pub(super) fn sweep_in_background(base: PathBuf) {
    let sweeping = move || {
        // A sweep that goes on is enough.
        let Ok(mut last) = LAST.try_lock() else { return };
        let position = match &*last {
            Some(last) if last.ended.elapsed() < PAUSE => return,
            Some(last) if last.base == base => last.position,
            _ => 0,
        };
        let position = sweep(&base, position, Instant::now() + LIMIT);
        *last = Some(LastSweep { base, position, ended: Instant::now() });
    };
    // Without a thread, a later sweep does it. It ends with its work, so that a program
    // has no more threads after its first daemon than after its hundredth.
    let _ = std::thread::Builder::new().name("oad-sweep".to_owned()).spawn(sweeping);
}

/// Sweeps from the entry number `position` on, until `end`; returns where to go on.
/// Failures are left to a later sweep.
fn sweep(base: &Path, position: usize, end: Instant) -> usize {
    let Ok(entries) = base.read_dir() else { return 0 };
    for (number, entry) in entries.enumerate().skip(position) {
        if Instant::now() > end {
            return number;
        }
        let Ok(entry) = entry else { return 0 };
        if !is_named_so(&entry.file_name()) {
            continue;
        }
        if let Ok(lock) = Lock::take_alone(&entry.path())
            && lock.is_ours()
        {
            // Something else may be in it.
            let _ = lock.remove_directory();
        }
    }
    0
}

fn is_named_so(name: &OsStr) -> bool {
    let uuid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    uuid.is_some_and(|uuid| uuid.len() == 32 && Uuid::try_parse(uuid).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> String {
        format!("{PREFIX}{}", Uuid::new_v4().simple())
    }

    #[test]
    fn directory_without_a_lock_is_swept_and_one_in_use_is_not() {
        let base = tempfile::tempdir().expect("the temporary directory can be written to");
        let used = base.path().join(name());
        std::fs::create_dir(&used).expect("it is not there yet");
        let _lock = Lock::take(&used).expect("nobody else has it");
        let left = base.path().join(name());
        let others = [base.path().join("oad-notes"), base.path().join(format!("x{}", name()))];
        for path in others.iter().chain([&left]) {
            std::fs::create_dir(path).expect("it is not there yet");
        }
        std::fs::write(left.join("s"), "").expect("it is empty");
        sweep(base.path(), 0, Instant::now() + Duration::from_secs(60));
        assert!(!left.exists(), "it is nobody's");
        assert!(used.exists() && others.iter().all(|path| path.exists()));
    }

    #[test]
    fn sweep_without_time_goes_on_later() {
        let base = tempfile::tempdir().expect("the temporary directory can be written to");
        for _ in 0..3 {
            std::fs::create_dir(base.path().join(name())).expect("it is not there yet");
        }
        let position = sweep(base.path(), 1, Instant::now() - Duration::from_millis(1));
        assert_eq!(position, 1, "it has no time");
        assert_eq!(sweep(base.path(), 0, Instant::now() + Duration::from_secs(60)), 0);
        assert_eq!(std::fs::read_dir(base.path()).expect("it is there").count(), 0);
    }
}
