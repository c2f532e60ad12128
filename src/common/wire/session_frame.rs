//! The frames of a session, of either direction.

use bytes::Bytes;

use crate::common::wire::pb;

/// A frame of a session, of either direction.
pub(crate) trait SessionFrame: Send + 'static {
    /// Creates the frame that carries a chunk of the detached message `id`.
    fn chunk(id: u64, data: Bytes) -> Self;

    /// Takes such a frame apart again; gives back any other.
    fn into_chunk(self) -> Result<(u64, Bytes), Self>
    where
        Self: Sized;
}

/// The number of the field of a session's frames, of either direction, that is their id.
pub(crate) const ID_FIELD: u32 = 1;

/// The number of the field that is a chunk.
pub(crate) const CHUNK_FIELD: u32 = 7;

/// The number of the field that is the bytes of a chunk.
pub(crate) const DATA_FIELD: u32 = 1;

impl SessionFrame for pb::SessionRequest {
    fn chunk(id: u64, data: Bytes) -> Self {
        let operation = Some(pb::session_request::Operation::Chunk(pb::Chunk { data }));
        pb::SessionRequest { id, operation, detached: 0 }
    }

    fn into_chunk(self) -> Result<(u64, Bytes), Self> {
        match self.operation {
            Some(pb::session_request::Operation::Chunk(chunk)) => Ok((self.id, chunk.data)),
            operation => Err(pb::SessionRequest { operation, ..self }),
        }
    }
}

impl SessionFrame for pb::SessionResponse {
    fn chunk(id: u64, data: Bytes) -> Self {
        let result = Some(pb::session_response::Result::Chunk(pb::Chunk { data }));
        pb::SessionResponse { id, result, detached: 0 }
    }

    fn into_chunk(self) -> Result<(u64, Bytes), Self> {
        match self.result {
            Some(pb::session_response::Result::Chunk(chunk)) => Ok((self.id, chunk.data)),
            result => Err(pb::SessionResponse { result, ..self }),
        }
    }
}
