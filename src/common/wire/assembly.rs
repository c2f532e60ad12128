//! Assembles a large message from its chunks.

use bytes::{Bytes, BytesMut};

use crate::common::error::{Error, ErrorKind, Result};

/// A large message that is arriving. Memory is taken for what has arrived, not for what
/// was announced.
#[derive(Debug)]
pub(crate) struct Assembly {
    announced: usize,
    received: BytesMut,
}

impl Assembly {
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if more than `limit` bytes are announced.
    pub(crate) fn new(announced: u64, limit: usize) -> Result<Self> {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(too_large(announced, limit));
        }
        Ok(Assembly { announced, received: BytesMut::new() })
    }

    /// Adds a chunk; returns the whole message after the last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if more arrives than was announced, or the chunk is empty.
    pub(crate) fn push(&mut self, chunk: &Bytes) -> Result<Option<Bytes>> {
        if chunk.is_empty() || self.received.len() + chunk.len() > self.announced {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the chunks of a large message do not have the announced size",
            ));
        }
        self.received.extend_from_slice(chunk);
        let whole = self.received.len() == self.announced;
        Ok(whole.then(|| self.received.split().freeze()))
    }
}

/// The error for a message that is too large, on both sides and in both directions.
pub(crate) fn too_large(len: usize, limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the message has {len} bytes, and the limit is {limit}"),
    )
    .advise("raise `message_limit` where the daemon is created, or send it in parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_become_the_message() {
        let mut assembly = Assembly::new(5, 5).expect("it is within the limit");
        assert_eq!(assembly.push(&Bytes::from_static(b"abc")).expect("it fits"), None);
        assert_eq!(
            assembly.push(&Bytes::from_static(b"de")).expect("it fits"),
            Some(Bytes::from_static(b"abcde"))
        );
    }

    #[test]
    fn more_than_the_limit_is_refused_at_the_announcement() {
        let error = Assembly::new(6, 5).expect_err("six is more than five");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(
            error.to_string().starts_with("the message has 6 bytes, and the limit is 5; "),
            "{error}"
        );
    }

    #[test]
    fn more_than_announced_is_refused() {
        let mut assembly = Assembly::new(2, 5).expect("it is within the limit");
        assert_eq!(
            assembly.push(&Bytes::from_static(b"abc")).expect_err("too much").kind(),
            ErrorKind::Protocol
        );
    }
}
