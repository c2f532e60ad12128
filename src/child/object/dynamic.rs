//! Objects whose methods are only known at run time: those in an interpreter.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::child::object::CallScope;
use crate::common::definition::{DynamicDescription, InterpreterFacts, Operation};
use crate::common::error::Result;
use crate::common::value::Value;
use futures_util::future::BoxFuture;

/// Held until the interpreter has completed a call: the object's turn, and the token that
/// the shutdown waits for.
pub(crate) type CallHold = Box<dyn HeldCall>;

/// What a call holds.
#[cfg_attr(not(feature = "python"), allow(dead_code))] // Only interpreters use it.
pub(crate) trait HeldCall: Send {
    /// Notes that the object's code runs.
    fn note_begun(&mut self) {}

    /// Gives up the object's turn, because its interpreter keeps the order of its calls.
    fn give_up_turn(&mut self) {}
}

impl HeldCall for () {}

impl HeldCall for Arc<()> {}

/// One operation on such an object.
pub(crate) struct DynamicCall {
    pub(crate) operation: Operation,
    pub(crate) arguments: Vec<Value>,
    pub(crate) keywords: Vec<(String, Value)>,
    pub(crate) scope: Arc<dyn CallScope>,
    /// Dropped once the object has really finished.
    pub(crate) hold: CallHold,
}

/// An object whose methods are only known at run time.
pub(crate) trait Dynamic: Any + fmt::Debug + Send + Sync {
    /// Starts an operation and returns a future of its result. Dropping the future
    /// interrupts the object, which may keep running.
    fn call(self: Arc<Self>, call: DynamicCall) -> BoxFuture<'static, Result<Value>>;

    /// Returns the object's description.
    fn describe(self: Arc<Self>) -> BoxFuture<'static, Result<DynamicDescription>>;

    /// Returns the object's id in its daemon, which is never that of another object.
    fn id(&self) -> u64;

    /// Returns the interpreter that the object lives in.
    fn interpreter(&self) -> Option<InterpreterFacts>;

    /// Returns a future that completes when the object's interpreter dies, or `None` if
    /// it is already dead. The future does not keep the object alive.
    fn died(&self) -> Option<BoxFuture<'static, ()>>;
}
