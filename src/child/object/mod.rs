//! What can be called: the trait behind every object, and how a definition becomes an
//! object.
//!
//! [`Object`] is implemented by `#[oad::object]`. The host above only knows [`Hosted`],
//! its type-erased form, which includes the methods of the interfaces that the type
//! implements. Deliberately absent: locks, order and handles, which belong to the host.

mod arguments;
mod blocking;
mod call_scope;
mod dispatch;
mod dynamic;
mod exception;
mod factory;
mod hosted;
mod hosted_as;
mod interface;
mod made_items;
mod object_ref;
mod owned_items;
pub(crate) mod panic;
mod python_objects;
mod registry;
mod shared;

pub use arguments::Arguments;
pub use blocking::in_place;
pub(crate) use blocking::{
    BLOCKING_THREADS, other_thread_permit, try_in_place, try_in_place_permit,
};
pub(crate) use call_scope::{CallScope, ReplyChannel, STALL, stream_closed, unless_stalled};
#[cfg(feature = "python")]
pub(crate) use dynamic::CallHold;
pub(crate) use dynamic::{Dynamic, DynamicCall, HeldCall};
pub use exception::{
    ByDebug, ByDisplay, ByError, ByNothing, ByValue, Deserialized, NotDeserialized, NotSerialized,
    RaisedError, Serialized,
};
pub(crate) use factory::make;
pub(crate) use hosted::no_such_object;
pub use hosted::{Construction, Hosted, MethodOutput, construction, take};
pub use hosted_as::{HostedAs, OverlappingKind, SerialKind, overlapping, serial};
pub use interface::{Calls, Implementation, Interface, InterfaceDispatch, Reply, no_such_method};
#[cfg(feature = "python")]
pub(crate) use object_ref::WeakObjectRef;
pub(crate) use object_ref::{ObjectCell, ObjectRef, drop_blocking};
pub use owned_items::{OwnedItems, send_iterator, send_stream};
pub(crate) use python_objects::{ForeignHealth, python};
#[cfg(feature = "python")]
pub(crate) use python_objects::{PythonObjects, set_python};
pub use registry::Registration;
pub(crate) use registry::unknown_method;
pub use shared::{Shared, SharedMut, SharedRef};

use crate::common::definition::TypeDescription;

/// A type whose values can live in their own daemon.
///
/// It is implemented by `#[oad::object]`, not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an oad object",
    label = "no `#[oad::object]` on its `impl` block",
    note = "add `#[oad::object]` to the `impl` block with the type's constructors and methods"
)]
pub trait Object: Sized + Send + 'static {
    /// The proxy that a caller holds.
    type Proxy;

    /// The name and the methods.
    #[doc(hidden)]
    const DESCRIPTION: &'static TypeDescription;

    /// Boxes the object for a host.
    #[doc(hidden)]
    fn host(self) -> Box<dyn Hosted>;

    /// Calls a method that takes `&self`.
    #[doc(hidden)]
    fn call_shared(&self, method: usize, arguments: Arguments) -> MethodOutput<'_>;

    /// Calls a method that takes `&mut self`, or any method of a serial object.
    #[doc(hidden)]
    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_>;

    /// Calls a method that takes `self`. The object is taken out once its arguments have
    /// been checked.
    #[doc(hidden)]
    fn call_consuming(
        object: &mut Option<Self>,
        method: usize,
        arguments: Arguments,
    ) -> MethodOutput<'_>;
}
