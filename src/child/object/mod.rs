//! What can be called: the trait behind every object, and how a definition becomes one.
//!
//! [`Object`] is implemented by `#[oad::object]`; the host above knows only [`Hosted`],
//! the same with its type forgotten, and with the methods of the interfaces that the type
//! implements. Below are the ground's values and definitions. Deliberately absent: locks,
//! order and handles, which are the host's.

mod arguments;
mod blocking;
mod call_scope;
mod dispatch;
mod dynamic;
mod exception;
mod factory;
mod hosted;
mod interface;
mod object_cell;
mod object_ref;
pub(crate) mod panic;
mod registry;
mod reply_channel;
mod shared;

pub use arguments::Arguments;
pub use blocking::in_place;
pub(crate) use blocking::{BLOCKING_THREADS, place_on_other_threads, try_in_place};
pub(crate) use call_scope::CallScope;
pub(crate) use dynamic::{CallHold, Dynamic, DynamicDescription, DynamicMethod};
pub use exception::{
    ByDebug, ByDisplay, ByError, ByNothing, Deserialized, NotDeserialized, NotSerialized,
    RaisedError, Revive, Serialized,
};
pub(crate) use factory::{make, set_python};
pub(crate) use hosted::no_such_object;
pub use hosted::{
    Construction, Hosted, HostedAs, MethodOutput, OverlappingKind, SerialKind, construction,
    overlapping, serial, take,
};
pub use interface::{Calls, Implementation, Interface, InterfaceDispatch, Reply, no_such_method};
pub(crate) use object_cell::{ObjectCell, drop_here};
pub(crate) use object_ref::{ObjectRef, WeakObjectRef};
pub use registry::Registration;
pub(crate) use reply_channel::ReplyChannel;
pub use reply_channel::{OwnedItems, send_iterator, send_stream};
pub use shared::{Shared, SharedMut, SharedRef};

use crate::common::definition::TypeDescription;

/// A type whose values can live in a daemon of their own; implemented by
/// `#[oad::object]`, not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an oad object",
    label = "has no `#[oad::object]` on an `impl` block of its own",
    note = "add `#[oad::object]` to the type's own `impl` block, which holds its constructors"
)]
pub trait Object: Sized + Send + 'static {
    /// What a caller holds of it.
    type Proxy;

    /// What it is called and what it can do.
    #[doc(hidden)]
    const DESCRIPTION: &'static TypeDescription;

    /// Has it live in a host.
    #[doc(hidden)]
    fn host(self) -> Box<dyn Hosted>;

    /// Calls a method that takes `&self`.
    #[doc(hidden)]
    fn call_shared(&self, method: usize, arguments: Arguments) -> MethodOutput<'_>;

    /// Calls a method that takes `&mut self`, or any method of a serial object.
    #[doc(hidden)]
    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_>;

    /// Calls a method that takes `self`: it takes the object out, once its arguments are
    /// known to be good.
    #[doc(hidden)]
    fn call_consuming(
        object: &mut Option<Self>,
        method: usize,
        arguments: Arguments,
    ) -> MethodOutput<'_>;
}
