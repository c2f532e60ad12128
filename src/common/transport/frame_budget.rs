//! How many frames of HTTP/2 a client may send that do nothing for it.
//!
//! Each costs the daemon about as much as a call, and HTTP/2 itself bounds few of them.

use std::time::Instant;

/// How many such frames a client may send at once.
const BURST: u32 = 1000;

/// How many more it may send each second.
const PER_SECOND: u32 = 100;

/// How many frames, of whatever kind, a client may send before it has proven that it may
/// be here.
const UNPROVEN_FRAMES: u32 = 512;

/// How many bytes it may send before that.
const UNPROVEN_BYTES: usize = 64 * 1024;

/// How many such frames a response, or a part of it, pays for: clients measure the
/// connection with a PING for each, and send WINDOW_UPDATE.
const PER_RESPONSE_FRAME: u32 = 2;

/// The most bytes of the metadata of a request or response, and so of a status with its
/// message. HTTP/2's default of 16 KiB is less than a user's own service may need.
pub(crate) const MAX_METADATA: u32 = 64 * 1024;

/// A block of headers that is larger is refused by the server, but costs it as much.
const MAX_HEADERS: usize = MAX_METADATA as usize;
const COST_OF_TOO_MANY_HEADERS: u32 = 64;

const PREFACE_LEN: usize = 24;

// RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// What a client may still send on one connection.
#[derive(Debug)]
pub(super) struct FrameBudget {
    received: FrameHeads,
    sent: FrameHeads,
    left: u32,
    refilled: Instant,
    unproven_frames: u32,
    unproven_bytes: usize,
}

/// What becomes of a client that has sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    /// It has sent as much as it may before it has proven that it may be here.
    ProveFirst,
    Close,
}

/// Finds the heads of frames in a stream of bytes.
#[derive(Debug)]
struct FrameHeads {
    /// How many bytes come before the next head.
    skip: usize,
    head: [u8; 9],
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameHead {
    len: usize,
    kind: u8,
    flags: u8,
}

impl FrameBudget {
    pub(super) fn new() -> Self {
        FrameBudget {
            received: FrameHeads::after(PREFACE_LEN),
            sent: FrameHeads::after(0),
            left: BURST,
            refilled: Instant::now(),
            unproven_frames: 0,
            unproven_bytes: 0,
        }
    }

    /// Takes account of received bytes.
    /// `is_proven` is asked after `on_request` was called.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        mut on_request: impl FnMut(),
        is_proven: impl Fn() -> bool,
    ) -> Verdict {
        let (mut cost, mut pays, mut frames) = (0_u32, 0_u32, 0_u32);
        self.received.find(bytes, |head| {
            frames = frames.saturating_add(1);
            match head {
                FrameHead { kind: HEADERS, len: ..=MAX_HEADERS, .. } => {
                    on_request();
                    pays = pays.saturating_add(1);
                }
                FrameHead { kind: HEADERS, .. } => {
                    cost = cost.saturating_add(COST_OF_TOO_MANY_HEADERS);
                }
                FrameHead { kind: DATA, len: 1.., .. } => {}
                FrameHead { kind: DATA, flags, .. } if flags & END_STREAM != 0 => {}
                _ => cost = cost.saturating_add(1),
            }
        });
        let mut verdict = Verdict::GoOn;
        if is_proven() {
            self.pay(pays);
        } else {
            self.unproven_frames = self.unproven_frames.saturating_add(frames);
            self.unproven_bytes = self.unproven_bytes.saturating_add(bytes.len());
            if self.unproven_frames > UNPROVEN_FRAMES || self.unproven_bytes > UNPROVEN_BYTES {
                verdict = Verdict::ProveFirst;
            }
        }
        if cost > self.left {
            self.refill();
        }
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                verdict
            }
            None => Verdict::Close,
        }
    }

    /// Takes account of bytes that were sent to the client.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let mut responses = 0_u32;
        self.sent.find(bytes, |head| {
            if matches!(head.kind, DATA | HEADERS) {
                responses = responses.saturating_add(PER_RESPONSE_FRAME);
            }
        });
        self.pay(responses);
    }

    fn pay(&mut self, frames: u32) {
        self.left = self.left.saturating_add(frames).min(BURST);
    }

    fn refill(&mut self) {
        let now = Instant::now();
        let passed = now.duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        // The cast saturates.
        self.pay((passed * f64::from(PER_SECOND)) as u32);
    }
}

impl FrameHeads {
    fn after(skip: usize) -> Self {
        FrameHeads { skip, head: [0; 9], len: 0 }
    }

