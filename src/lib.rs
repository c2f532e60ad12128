#![doc = include_str!("../README.md")]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "oad runs on Linux: what it asks of the kernel is in `process` and `transport`, and waits there for a port"
);

// The macros' code says `::oad`, in this crate's own tests too.
#[cfg(test)]
extern crate self as oad;

mod child;
mod common;
mod in_process;
mod init;
mod parent;

/// The guide, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/rust-objects.md")]
mod guide {}

/// The guide to Python objects, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/python-objects.md")]
mod python_guide {}

#[doc(inline)]
pub use crate::common::value;
#[doc(inline)]
pub use crate::{
    child::object::{Object, Shared, SharedMut, SharedRef},
    child::server::Services,
    common::error::{Death, Error, ErrorKind, Exception, Result},
    common::stream::Stream,
    common::transport::Endpoint,
    common::value::Value,
    init::{init, init_with},
    parent::client::{Description, MethodDescription},
    parent::daemon::{Channel, Daemon, Health, ShutdownReport, Spawn, daemon},
    parent::proxy::{
        Call, FromPython, Proxy, PythonBuilder, PythonProxy, Remote, python, python_file,
        python_module, python_name, python_script, python_value,
    },
};
#[doc(inline)]
pub use oad_macros::{main, object};

/// What the macros' code needs; not for anybody else, and with no promise.
#[doc(hidden)]
pub mod __private {
    pub use crate::child::object::{
        Arguments, ByDebug, ByDisplay, ByError, ByNothing, ByValue, Calls, Construction,
        Deserialized, Hosted, HostedAs, Implementation, Interface, InterfaceDispatch, MethodOutput,
        NotDeserialized, NotSerialized, OverlappingKind, OwnedItems, RaisedError, Registration,
        Reply, SerialKind, Serialized, construction, in_place, no_such_method, overlapping,
        send_iterator, send_stream, serial, take,
    };
    pub use crate::common::definition::{Method, Parameter, Receiver, TypeDescription};
    pub use crate::common::process::TestDaemon;
    pub use crate::init::block_on;
    pub use crate::parent::client::ArgumentsBuilder;
    pub use crate::parent::proxy::{
        FromError, Opaque, Readable, Recover, ResultParts, TypedProxy, call, call_blocking,
        call_fallible, infallible, read_typed,
    };
    pub use inventory;
    pub use serde;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::common::error::Error;

    /// What an error type must be for `#[oad(error)]`.
    pub fn assert_error<E: Crosses>() {}

    /// What a type must be to implement an interface.
    pub fn assert_object<T: crate::child::object::Object>() {}

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

/// Turns the error of a method into an exception, whatever its type can do; see
/// `object/raise.rs`.
#[doc(hidden)]
#[macro_export]
macro_rules! __raise {
    ($error:expr, $arguments:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{
            ByDebug as _, ByDisplay as _, ByError as _, ByNothing as _, NotSerialized as _,
            Serialized as _,
        };
        let error = $error;
        let raise = $crate::__private::RaisedError(&error);
        let (message, causes) = (&&&&raise).describe();
        let value = (&&raise).value(&$arguments);
        raise.to_error(message, causes, value)
    }};
}
