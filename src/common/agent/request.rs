//! A request to the agent, before it is sent.

use std::sync::LazyLock;
use std::time::Duration;

use uuid::Uuid;

use crate::common::agent::marshal::{Item, MarshalWriter};
use crate::common::agent::request_frame::RequestFrame;
use crate::common::definition::{
    Action, CallArgs, Operation, PythonOptions, PythonSource, Returns,
};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Handle, Value};

/// The most items that are requested at once.
pub(crate) const BATCH: usize = 256;

/// Python's iterators whose items are there already. The next item of any other, such as
/// a generator, is made by code that may wait for what the caller does next.
const WALKERS: [&str; 13] = [
    "list_iterator",
    "list_reverseiterator",
    "tuple_iterator",
    "range_iterator",
    "longrange_iterator",
    "str_iterator",
    "str_ascii_iterator",
    "bytes_iterator",
    "bytearray_iterator",
    "dict_keyiterator",
    "dict_valueiterator",
    "dict_itemiterator",
    "set_iterator",
];

/// Whether the items of an iterator of this type are made only when they are asked for.
pub(crate) fn makes_items(type_name: &str) -> bool {
    !WALKERS.contains(&type_name)
}

/// An operation of the agent, with its fields.
#[derive(Debug)]
pub(crate) struct AgentRequest {
    operation: &'static str,
    payload: Payload,
    is_on_main_thread: bool,
}

#[derive(Debug)]
enum Payload {
    Item(Item),
    /// What most requests are, as a tuple.
    Call {
        target: u64,
        name: String,
        arguments: CallArgs,
        returns: &'static str,
    },
}

impl AgentRequest {
    pub(crate) fn new(operation: &'static str) -> Self {
        AgentRequest::of_payload(operation, Payload::Item(Item::Dict(Vec::new())))
    }

    fn of_payload(operation: &'static str, payload: Payload) -> Self {
        AgentRequest { operation, payload, is_on_main_thread: false }
    }

    /// Has it carried out on the main thread, also if the interpreter has others.
    pub(crate) fn on_main_thread(self, is_on_main_thread: bool) -> Self {
        AgentRequest { is_on_main_thread, ..self }
    }

    pub(crate) fn with(mut self, field: &str, item: impl Into<Item>) -> Self {
        if let Payload::Item(Item::Dict(fields)) = &mut self.payload {
            fields.push((field.into(), item.into()));
        }
        self
    }

    /// What a caller asks of the object with this number.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] unless an attribute is set to exactly one value.
    pub(crate) fn of(number: u64, operation: Operation, arguments: CallArgs) -> Result<Self> {
        let Operation { action, name, returns, python } = operation;
        let PythonOptions { is_on_main_thread, is_awaited } = python;
        let new = |operation| AgentRequest::new(operation).with("target", number);
        let returns = returns_word(returns, is_awaited);
        let request = match action {
            Action::Call | Action::Iterate => {
                let payload = Payload::Call { target: number, name, arguments, returns };
                AgentRequest::of_payload("call", payload)
            }
            Action::GetAttribute => new("get").with("name", name).with("returns", returns),
            Action::SetAttribute => {
                let [value] = <[Value; 1]>::try_from(arguments.0).map_err(|values| {
                    let count = values.len();
                    let message = format!("an attribute is set to one value, not to {count}");
                    Error::new(ErrorKind::BadArguments, message)
                })?;
                new("set").with("name", name).with("value", value)
            }
            Action::DeleteAttribute => new("delete").with("name", name),
            Action::Operate => {
                let (arguments, keywords) = arguments;
                let mut operands = vec![Value::Handle(itself(number))];
                operands.extend(arguments);
                let request = AgentRequest::new("operate").with("operator", name);
                let request = request.with("operands", in_order(operands));
                request.with("names", named(keywords)).with("returns", returns)
            }
        };
        Ok(request.on_main_thread(is_on_main_thread))
    }

    /// Applies an operator without further operands, and keeps its result.
    pub(crate) fn operator(number: u64, name: &str, returns: Returns) -> Self {
        let operands = in_order(vec![Value::Handle(itself(number))]);
        let request = AgentRequest::new("operate").with("operator", name);
        request.with("operands", operands).returning(returns)
    }

