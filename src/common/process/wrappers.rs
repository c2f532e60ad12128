//! Wrappers that started this daemon and outlive both it and its parent.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
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
    parent: WatchedParent,
}

/// What a daemon below a wrapper can watch of its parent.
#[derive(Clone, Debug)]
enum WatchedParent {
    Process(Arc<OwnedFd>),
    /// It was dead already.
    Dead,
    /// It is outside of this PID namespace, so only the lifeline shows its death.
    OutOfSight,
}

impl Wrappers {
    /// Finds the wrappers between the process `parent`, at the other end of `lifeline`,
    /// and this process. If `parent` started this process itself, there are no wrappers.
    /// A parent outside of this PID namespace is `None`.
    ///
    /// # Errors
    ///
    /// Any error of pidfd_open(2) or dup(2), mostly too many open files.
    pub(super) fn below(parent: Option<Pid>, lifeline: BorrowedFd<'_>) -> io::Result<Self> {
        let Some(marker) = Marker::of_this_process().filter(|_| match parent {
            Some(parent) => rustix::process::getppid() != Some(parent),
            None => true,
        }) else {
            return Ok(Wrappers(None));
        };
        let parent = match parent.map(|parent| pidfd_open(parent, PidfdFlags::empty())) {
            Some(Ok(parent)) => WatchedParent::Process(Arc::new(parent)),
            Some(Err(Errno::SRCH)) => WatchedParent::Dead,
            Some(Err(error)) => return Err(error.into()),
            None => WatchedParent::OutOfSight,
        };
        let lifeline = Arc::new(lifeline.try_clone_to_owned()?);
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
        let is_dying = becomes(&self.lifeline, PollFlags::HUP, Instant::now());
        match &self.parent {
            WatchedParent::Process(parent) => {
                let patience = if is_dying { DYING } else { Duration::ZERO };
                becomes(parent, EXITED, Instant::now() + patience)
            }
            WatchedParent::Dead => true,
            WatchedParent::OutOfSight => is_dying,
        }
    }
}
