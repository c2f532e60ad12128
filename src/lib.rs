// Of two definitions of a link the first one counts: here these, and on disk the
// README's.
//! [architecture]: _guide::architecture
//! [changelog]: _guide::changelog
//! [coming-from-elsewhere]: _guide::coming_from_elsewhere
//! [contributing]: _guide#links
//! [deploying]: _guide::deploying
//! [examples]: _guide#links
//! [grpc]: _guide::grpc
//! [in-a-library]: _guide::in_a_library
//! [in-tests]: _guide::in_tests
//! [performance]: _guide::performance
//! [python-concurrency]: _guide::python_concurrency
//! [python-failures]: _guide::python_failures
//! [python-objects]: _guide::python_objects
//! [python-values]: _guide::python_values
//! [rust-objects]: _guide::rust_objects
//! [security]: _guide::security
//!
#![doc = include_str!("../README.md")]
// Python objects use parts of nearly every room. Without them those parts have no caller,
// and a `cfg` on each would scatter the feature over twenty files.
#![cfg_attr(not(feature = "python"), allow(dead_code))]

#[cfg(not(target_os = "linux"))]
compile_error!("oad only supports Linux: `process` and `transport` use Linux system calls");

// Generated code names `::oad`, also in this crate's own tests.
#[cfg(test)]
extern crate self as oad;

mod child;
mod common;
mod in_process;
mod init;
mod parent;

#[doc(inline)]
pub use crate::common::value;
#[cfg(feature = "python")]
#[doc(inline)]
pub use crate::parent::proxy::{
    AttributePath, Chain, CheckReport, Eval, Exec, FromPython, Interpreter, Operator,
    PythonBuilder, PythonProxy, ToPython, TypedPython, interpreter, python, python_file,
    python_module, python_name, python_script, python_value,
};
#[cfg(feature = "stubgen")]
#[doc(inline)]
pub use crate::parent::stubgen;
#[doc(inline)]
pub use crate::{
    child::object::{Object, Shared, SharedMut, SharedRef},
    common::error::{Death, Error, ErrorKind, Exception, Result},
    common::stream::Stream,
    common::transport::Endpoint,
    common::value::Value,
    init::init,
    parent::client::{Description, MethodDescription},
    parent::daemon::{Daemon, Health, ShutdownReport, Spawn, daemon},
    parent::proxy::{Call, Proxy, Remote},
};
#[cfg(feature = "tonic")]
#[doc(inline)]
pub use crate::{child::server::Services, init::init_with, parent::daemon::Channel};
// The macros that start a daemon name it in every case.
#[cfg(not(feature = "tonic"))]
#[doc(hidden)]
pub use crate::{child::server::Services, init::init_with};
#[cfg(feature = "python")]
#[doc(inline)]
pub use oad_macros::python;
#[doc(inline)]
pub use oad_macros::{main, object};

/// For generated code only; may change at any time.
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
    pub use crate::common::process::{Constructor, ConstructorArguments, TestDaemon};
    pub use crate::init::{block_on, init_before_main};
    pub use crate::parent::client::ArgumentsBuilder;
    #[cfg(feature = "python")]
    pub use crate::parent::proxy::{
        Face, FaceKind, FaceMember, FaceMemberKind, MadeInPython, python_face, python_proxy,
        typed_builder,
    };
    pub use crate::parent::proxy::{
        FromError, Opaque, Readable, Recover, ResultParts, TypedProxy, call, call_blocking,
        call_fallible, infallible, read_typed,
    };
    pub use inventory;
    pub use serde;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::common::error::Error;

    /// Drops what has been converted to a value, unless it is too deep for that.
    pub fn drop_written<T>(written: T) {
        crate::common::value::drop_written(written);
    }

    /// Asserts that an error type can be used with `#[oad(error)]`.
    pub fn assert_error<E: SentAsValue>() {}

    /// Asserts that a type that implements an interface is an object.
    pub fn assert_object<T: crate::child::object::Object>() {}

    /// Asserts that `&self` methods of a type can run in parallel.
    pub fn assert_parallel<T: Parallel>() {}

    /// An error that is sent to the caller as a value.
    #[diagnostic::on_unimplemented(
        message = "an `#[oad(error)]` method sends its error as a value, so `{Self}` must be \
                   `Serialize + Deserialize + From<oad::Error>`",
        label = "cannot be sent as a value",
        note = "derive the first two, and implement `From<oad::Error>` for failures of the \
                daemon; or remove `#[oad(error)]`"
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
        let raised = raise.to_error(message, causes, value);
        $crate::__private::drop_written(error);
        raised
    }};
}

