//! Wrappers that started this daemon and outlive both it and its parent.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::common::process::descendants;
use crate::common::process::marker::Marker;
use crate::common::process::pidfd::{EXITED, becomes};

/// How long a wrapper may take to end after it was asked to.
const MOMENT: Duration = Duration::from_millis(200);

/// How long a dying parent, which has closed its end of the lifeline, may take to exit.
const DYING: Duration = Duration::from_millis(100);

/// The processes between this daemon and its parent.
#[derive(Clone, Debug)]
pub(crate) struct Wrappers(Option<StartedProcess>);

#[derive(Clone, Debug)]
struct StartedProcess {
    marker: Marker,
    lifeline: Arc<OwnedFd>,
    /// `None` if it was dead already.
    parent: Option<Arc<OwnedFd>>,
}

impl Wrappers {
    /// Finds the wrappers between the process `parent`, at the other end of `lifeline`,
    /// and this process. If `parent` started this process itself, there are no wrappers.
    ///
    /// # Errors
    ///
    /// Any error of pidfd_open(2) or dup(2), mostly too many open files.
    pub(super) fn below(parent: Pid, lifeline: &OwnedFd) -> io::Result<Self> {
        let Some(marker) =
            Marker::of_this_process().filter(|_| rustix::process::getppid() != Some(parent))
        else {
            return Ok(Wrappers(None));
        };
        let parent = match pidfd_open(parent, PidfdFlags::empty()) {
            Ok(parent) => Some(Arc::new(parent)),
            Err(Errno::SRCH) => None,
            Err(error) => return Err(error.into()),
        };
        let lifeline = Arc::new(lifeline.try_clone()?);
        Ok(Wrappers(Some(StartedProcess { marker, lifeline, parent })))
    }

    /// Asks them to end if the parent is dead, waits a moment, and kills those that are
    /// still there, with what else was started for this daemon. A parent that lives does
    /// that itself, after this process has exited.
    ///
    /// Only for a process that is about to exit. A wrapper that waits for that exit
    /// before it ends itself is killed, because nothing would be left to do it later.
    pub(crate) fn end_if_orphaned(&self) {
        if let Some(started) = self.0.as_ref().filter(|started| started.is_orphaned()) {
            descendants::end_marked(started.marker, MOMENT);
        }
    }
}

impl StartedProcess {
    fn is_orphaned(&self) -> bool {
        let Some(parent) = &self.parent else { return true };
        let is_dying = becomes(&self.lifeline, PollFlags::HUP, Instant::now());
        becomes(parent, EXITED, Instant::now() + if is_dying { DYING } else { Duration::ZERO })
    }
}
