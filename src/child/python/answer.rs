//! The answers of an interpreter, as the host takes them: its objects become the
//! caller's.

use std::sync::Arc;

use crate::child::object::{CallScope, ObjectRef};
use crate::child::python::interpreter::RunningInterpreter;
use crate::child::python::object::receive;
use crate::common::agent::{
    self, AgentHandle, Frame, Item, item_value, itself, malformed, outcome,
};
use crate::common::definition::DynamicDescription;
use crate::common::error::Result;
use crate::common::value::Value;

/// Reads a result, whose objects become the caller's.
pub(super) fn value(
    interpreter: &Arc<RunningInterpreter>,
    frame: &Frame,
    scope: &Arc<dyn CallScope>,
) -> Result<Value> {
    hand_out(interpreter, outcome(frame, interpreter.facts())?, scope)
}

/// Reads some items of an iterator, and whether it has ended.
pub(super) fn items(
    interpreter: &Arc<RunningInterpreter>,
    frame: &Frame,
    scope: &Arc<dyn CallScope>,
) -> Result<(Vec<Value>, bool)> {
    let (items, is_exhausted) = agent::items(outcome(frame, interpreter.facts())?)?;
    let items = items.into_iter().map(|item| hand_out(interpreter, item, scope));
    Ok((items.collect::<Result<_>>()?, is_exhausted))
}

fn hand_out(
    interpreter: &Arc<RunningInterpreter>,
    item: Item,
    scope: &Arc<dyn CallScope>,
) -> Result<Value> {
    let hand_out = &mut |object: AgentHandle| {
        let handle = scope.hand_out(&receive(interpreter, object.number, &object.type_name));
        Ok(handle.named(object.name))
    };
    let value = item_value(item, hand_out, scope.depth_limit());
    let value = value.inspect(|value| scope.count_handles(value));
    scope.made();
    value
}

/// Reads an answer that is one object.
pub(super) fn object(interpreter: &Arc<RunningInterpreter>, frame: &Frame) -> Result<ObjectRef> {
    let mut received = None;
    outcome(frame, interpreter.facts())?.into_value(&mut |object: AgentHandle| {
        received = Some(receive(interpreter, object.number, &object.type_name));
        Ok(itself(object.number))
    })?;
    received.ok_or_else(malformed)
}

/// Reads the description of an object.
pub(super) fn description(
    interpreter: &Arc<RunningInterpreter>,
    frame: &Frame,
) -> Result<DynamicDescription> {
    agent::description(outcome(frame, interpreter.facts())?)
}
