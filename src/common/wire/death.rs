//! The [`Death`] of an interpreter to and from its message. The death of a daemon is
//! noticed by its parent, and is never sent.

use std::time::Duration;

use crate::common::error::{DeadProcess, Death, Status};
use crate::common::wire::pb;
use crate::common::wire::pb::death::Ending;

/// Fits one frame, because only a few KiB of stderr are kept.
pub(super) fn death_to_pb(death: &Death) -> pb::Death {
    let code = death.code().map(Ending::Code);
    pb::Death {
        pid: death.pid(),
        ending: code.or_else(|| death.signal().map(Ending::Signal)),
        core_dumped: death.core_dumped(),
        stderr: death.stderr().to_owned(),
        kill_reason: death.kill_reason().unwrap_or_default().to_owned(),
        uptime: death.uptime().try_into().ok(),
    }
}

pub(super) fn death_from_pb(message: pb::Death) -> Death {
    let pb::Death { pid, ending, core_dumped, stderr, uptime, kill_reason } = message;
    let reason = Some(kill_reason).filter(|reason| !reason.is_empty());
    let status = match ending {
        Some(Ending::Code(code)) => Status::exited(code),
        Some(Ending::Signal(signal)) => Status::killed(signal, core_dumped),
        None => Status::Discarded,
    };
    let uptime = uptime.and_then(|uptime| Duration::try_from(uptime).ok()).unwrap_or_default();
    Death { whose: DeadProcess::Interpreter, pid, status, reason, stderr, uptime }.reported()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn death_survives_the_conversion() {
        for status in [
            Status::exited(0),
            Status::exited(255),
            Status::killed(9, false),
            Status::killed(11, true),
        ] {
            let (stderr, uptime) = ("last\nwords".to_owned(), Duration::from_millis(1500));
            let reason = (uptime.as_secs() < 5).then(|| "it was stuck".to_owned());
            let whose = DeadProcess::Interpreter;
            let death = Death { whose, pid: 7, status, reason, stderr, uptime };
            let back = death_from_pb(death_to_pb(&death));
            assert_eq!(format!("{back:?}"), format!("{death:?}"));
        }
        let back = death_from_pb(pb::Death::default());
        assert_eq!(back.status(), None);
    }
}
