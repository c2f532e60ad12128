//! Divides the items of a stream among frames.

use prost::{Message as _, length_delimiter_len};

use crate::common::wire::{CHUNK_SIZE, pb};

/// The most bytes that a frame needs beside its items: its id, and the tags and lengths
/// of the messages around them.
const ENVELOPE: usize = 64;

/// Divides items among frames that are small enough to be sent in one piece, unless a
/// single item is larger.
#[derive(Debug)]
pub(crate) struct FramePacker {
    max_size: usize,
    size: usize,
}

impl FramePacker {
    /// Creates a packer of frames within a limit on messages.
    pub(crate) fn new(message_limit: usize) -> Self {
        FramePacker { max_size: CHUNK_SIZE.min(message_limit).saturating_sub(ENVELOPE), size: 0 }
    }

    /// Adds an item; returns whether it begins a new frame.
    pub(crate) fn begins_frame(&mut self, item: &pb::Value) -> bool {
        let len = item.encoded_len();
        let len = 1 + length_delimiter_len(len) + len;
        let is_full = self.size > 0 && self.size + len > self.max_size;
        self.size = if is_full { len } else { self.size + len };
        is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::Value;
    use crate::common::wire::value_to_pb;

    #[test]
    fn every_frame_of_small_items_is_within_the_limit() {
        for limit in [65, 100, 1000, 10 * CHUNK_SIZE] {
            let mut packer = FramePacker::new(limit);
            let mut frames = vec![pb::Items { stream: u64::MAX, ..Default::default() }];
            for number in 0..50_000 {
                let item = value_to_pb(Value::Int(number));
                if packer.begins_frame(&item) {
                    frames.push(pb::Items { stream: u64::MAX, ..Default::default() });
                }
                frames.last_mut().expect("there is one").values.push(item);
            }
            let sizes = frames.iter().map(|items| {
                let operation = Some(pb::session_request::Operation::Items(items.clone()));
                pb::SessionRequest { id: u64::MAX, operation, detached: 0 }.encoded_len()
            });
            let largest = sizes.max().expect("there is one");
            assert!(largest <= limit.min(CHUNK_SIZE), "{largest} of {limit}");
            assert_eq!(frames.iter().map(|items| items.values.len()).sum::<usize>(), 50_000);
        }
    }
}
