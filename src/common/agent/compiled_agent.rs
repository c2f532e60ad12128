//! The agent as some build of Python has compiled it.
//!
//! To compile the agent takes longer than to start Python. So the first interpreter of a
//! build passes what it has compiled to its daemon, before the object's first line, and
//! the daemon to its parent. Later daemons of that parent begin with it. It stands in
//! memory that nobody can change, and nothing is written to a disk.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

/// How many builds are kept in a process, the newest. Each takes a descriptor, and so
/// many can travel with one frame.
const MAX_BUILDS: usize = 4;

/// The largest code that is kept, in bytes. CPython 3.11 makes 220,000.
const MAX_CODE: u64 = 1024 * 1024;

const SEALS: SealFlags =
    SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// By build: the interpreter's path, the text of `sys.version`, and the level of
/// optimization.
static KEPT: Mutex<VecDeque<(String, CompiledAgent)>> = Mutex::new(VecDeque::new());

/// The compiled agent, in sealed memory. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct CompiledAgent(Arc<File>);

impl CompiledAgent {
    /// Stores code in new memory.
    ///
    /// # Errors
    ///
    /// If the system refuses the memory or the descriptor, or the code is too large.
    pub(crate) fn new(code: &[u8]) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("oad-agent", flags)?);
        file.write_all(code)?;
        fcntl_add_seals(&file, SEALS)?;
        CompiledAgent::received(file.into())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is empty or too large"))
    }

    /// Takes memory that another process has filled; `None` if that could still change
    /// it, or if it is empty or too large.
    pub(crate) fn received(memory: OwnedFd) -> Option<Self> {
        let is_sealed = fcntl_get_seals(&memory).is_ok_and(|seals| seals.contains(SEALS));
        let file = File::from(memory);
        let has_size = file.metadata().is_ok_and(|data| (1..=MAX_CODE).contains(&data.len()));
        (is_sealed && has_size).then(|| CompiledAgent(Arc::new(file)))
    }

    /// The code.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.0.metadata()?.len()).map_err(io::Error::other)?;
        let mut code = vec![0; len];
        // At a position of its own: all processes share that of the descriptor.
        self.0.read_exact_at(&mut code, 0)?;
        Ok(code)
    }

    /// Another descriptor of the same memory.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }
}

impl AsFd for CompiledAgent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The agent that this build has compiled, if it is kept.
pub(crate) fn kept_agent(build: &str) -> Option<CompiledAgent> {
    kept().iter().find(|(kept, _)| kept == build).map(|(_, agent)| agent.clone())
}

/// All that are kept, with their builds, the oldest first.
pub(crate) fn kept_agents() -> Vec<(String, CompiledAgent)> {
    kept().iter().cloned().collect()
}

/// Keeps an agent, unless there is one of this build.
pub(crate) fn keep_agent(build: String, agent: CompiledAgent) {
    let mut kept = kept();
    if kept.iter().any(|(other, _)| *other == build) {
        return;
    }
    if kept.len() == MAX_BUILDS {
        kept.pop_front();
    }
    kept.push_back((build, agent));
}

fn kept() -> MutexGuard<'static, VecDeque<(String, CompiledAgent)>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_read_as_often_as_wanted_and_cannot_be_changed() {
        let agent = CompiledAgent::new(b"code").expect("there is memory");
        for _ in 0..2 {
            assert_eq!(agent.read().expect("it is there"), b"code");
        }
        let again = CompiledAgent::received(agent.descriptor().expect("there is room"));
        assert_eq!(again.expect("it is sealed").read().expect("it is there"), b"code");
        let mut file = File::from(agent.descriptor().expect("there is room"));
        assert!(file.write_all(b"x").is_err() && file.set_len(0).is_err());
    }

    #[test]
    fn memory_that_may_change_or_is_too_large_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let open = || File::from(memfd_create("oad-test", flags).expect("there is memory"));
        let mut unsealed = open();
        unsealed.write_all(b"code").expect("it is open");
        assert!(CompiledAgent::received(unsealed.into()).is_none());
        for size in [0, MAX_CODE + 1] {
            let file = open();
            file.set_len(size).expect("it is open");
            fcntl_add_seals(&file, SEALS).expect("they are allowed");
            assert!(CompiledAgent::received(file.into()).is_none(), "{size}");
        }
        let (pipe, _writer) = std::io::pipe().expect("there are descriptors");
        assert!(CompiledAgent::received(pipe.into()).is_none());
    }

    #[test]
    fn first_agent_of_a_build_stays_and_the_newest_builds_are_kept() {
        let agent = |code: &[u8]| CompiledAgent::new(code).expect("there is memory");
        let build = |number: usize| format!("build {number}");
        for number in 0..2 * MAX_BUILDS {
            keep_agent(build(number), agent(b"first"));
            keep_agent(build(number), agent(b"second"));
        }
        assert!(kept_agent(&build(0)).is_none());
        let builds: Vec<_> = kept_agents().into_iter().map(|(build, _)| build).collect();
        assert_eq!(builds, (MAX_BUILDS..2 * MAX_BUILDS).map(build).collect::<Vec<_>>());
        let kept = kept_agent(&build(MAX_BUILDS)).expect("it is the oldest of the kept");
        assert_eq!(kept.read().expect("it is there"), b"first");
    }
}
