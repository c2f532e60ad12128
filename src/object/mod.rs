//! What can be called: the trait behind every object, and how a definition becomes one.
//!
//! [`Object`] is implemented by `#[oad::object]`; the host above knows only [`Hosted`], the same with its type forgotten, and with the methods of
//! the interfaces that the type implements. Below are the ground's values and definitions. Deliberately absent: locks, order and handles, which are the host's.

mod arguments;
mod description;
mod dispatch;
mod dynamic;
mod factory;
mod hosted;
mod interface;
mod kept;
mod line;
mod living;
mod packed;
pub(crate) mod panic;
mod place;
mod raise;
mod reach;
mod registry;
mod shared;

pub use arguments::Arguments;
pub use description::{Description, Method, Parameter, Receiver};
pub(crate) use dynamic::{Boxed, Dynamic, Hold, MethodDescription, SelfDescription};
pub(crate) use factory::{make, set_python};
pub(crate) use hosted::no_such_object;
pub use hosted::{Alone, Answer, Construction, Hosted, HostedAs, Together, construction, overlapping, serial, take};
pub use interface::{Calls, Implementation, Interface, Interfaced, Reply, no_such_method};
pub(crate) use kept::{Kept, drop_here};
pub(crate) use line::Line;
pub use line::{Apart, send_iterator, send_stream};
pub(crate) use living::{Living, WeakLiving};
pub use packed::Packed;
pub(crate) use packed::Parts;
pub use place::in_place;
pub(crate) use place::{BLOCKING_THREADS, place_on_other_threads, try_in_place};
pub use raise::{ByDebug, ByDisplay, ByError, Deserialized, Raise, Revive, Serialized, Unnamed, Unreadable, Unwritten};
pub(crate) use reach::Reach;
pub use registry::Registration;
pub use shared::{Shared, SharedMut, SharedRef};

/// A type whose values can live in a daemon of their own; implemented by `#[oad::object]`, not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no object",
    label = "no `#[oad::object]` on an `impl` block of its own",
    note = "write `#[oad::object]` on the type's own `impl` block: its constructors are there, and what it needs to live in a daemon"
)]
pub trait Object: Sized + Send + 'static {
    /// What a caller holds of it.
    type Proxy;

    /// What it is called and what it can do.
    #[doc(hidden)]
    const DESCRIPTION: &'static Description;

    /// Has it live in a host.
    #[doc(hidden)]
    fn host(self) -> Box<dyn Hosted>;

    /// Calls a method that takes `&self`.
    #[doc(hidden)]
    fn call_shared(&self, method: usize, arguments: Arguments) -> Answer<'_>;

    /// Calls a method that takes `&mut self`, or any method of a serial object.
    #[doc(hidden)]
    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> Answer<'_>;

    /// Calls a method that takes `self`: it takes the object out, once its arguments are known to be good.
    #[doc(hidden)]
    fn call_consuming(object: &mut Option<Self>, method: usize, arguments: Arguments) -> Answer<'_>;
}