    /// Makes an object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] for arguments where none can be.
    pub(crate) fn make(source: PythonSource, arguments: CallArgs) -> Result<Self> {
        let (arguments, keywords) = arguments;
        let make = |kind: &str| AgentRequest::new("make").with("kind", kind);
        let module = |name: String| if name.is_empty() { Value::Null } else { name.into() };
        let takes_arguments = matches!(source, PythonSource::Instance { .. } | PythonSource::Value);
        let has_arguments = !arguments.is_empty() || !keywords.is_empty();
        if has_arguments && !takes_arguments {
            return Err(Error::new(ErrorKind::BadArguments, "only an instance takes arguments"));
        }
        Ok(match source {
            PythonSource::Instance { module: from, name } => {
                let request = make("instance").with("module", module(from)).with("name", name);
                request.with("args", in_order(arguments)).with("kwargs", named(keywords))
            }
            PythonSource::Name { module: from, name } => {
                make("object").with("module", module(from)).with("name", name)
            }
            PythonSource::Module(name) => make("module").with("module", name),
            // As bytes: which text that is for the interpreter depends on its locale.
            PythonSource::File(path) => {
                make("file").with("path", Value::Bytes(path.into_bytes().into()))
            }
            PythonSource::Script { source, name } => {
                make("script").with("source", source).with("name", name)
            }
            PythonSource::Value => match <[Value; 1]>::try_from(arguments) {
                Ok([value]) => make("value").with("value", value),
                Err(values) => {
                    let count = values.len();
                    let message = format!("a Python value is made of one value, not {count}");
                    return Err(Error::new(ErrorKind::BadArguments, message));
                }
            },
            PythonSource::Interpreter => make("interpreter"),
        })
    }

    /// Asks what an object can do.
    pub(crate) fn describe(number: u64) -> Self {
        AgentRequest::new("describe").with("target", number)
    }

    /// Up to `count` items of the iterator with this number.
    pub(crate) fn items(number: u64, count: usize, returns: Returns) -> Self {
        let request = AgentRequest::new("iterate").with("target", number);
        request.with("count", count as i64).returning(returns)
    }

    /// Gives back `count` handles of the object with this number; 0 gives back all of
    /// everybody's.
    pub(crate) fn release(number: u64, count: u64) -> Self {
        let payload = Item::Value(Value::Tuple(vec![number.into(), count.into()]));
        AgentRequest::of_payload("release", Payload::Item(payload))
    }

    /// Interrupts a request.
    pub(crate) fn interrupt(id: u64) -> Self {
        AgentRequest::of_payload("interrupt", Payload::Item(id.into()))
    }

    /// Says how long the interpreter may take to end, which is near.
    pub(crate) fn end_within(time: Duration) -> Self {
        let seconds = Item::Value(Value::Float(time.as_secs_f64()));
        AgentRequest::of_payload("end", Payload::Item(seconds))
    }

    fn returning(self, returns: Returns) -> Self {
        self.with("returns", returns_word(returns, false))
    }

    /// The bytes of its frame. `number` returns the interpreter's number of an object.
    ///
    /// # Errors
    ///
    /// As [`encode`](crate::common::agent::encode), and [`ErrorKind::TooLarge`].
    pub(crate) fn frame(
        &self,
        number: &mut impl FnMut(&Handle) -> Result<u64>,
    ) -> Result<RequestFrame> {
        let mut writer = MarshalWriter::after(RequestFrame::head(), number);
        match self.is_on_main_thread {
            false => writer.text(self.operation)?,
            true => writer.text(&format!("main {}", self.operation))?,
        }
        match &self.payload {
            Payload::Item(item) => writer.item(item)?,
            Payload::Call { target, name, arguments: (arguments, keywords), returns } => {
                writer.open_tuple(5)?;
                writer.value(&(*target).into())?;
                match name.as_str() {
                    "" => writer.value(&Value::Null)?,
                    name => writer.text(name)?,
                }
                writer.arguments(arguments, keywords)?;
                writer.text(returns)?;
            }
        }
        let (bytes, parts) = writer.finish();
        RequestFrame::of(bytes, parts)
    }
}

fn returns_word(returns: Returns, is_awaited: bool) -> &'static str {
    let [plain, awaited] = match returns {
        Returns::Fitting => ["default", "await default"],
        Returns::Value => ["value", "await value"],
        Returns::Handle => ["handle", "await handle"],
        Returns::HandleOrNull => ["handle_or_null", "await handle_or_null"],
        Returns::Nothing => ["nothing", "await nothing"],
        Returns::Plain => ["plain", "await plain"],
    };
    if is_awaited { awaited } else { plain }
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
pub(crate) fn itself(number: u64) -> Handle {
    Handle::new(*OWN, number)
}

/// The number in such a handle; `None` for any handle of a caller's.
pub(crate) fn number_of(handle: &Handle) -> Option<u64> {
    (handle.daemon() == *OWN).then(|| handle.id())
}
