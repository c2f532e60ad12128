//! The Rust peers: each file has a server, which runs in a process of its own, and its
//! client.

pub(crate) mod capnp;
pub(crate) mod remoc;
pub(crate) mod socket;
pub(crate) mod tarpc;
pub(crate) mod tonic;
pub(crate) mod ttrpc;

use std::path::Path;

use bytes::Bytes;

use crate::place::{Echo, current_thread, multi_thread};

/// A client of something that returns the bytes that it is called with.
pub(crate) trait ByteEcho: Echo {
    fn same_bytes(&self, data: Bytes) -> impl Future<Output = Bytes> + Send;
}

/// Serves the peer of this name until the process is killed.
pub(crate) fn serve(name: &str, socket: &Path) {
    match name {
        "socket" | "pingpong" => socket::serve(socket),
        "remoc" => multi_thread().block_on(remoc::serve(socket)),
        "tarpc" => multi_thread().block_on(tarpc::serve(socket)),
        "tonic" => multi_thread().block_on(tonic::serve(socket)),
        "tonic_one_thread" => current_thread().block_on(tonic::serve(socket)),
        "ttrpc" => multi_thread().block_on(ttrpc::serve(socket)),
        "capnp" => current_thread().block_on(capnp::serve(socket)),
        _ => panic!("unknown peer `{name}`"),
    }
}
