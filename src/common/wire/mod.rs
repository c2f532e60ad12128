//! The wire format: the generated messages and services, and their conversions to and
//! from oad's own types.
//!
//! The only room that knows protobuf. Both wings use it, and it knows neither. Sockets
//! are in `transport`, and the meaning of operations is in the host.

/// The generated code of `proto/oad/v1`; `cargo run -p oad-codegen` writes it.
#[allow(missing_docs, unreachable_pub, missing_debug_implementations, clippy::all)]
pub(crate) mod pb {
    include!("../../../proto/generated/oad.v1.rs");
}

mod assembly;
mod death;
mod exception;
mod failure;
mod frame_packer;
mod outbox;
mod pieces;
mod session_frame;
mod shorten;
mod skim;
mod value;
mod weight;

pub(crate) use assembly::{ArrivingMessages, too_large};
pub(crate) use exception::{exception_from_pb, exception_to_pb};
pub(crate) use failure::{error_from_failure, failure_from_error, status_from_error};
pub(crate) use frame_packer::FramePacker;
pub(crate) use outbox::{CHUNK_SIZE, FrameMemory, FrameStream, Outbox, SendGuard};
pub(crate) use pieces::{IntoPieces, Pieces};
pub(crate) use session_frame::{CHUNK_FIELD, DATA_FIELD, ID_FIELD, SessionFrame};
pub(crate) use skim::copied_by_decoding;
pub(crate) use value::{
    arguments_to_pb, handle_from_pb, handle_to_pb, keywords_from_pb, target_to_pb, value_from_pb,
    value_to_pb, values_from_pb,
};
pub(crate) use weight::{arguments_weight, call_response_weight, response_weight, value_weight};

/// The descriptors of `proto/oad/v1`, for the reflection service.
#[cfg(feature = "reflection")]
pub(crate) const DESCRIPTOR_SET: &[u8] = include_bytes!("../../../proto/generated/descriptors.bin");

#[cfg(test)]
mod tests {
    use super::*;

    /// Each call moves both several times; see `LARGE_FIELDS` in `codegen`.
    #[test]
    fn messages_of_calls_are_small() {
        assert!(size_of::<pb::SessionRequest>() <= 256);
        assert!(size_of::<pb::SessionResponse>() <= 192);
    }
}
