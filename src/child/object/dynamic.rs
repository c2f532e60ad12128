//! Objects whose abilities are not known before they are asked: those of an interpreter.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::child::object::CallScope;
use crate::common::definition::{InterpreterFacts, Operation};
use crate::common::error::Result;
use crate::common::value::Value;
use futures_util::future::BoxFuture;

/// What is held until the interpreter has done with a call: the object's turn, and what
/// keeps the ending waiting.
pub(crate) type CallHold = Box<dyn Any + Send>;

/// What an object says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct DynamicDescription {
    pub(crate) type_name: String,
    pub(crate) documentation: String,
    pub(crate) methods: Vec<DynamicMethod>,
    pub(crate) attributes: Vec<String>,
}

/// What an object says of one of its methods.
#[derive(Clone, Debug, Default)]
pub(crate) struct DynamicMethod {
    pub(crate) name: String,
    pub(crate) documentation: String,
    pub(crate) signature: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) returns: String,
}

/// An object whose abilities are not known before it is asked.
pub(crate) trait Dynamic: Any + fmt::Debug + Send + Sync {
    /// Asks it; what is asked is on its way when this returns. The future is of the
    /// answer; dropping it interrupts the object, which may go on for all that. `hold` is
    /// dropped when the object has really done.
    fn ask(
        self: Arc<Self>,
        operation: Operation,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        scope: Arc<dyn CallScope>,
        hold: CallHold,
    ) -> BoxFuture<'static, Result<Value>>;

    /// Asks what it can do.
    fn describe(self: Arc<Self>) -> BoxFuture<'static, Result<DynamicDescription>>;

    /// The interpreter that it lives in.
    fn interpreter(&self) -> Option<InterpreterFacts>;

    /// Waits until it can never answer again, because what it lives in has died; `None`
    /// if that is so already. The object is not kept by it.
    fn died(&self) -> Option<BoxFuture<'static, ()>>;
}
