//! Exceptions of Python that stay in the interpreter as objects.
//!
//! The call is wrapped in a request that returns the exception, as a named tuple that no
//! object can return, so that its handles are counted as those of any result.

use std::sync::Arc;

use crate::common::agent::{Item, reported};
use crate::common::definition::{Action, CallArgs, Operation};
use crate::common::error::{Error, ErrorKind, Exception, Result};
use crate::common::value::{PythonDetails, Value};
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::adopt::{ReturnedValue, read};
use crate::parent::proxy::call_context::CallContext;
use crate::parent::proxy::{Origin, Proxy};

/// The names of what a kept exception is returned as.
const NAMES: [&str; 3] = ["kept exception", "its arguments", "its report"];

/// The operation whose exception is kept.
///
/// # Errors
///
/// [`ErrorKind::BadArguments`] for an iteration.
pub(super) fn keeping_exception(
    operation: Operation,
    (mut values, keywords): CallArgs,
) -> Result<(Operation, CallArgs)> {
    let Operation { action, name, returns, python } = operation;
    let kind = match action {
        Action::Call => "call",
        Action::GetAttribute => "get",
        Action::SetAttribute => "set",
        Action::DeleteAttribute => "delete",
        Action::Operate => "operate",
        Action::Iterate => {
            let message = "an iteration cannot keep its exceptions";
            return Err(Error::new(ErrorKind::BadArguments, message)
                .advise("call the method, and ask its result for the items one by one"));
        }
    };
    let is_chain = action == Action::Operate && name == "chain";
    if is_chain {
        values.insert(0, true.into());
    } else {
        let step = ArgumentsBuilder::of_values(values, keywords);
        let keep = ArgumentsBuilder::new().with(false).with_step(kind, name, step);
        values = keep.into_parts()?.values;
    }
    let keep = Operation { action: Action::Operate, name: "keep".to_owned(), returns, python };
    Ok((keep, (values, Vec::new())))
}

/// What a call has returned, unless it is an exception that is kept.
///
/// # Errors
///
/// The exception.
pub(super) fn without_exception(
    context: &CallContext,
    returned: ReturnedValue,
) -> Result<ReturnedValue> {
    let is_exception = context.keeps_exception
        && matches!(&returned.0, Value::NamedTuple(tuple) if tuple.names() == NAMES);
    if !is_exception {
        return Ok(returned);
    }
    let (object, args, report): (Proxy, Vec<Value>, Value) = read(context, returned)?;
    let Origin::Python { interpreter, .. } = &context.proxy.0.origin else {
        unreachable!("only an exception of a Python object is kept");
    };
    let kept = reported(interpreter, Item::from(report)).map(|exception| {
        let details = PythonDetails::of(&exception).cloned().unwrap_or_default();
        let details = PythonDetails { args, object: Some(Arc::new(object)), ..details };
        Exception { value: Some(Arc::new(details)), ..exception }
    });
    Err(context.explain(kept.map_or_else(|error| error, Error::from_exception)))
}
