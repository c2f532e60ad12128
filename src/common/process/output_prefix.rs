//! How a daemon's parent knows which process wrote a line: what a daemon passes on of a
//! process of its own has that process's pid in front.

use uuid::Uuid;

/// What stands around it. Nobody prints these, and the daemon's UUID between them is not
/// made by accident.
const BEGIN: u8 = 0x1e;
const END: u8 = 0x1f;

/// The most bytes that stand in front of a line.
pub(super) const ROOM: usize = 1 + 32 + 1 + 10 + 1;

/// What stands in front of a line that the process `pid` wrote and the daemon passes on.
pub(super) fn prefix(daemon: Uuid, pid: u32) -> Vec<u8> {
    let mut prefix = vec![BEGIN];
    prefix.extend(daemon.simple().to_string().into_bytes());
    prefix.push(END);
    prefix.extend(pid.to_string().into_bytes());
    prefix.push(END);
    prefix
}

/// What was passed on in a line of the daemon's: what stands before it, which is the
/// beginning of a line of the daemon's own, who wrote the rest, and that rest. `None`
/// where all of it is the daemon's.
pub(super) fn split(daemon: Uuid, line: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let name = daemon.simple().to_string();
    let begins = line.iter().enumerate().filter(|(_, byte)| **byte == BEGIN).map(|(at, _)| at);
    begins.into_iter().find_map(|at| {
        let rest = line[at + 1..].strip_prefix(name.as_bytes())?.strip_prefix(&[END])?;
        let end = rest.iter().position(|byte| *byte == END)?;
        let pid = str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        Some((&line[..at], pid, &rest[end + 1..]))
    })
}

/// Where something that was passed on may begin in `text`, after its first byte.
pub(super) fn may_begin(text: &[u8]) -> Option<usize> {
    text.iter().rposition(|byte| *byte == BEGIN).filter(|at| *at > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writer_of_a_line_is_told_wherever_the_daemons_own_ends() {
        let daemon = Uuid::from_u128(0xab);
        let line =
            [b"own\x1e".as_slice(), &prefix(daemon, u32::MAX), b"\x1e\xff noise\x1f\n"].concat();
        assert_eq!(
            split(daemon, &line),
            Some((b"own\x1e".as_slice(), u32::MAX, b"\x1e\xff noise\x1f\n".as_slice()))
        );
        assert_eq!(split(Uuid::from_u128(1), &line), None, "it is another daemon's");
        assert_eq!(split(daemon, b"own\n"), None);
        assert_eq!(prefix(daemon, u32::MAX).len(), ROOM);
    }
}
