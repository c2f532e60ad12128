#![doc = include_str!("../README.md")]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "oad runs on Linux only: a port would have to replace the system calls of `common::process` and `common::transport`"
);

// Generated code names `::oad`, also in this crate's own tests.
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

/// For generated code only; may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::child::object::{
        Arguments, ByDebug, ByDisplay, ByError, ByNothing, Calls, Construction, Deserialized,
        Hosted, HostedAs, Implementation, Interface, InterfaceDispatch, MethodOutput,
        NotDeserialized, NotSerialized, OverlappingKind, OwnedItems, RaisedError, Registration,
        Reply, Revive, SerialKind, Serialized, construction, in_place, no_such_method, overlapping,
        send_iterator, send_stream, serial, take,
    };
    pub use crate::common::definition::{Method, Parameter, Receiver, TypeDescription};
    pub use crate::common::process::{Constructor, ConstructorArguments, TestDaemon};
    pub use crate::init::{block_on, init_before_main};
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

    /// Asserts that an error type can be used with `#[oad(error)]`.
    pub fn assert_error<E: SentAsValue>() {}

    /// Asserts that a type that implements an interface is an object.
    pub fn assert_object<T: crate::child::object::Object>() {}

    /// Asserts that `&self` methods of a type can run in parallel.
    pub fn assert_parallel<T: Parallel>() {}

    /// An error that is sent to the caller as a value.
    #[diagnostic::on_unimplemented(
        message = "an `#[oad(error)]` method sends its error as a value, so `{Self}` must be `Serialize + Deserialize + From<oad::Error>`",
        label = "cannot be sent as a value",
        note = "derive the first two, and implement `From<oad::Error>` for failures of the daemon; or remove `#[oad(error)]`"
    )]
    pub trait SentAsValue {}

    #[diagnostic::do_not_recommend]
    impl<E: Serialize + DeserializeOwned + From<Error>> SentAsValue for E {}

    /// A type whose `&self` methods can run in parallel.
    #[diagnostic::on_unimplemented(
        message = "`&self` methods run in parallel, so `{Self}` must be `Sync`",
        label = "not `Sync`",
        note = "make it `Sync`, or write `#[oad::object(serial)]` to run its methods one at a time"
    )]
    pub trait Parallel {}

    #[diagnostic::do_not_recommend]
    impl<T: Sync> Parallel for T {}

    /// Implemented once by the block of each object: the compiler reports a second
    /// implementation by the trait's name.
    pub trait OnlyOneObjectBlockPerType {}
}

/// Turns the error of a method into an exception, whatever traits its type implements;
/// see `child/object/exception.rs`.
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