#[cfg(any(doc, doctest))]
pub mod _guide {
    //! The guide: pages that explain more than one item at a time.
    //!
    //! | page | what it explains |
    //! |---|---|
    //! | [`rust_objects`] | values of Rust types: proxies, calls, errors, streams, interfaces |
    //! | [`python_objects`] | objects in any Python interpreter, and what one can do with them |
    //! | [`python_values`] | how values cross between Rust and Python |
    //! | [`python_failures`] | exceptions, timeouts, output and death of Python code |
    //! | [`grpc`] | grpcurl, health, localhost, services of your own |
    //! | [`in_a_library`] | using oad in a library, a plugin, or without a `main` |
    //! | [`in_tests`] | using oad in tests |
    //! | [`deploying`] | containers, musl, systemd, `panic = "abort"`, uv and conda |
    //! | [`performance`] | what a call costs, beside other ways |
    //! | [`coming_from_elsewhere`] | oad beside remoc, tarpc, go-plugin, multiprocessing and RPyC |
    //! | [`architecture`] | how oad is built |
    //! | [`security`] | who can do what, and what oad does not protect from |
    //! | [`changelog`] | what has changed |
    //!
    //! # Links
    //!
    //! The examples and `CONTRIBUTING.md` are in the repository only. This module exists
    //! only in the documentation; the pages are the files of `docs/`.

    /// A page of the guide. The links that it defines for readers of the file are defined
    /// here first, as links between these modules.
    macro_rules! page {
        ($name:ident, $file:literal) => {
            #[doc = "[architecture]: crate::_guide::architecture"]
            #[doc = "[deploying]: crate::_guide::deploying"]
            #[doc = "[grpc]: crate::_guide::grpc"]
            #[doc = "[in-a-library]: crate::_guide::in_a_library"]
            #[doc = "[in-tests]: crate::_guide::in_tests"]
            #[doc = "[performance]: crate::_guide::performance"]
            #[doc = "[python-concurrency]: crate::_guide::python_concurrency"]
            #[doc = "[python-failures]: crate::_guide::python_failures"]
            #[doc = "[python-objects]: crate::_guide::python_objects"]
            #[doc = "[python-values]: crate::_guide::python_values"]
            #[doc = "[rust-objects]: crate::_guide::rust_objects"]
            #[doc = "[security]: crate::_guide::security"]
            #[doc = ""]
            #[doc = include_str!(concat!("../", $file))]
            pub mod $name {}
        };
    }

    page!(architecture, "docs/architecture.md");
    page!(changelog, "CHANGELOG.md");
    page!(coming_from_elsewhere, "docs/coming-from-elsewhere.md");
    page!(deploying, "docs/deploying.md");
    page!(grpc, "docs/grpc.md");
    page!(in_a_library, "docs/in-a-library.md");
    page!(in_tests, "docs/in-tests.md");
    page!(performance, "docs/performance.md");
    page!(python_concurrency, "docs/python-concurrency.md");
    page!(python_failures, "docs/python-failures.md");
    page!(python_objects, "docs/python-objects.md");
    page!(python_values, "docs/python-values.md");
    page!(rust_objects, "docs/rust-objects.md");
    page!(security, "SECURITY.md");
}
