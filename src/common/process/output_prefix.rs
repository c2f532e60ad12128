//! Tells a daemon's parent which process wrote a line: a daemon puts the pid of an
//! interpreter in front of each line that it relays.

use uuid::Uuid;

/// The delimiters of the prefix. Programs do not print these characters, and the daemon's
/// UUID between them does not occur by accident.
const BEGIN: u8 = 0x1e;
const END: u8 = 0x1f;

/// The maximum length of a prefix, in bytes.
pub(super) const ROOM: usize = 1 + 32 + 1 + 10 + 1;

/// The prefix of a line that the process `pid` wrote and the daemon relays.
pub(super) fn prefix(daemon: Uuid, pid: u32) -> Vec<u8> {
    let mut prefix = vec![BEGIN];
    prefix.extend(daemon.simple().to_string().into_bytes());
    prefix.push(END);
    prefix.extend(pid.to_string().into_bytes());
    prefix.push(END);
    prefix
}

/// Splits a line of the daemon at a prefix: the daemon's own text before it, the pid of
/// the writer, and the relayed text. `None` if the whole line is the daemon's own.
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

/// The position after the first byte of `text` where a relayed line may begin.
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