    fn find(&mut self, mut bytes: &[u8], mut found: impl FnMut(FrameHead)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let (more, rest) = bytes.split_at(bytes.len().min(self.head.len() - self.len));
            self.head[self.len..][..more.len()].copy_from_slice(more);
            self.len += more.len();
            bytes = rest;
            if self.len == self.head.len() {
                let [high, middle, low, kind, flags, ..] = self.head;
                let len = u32::from_be_bytes([0, high, middle, low]) as usize;
                (self.skip, self.len) = (len, 0);
                found(FrameHead { len, kind, flags });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: u8 = 4;
    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, len: usize) -> Vec<u8> {
        let mut frame = u32::try_from(len).expect("it is short").to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.resize(9 + len, 0);
        frame
    }

    fn receive(budget: &mut FrameBudget, bytes: &[u8]) -> bool {
        budget.receive(bytes, || {}, || true) == Verdict::GoOn
    }

    fn after_preface() -> FrameBudget {
        let mut budget = FrameBudget::new();
        assert!(receive(&mut budget, &[b'P'; PREFACE_LEN]));
        budget
    }

    #[test]
    fn frames_are_found_however_the_bytes_arrive() {
        let kinds = [(SETTINGS, 0), (HEADERS, 40), (DATA, 300), (PING, 8), (DATA, 0)];
        let bytes: Vec<u8> = kinds.iter().flat_map(|(kind, len)| frame(*kind, 0, *len)).collect();
        for step in 1..30 {
            let (mut heads, mut found) = (FrameHeads::after(5), Vec::new());
            let all = [vec![0; 5], bytes.clone()].concat();
            for part in all.chunks(step) {
                heads.find(part, |head| found.push((head.kind, head.len)));
            }
            assert_eq!(found, kinds);
        }
    }

    #[test]
    fn floods_of_each_kind_exceed_the_budget() {
        // PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, an
        // unknown kind, and empty DATA.
        for kind in [2, 3, SETTINGS, PING, 7, 8, 9, 99, DATA] {
            let mut budget = after_preface();
            let frame = frame(kind, 0, if kind == DATA { 0 } else { 5 });
            let sent = (0..2 * BURST).take_while(|_| receive(&mut budget, &frame)).count();
            assert!((BURST as usize..BURST as usize + 50).contains(&sent), "{kind}: {sent}");
        }
    }

    #[test]
    fn calls_and_their_responses_pay_for_what_goes_with_them() {
        let mut budget = after_preface();
        let request = [frame(HEADERS, 0, 60), frame(DATA, END_STREAM, 20)].concat();
        let response = [frame(HEADERS, 0, 60), frame(DATA, 0, 20), frame(HEADERS, 1, 9)].concat();
        let control = [frame(PING, 0, 8), frame(8, 0, 4), frame(3, 0, 4)].concat();
        for _ in 0..10 * BURST {
            assert!(receive(&mut budget, &request) && receive(&mut budget, &control));
            budget.send(&response);
        }
        // The items of a stream, each with a PING.
        for _ in 0..10 * BURST {
            budget.send(&frame(DATA, 0, 20));
            assert!(receive(&mut budget, &frame(PING, 0, 8)));
        }
        // What the server must answer to a flood pays for nothing.
        let answered = (0..2 * BURST).take_while(|_| {
            budget.send(&frame(PING, 1, 8));
            receive(&mut budget, &frame(PING, 0, 8))
        });
        assert!(answered.count() < 2 * BURST as usize);
    }

    #[test]
    fn unproven_client_may_send_little_of_whatever_kind() {
        for (frame, frames) in [
            (frame(HEADERS, 0, 20), UNPROVEN_FRAMES as usize),
            (frame(DATA, 0, 20), UNPROVEN_FRAMES as usize),
            (frame(HEADERS, 0, 1015), UNPROVEN_BYTES / 1024),
        ] {
            let mut budget = after_preface();
            let send = |_: &usize| budget.receive(&frame, || {}, || false) == Verdict::GoOn;
            assert_eq!((0..10_000).take_while(send).count(), frames);
            assert_eq!(budget.receive(&frame, || {}, || false), Verdict::ProveFirst);
            assert_eq!(budget.receive(&frame, || {}, || true), Verdict::GoOn);
        }
    }

    #[test]
    fn headers_that_are_refused_for_their_size_cost_more() {
        let mut budget = after_preface();
        let frame = frame(HEADERS, 0, MAX_HEADERS + 1);
        let sent = (0..BURST).take_while(|_| receive(&mut budget, &frame)).count();
        assert!(sent < 20, "{sent}");
    }
}
