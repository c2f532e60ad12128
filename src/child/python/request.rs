//! A request to the agent, before it is sent.

use std::sync::LazyLock;

use uuid::Uuid;

use crate::child::python::marshal::{AgentFrame, Item};
use crate::common::definition::{Action, Operation, Returns};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Handle, Value};

/// An operation of the agent, with its fields.
#[derive(Debug)]
pub(super) struct AgentRequest {
    operation: &'static str,
    payload: Item,
}

impl AgentRequest {
    pub(super) fn new(operation: &'static str) -> Self {
        AgentRequest { operation, payload: Item::Dict(Vec::new()) }
    }

    pub(super) fn with(mut self, field: &str, item: impl Into<Item>) -> Self {
        if let Item::Dict(fields) = &mut self.payload {
            fields.push((field.into(), item.into()));
        }
        self
    }

    pub(super) fn with_arguments(
        self,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
    ) -> Self {
        self.with("args", in_order(arguments)).with("kwargs", named(keywords))
    }

    /// What a caller asks of the object with this number.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] unless an attribute is set to exactly one value.
    pub(super) fn of(
        number: u64,
        operation: Operation,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
    ) -> Result<Self> {
        let Operation { action, name, returns } = operation;
        let new = |operation| AgentRequest::new(operation).with("target", number);
        Ok(match action {
            Action::Call | Action::Iterate => {
                let name = if name.is_empty() { Value::Null } else { name.into() };
                let request = new("call").with("name", name).with_arguments(arguments, keywords);
                request.returning(returns)
            }
            Action::GetAttribute => new("get").with("name", name).returning(returns),
            Action::SetAttribute => {
                let [value] = <[Value; 1]>::try_from(arguments).map_err(|values| {
                    let count = values.len();
                    let message = format!("an attribute is set to one value, not to {count}");
                    Error::new(ErrorKind::BadArguments, message)
                })?;
                new("set").with("name", name).with("value", value)
            }
            Action::DeleteAttribute => new("delete").with("name", name),
            Action::Operate => {
                let mut operands = vec![Value::Handle(itself(number))];
                operands.extend(arguments);
                let request = AgentRequest::new("operate").with("operator", name);
                let request = request.with("operands", in_order(operands));
                request.with("names", named(keywords)).returning(returns)
            }
        })
    }

    /// Up to `count` items of the iterator with this number.
    pub(super) fn items(number: u64, count: usize, returns: Returns) -> Self {
        let request = AgentRequest::new("iterate").with("target", number);
        request.with("count", count as i64).returning(returns)
    }

    /// Gives back `count` handles of the object with this number.
    pub(super) fn release(number: u64, count: u64) -> Self {
        let payload = Value::Tuple(vec![number.into(), count.into()]);
        AgentRequest { operation: "release", payload: payload.into() }
    }

    fn returning(self, returns: Returns) -> Self {
        self.with(
            "returns",
            match returns {
                Returns::Fitting => "default",
                Returns::Value => "value",
                Returns::Handle => "handle",
                Returns::HandleOrNull => "handle_or_null",
                Returns::Nothing => "nothing",
                Returns::Plain => "plain",
            },
        )
    }

    /// The bytes of its frame after the number. `number` returns the interpreter's number
    /// of an object.
    ///
    /// # Errors
    ///
    /// As [`marshal::encode`](crate::child::python::marshal::encode).
    pub(super) fn tail(&self, number: &mut impl FnMut(&Handle) -> Result<u64>) -> Result<Vec<u8>> {
        AgentFrame::tail(self.operation, &self.payload, number)
    }
}

/// Arguments by name. The dict around them does not count as a level of their depth.
fn named(keywords: Vec<(String, Value)>) -> Item {
    Item::Dict(keywords.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}

/// Arguments in order. The list around them does not count as a level of their depth.
fn in_order(arguments: Vec<Value>) -> Item {
    Item::List(arguments.into_iter().map(Item::Value).collect())
}

/// Stands for the daemon in the handles of this module's making. No caller can know it.
static OWN: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);

/// A handle that means a number in the interpreter that it is sent to.
pub(super) fn itself(number: u64) -> Handle {
    Handle::new(*OWN, number)
}

/// The number in such a handle; `None` for any handle of a caller's.
pub(super) fn number_of(handle: &Handle) -> Option<u64> {
    (handle.daemon() == *OWN).then(|| handle.id())
}
