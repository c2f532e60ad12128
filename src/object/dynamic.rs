//! Objects whose abilities are not known before they are asked: those of an interpreter.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::definition::Asked;
use crate::error::Result;
use crate::object::Reach;
use crate::value::Value;

/// What is held until the interpreter has done with a call: the object's turn, and what keeps the ending waiting.
pub(crate) type Hold = Box<dyn Any + Send>;

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What an object says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct SelfDescription {
    pub(crate) type_name: String,
    pub(crate) documentation: String,
    pub(crate) methods: Vec<MethodDescription>,
    pub(crate) attributes: Vec<String>,
}

/// What an object says of one of its methods.
#[derive(Clone, Debug, Default)]
pub(crate) struct MethodDescription {
    pub(crate) name: String,
    pub(crate) documentation: String,
    pub(crate) signature: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) returns: String,
}

/// An object whose abilities are not known before it is asked.
pub(crate) trait Dynamic: Any + fmt::Debug + Send + Sync {
    /// Asks it; what is asked is on its way when this returns. The future is of the answer; dropping it interrupts the object, which may go on for all
    /// that. `hold` is dropped when the object has really done.
    fn ask(
        self: Arc<Self>,
        asked: Asked,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        reach: Arc<dyn Reach>,
        hold: Hold,
    ) -> Boxed<Result<Value>>;

    /// Asks what it can do.
    fn describe(self: Arc<Self>) -> Boxed<Result<SelfDescription>>;

    /// Waits until it can never answer again, because what it lives in has died; `None` if that is so already. The object is not kept by it.
    fn died(&self) -> Option<Boxed<()>>;
}
