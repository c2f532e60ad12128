//! Puts a large message together again from its chunks.

use bytes::{Bytes, BytesMut};

use crate::common::error::{Error, ErrorKind, Result};

/// A large message on its way. It grows with what arrives, never by what was announced.
#[derive(Debug)]
pub(crate) struct Assembly {
    announced: usize,
    received: BytesMut,
}

impl Assembly {
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if more is announced than `limit`, before anything is
    /// held.
    pub(crate) fn new(announced: u64, limit: usize) -> Result<Self> {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(too_large(announced, limit));
        }
        Ok(Assembly { announced, received: BytesMut::new() })
    }

    /// Adds a chunk; gives the whole message with the last.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if more arrives than was announced.
    pub(crate) fn push(&mut self, chunk: &Bytes) -> Result<Option<Bytes>> {
        if chunk.is_empty() || self.received.len() + chunk.len() > self.announced {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the chunks of a large message are not what was announced",
            ));
        }
        self.received.extend_from_slice(chunk);
        let whole = self.received.len() == self.announced;
        Ok(whole.then(|| self.received.split().freeze()))
    }
}

/// The one wording of "too large", for both sides and both directions.
pub(crate) fn too_large(len: usize, limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the message is {len} bytes, and the limit is {limit}"))
        .advise("raise `message_limit` where the daemon is made, or send it in parts")
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
            error.to_string().starts_with("the message is 6 bytes, and the limit is 5; "),
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
