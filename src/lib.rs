#![doc = include_str!("../README.md")]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "oad runs on Linux: what it asks of the kernel is in `process` and `transport`, and waits there for a port"
);

// The macros' code says `::oad`, in this crate's own tests too.
#[cfg(test)]
extern crate self as oad;

mod client;
mod daemon;
mod definition;
mod error;
mod handshake;
mod host;
mod in_process;
mod init;
mod object;
mod park;
mod process;
mod proxy;
mod python;
mod server;
mod service;
mod stream;
mod transport;
pub mod value;
mod wire;

/// The guide, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/rust-objects.md")]
mod guide {}

/// The guide to Python objects, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/python-objects.md")]
mod python_guide {}

#[doc(inline)]
pub use crate::{
    client::{Description, MethodDescription},
    daemon::{Channel, Daemon, Ended, Health, Spawn, daemon},
    error::{Death, Error, ErrorKind, Exception, Result},
    init::{init, init_with},
    object::{Object, Shared, SharedMut, SharedRef},
    proxy::{
        Call, Proxy, Python, Remote, python, python_file, python_module, python_name, python_script, python_value,
    },
    server::Services,
    stream::Stream,
    transport::Endpoint,
    value::Value,
};
#[doc(inline)]
pub use oad_macros::{main, object};

/// What the macros' code needs; not for anybody else, and with no promise.
#[doc(hidden)]
pub mod __private {
    pub use crate::init::block_on;
    pub use crate::object::{
        Alone, Answer, Apart, Arguments, ByDebug, ByDisplay, ByError, Calls, Construction, Description, Deserialized,
        Hosted, HostedAs, Implementation, Interface, Interfaced, Method, Packed, Parameter, Raise, Receiver,
        Registration, Reply, Revive, Serialized, Together, Unnamed, Unreadable, Unwritten, construction, in_place,
        no_such_method, overlapping, send_iterator, send_stream, serial, take,
    };
    pub use crate::process::TestDaemon;
    pub use crate::proxy::{
        FromError, Opaque, Outcome, Readable, Recover, call, call_blocking, call_fallible, infallible, read_typed,
    };
    pub use inventory;
    pub use serde;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::error::Error;

    /// What an error type must be for `#[oad(error)]`.
    pub fn assert_error<E: Crosses>() {}

    /// What a type must be to implement an interface.
    pub fn assert_object<T: crate::object::Object>() {}

    /// What a type must be for its `&self` methods to overlap.
    pub fn assert_overlaps<T: Overlaps>() {}

    /// An error that crosses to the caller as itself.
    #[diagnostic::on_unimplemented(
        message = "an error marked `#[oad(error)]` crosses as itself, so `{Self}` must be `Serialize + Deserialize + From<oad::Error>`",
        label = "cannot cross as itself",
        note = "derive the first two, and implement `From<oad::Error>` for what can go wrong on the way; or leave `#[oad(error)]` out"
    )]
    pub trait Crosses {}

    #[diagnostic::do_not_recommend]
    impl<E: Serialize + DeserializeOwned + From<Error>> Crosses for E {}

    /// A type whose `&self` methods may overlap.
    #[diagnostic::on_unimplemented(
        message = "calls of `&self` methods overlap, so `{Self}` must be `Sync`",
        label = "not `Sync`",
        note = "make it `Sync`, or write `#[oad::object(serial)]` to have all its methods run one at a time"
    )]
    pub trait Overlaps {}

    #[diagnostic::do_not_recommend]
    impl<T: Sync> Overlaps for T {}
}

/// Turns the error of a method into an exception, whatever its type can do; see `object/raise.rs`.
#[doc(hidden)]
#[macro_export]
macro_rules! __raise {
    ($error:expr, $arguments:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{
            ByDebug as _, ByDisplay as _, ByError as _, Serialized as _, Unnamed as _, Unwritten as _,
        };
        let error = $error;
        let raise = $crate::__private::Raise(&error);
        let (message, causes) = (&&&&raise).describe();
        let value = (&&raise).value(&$arguments);
        raise.to_error(message, causes, value)
    }};
}
