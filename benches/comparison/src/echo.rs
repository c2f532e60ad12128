//! The objects that are measured, and the ways in which calls reach them.

use std::path::Path;

use bytes::Bytes;
use oad::{PythonProxy, value};

use crate::client_process::scripts;
use crate::peers::ByteEcho;
use crate::place::Echo;

/// How calls travel to a daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// As oad does it by default.
    Direct,
    /// Over gRPC.
    Grpc,
}

/// Returns what it is called with.
pub(crate) struct Echoing {
    calls: u64,
}

#[oad::object(pub(crate))]
impl Echoing {
    pub(crate) fn new() -> Self {
        Echoing { calls: 0 }
    }

    pub(crate) fn same(&self, number: u64) -> u64 {
        number
    }

    pub(crate) fn exclusive(&mut self, number: u64) -> u64 {
        self.calls += 1;
        number
    }

    pub(crate) async fn asynchronous(&self, number: u64) -> u64 {
        number
    }

    pub(crate) fn bytes(&self, data: value::Bytes) -> value::Bytes {
        data
    }

    pub(crate) fn floats(&self, numbers: Vec<f64>) -> Vec<f64> {
        numbers
    }

    pub(crate) fn items(&self, count: u64) -> impl Iterator<Item = u64> + use<> {
        0..count
    }
}

/// Calls the `&self` method.
impl Echo for EchoingProxy {
    async fn same(&self, number: u64) -> u64 {
        EchoingProxy::same(self, number).await.expect("the daemon responds")
    }
}

impl ByteEcho for EchoingProxy {
    async fn same_bytes(&self, data: Bytes) -> Bytes {
        // Both kinds of bytes are shared, so neither is copied into the other.
        let data = value::Bytes::from_owner(data);
        Bytes::from_owner(self.bytes(data).await.expect("the daemon responds"))
    }
}

/// Calls the `&mut self` method.
#[derive(Clone)]
pub(crate) struct Exclusive(pub(crate) EchoingProxy);

impl Echo for Exclusive {
    async fn same(&self, number: u64) -> u64 {
        self.0.exclusive(number).await.expect("the daemon responds")
    }
}

/// Calls the async method.
#[derive(Clone)]
pub(crate) struct Asynchronous(pub(crate) EchoingProxy);

impl Echo for Asynchronous {
    async fn same(&self, number: u64) -> u64 {
        self.0.asynchronous(number).await.expect("the daemon responds")
    }
}

/// Calls a method of a Python object.
#[derive(Clone)]
pub(crate) struct PythonEcho(pub(crate) PythonProxy);

impl Echo for PythonEcho {
    async fn same(&self, number: u64) -> u64 {
        self.0.call("same", (number,)).await.expect("Python returns it")
    }
}

// === impl Way ===

impl Way {
    /// Starts a daemon with a Rust object.
    pub(crate) async fn echo(self) -> oad::Result<EchoingProxy> {
        let builder = EchoingProxy::new();
        match self {
            Way::Direct => builder.await,
            Way::Grpc => builder.over_grpc().await,
        }
    }
}

/// Starts a daemon with a Python object.
pub(crate) async fn python_target(python: &Path, way: Way) -> oad::Result<PythonProxy> {
    let builder = oad::python("target", "Target").interpreter(python).path_entry(scripts());
    match way {
        Way::Direct => builder.await,
        Way::Grpc => builder.over_grpc().await,
    }
}
