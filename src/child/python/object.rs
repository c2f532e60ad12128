//! An object that lives in an interpreter.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::child::object::{
    Arguments, CallHold, CallScope, Dynamic, DynamicDescription, Hosted, MethodOutput, ObjectRef,
    WeakObjectRef, no_such_object,
};
use crate::child::python::answer;
use crate::child::python::interpreter::{Payload, Request, RunningInterpreter};
use crate::child::python::iteration::iterate;
use crate::child::python::marshal::Item;
use crate::child::python::pending_request::wait;
use crate::common::definition::{Action, InterpreterFacts, Operation, Returns, TypeDescription};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Handle, Value};

/// An object that lives in an interpreter, by its number there.
#[derive(Debug)]
pub(super) struct PythonObject {
    pub(super) interpreter: Arc<RunningInterpreter>,
    pub(super) number: u64,
    /// How often the interpreter has sent its handle.
    received: AtomicU64,
    description: &'static TypeDescription,
}

/// The object as the host holds it.
struct HostedPython(Arc<PythonObject>);

/// Takes note that the interpreter has sent the handle of an object. The same object is
/// the same here as long as anybody holds it.
pub(super) fn arrive(
    interpreter: &Arc<RunningInterpreter>,
    number: u64,
    type_name: &str,
) -> ObjectRef {
    let mut objects = interpreter.objects();
    if let Some(known) = objects.get(&number).and_then(|weak| weak.upgrade())
        && let Some(object) = of(&known)
    {
        object.received.fetch_add(1, Ordering::Relaxed);
        return known;
    }
    let description = described(type_name);
    let received = AtomicU64::new(1);
    let object =
        PythonObject { interpreter: Arc::clone(interpreter), number, received, description };
    let object = ObjectRef::new(Box::new(HostedPython(Arc::new(object))));
    objects.insert(number, object.downgrade());
    object
}

/// The Python object that this is, if it is one.
pub(super) fn of(object: &ObjectRef) -> Option<Arc<PythonObject>> {
    let object: Arc<dyn Any + Send + Sync> = Arc::<dyn Dynamic>::clone(object.dynamic()?);
    object.downcast().ok()
}

/// Stands for the interpreter itself in the handles that [`own`] makes. No caller can
/// know it.
static ITSELF: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);

/// A handle that means a number in the interpreter itself.
pub(super) fn own(number: u64) -> Handle {
    Handle::new(*ITSELF, number)
}

/// The number in `interpreter` of what a caller has named.
pub(super) fn number(
    interpreter: &RunningInterpreter,
    scope: &dyn CallScope,
    handle: &Handle,
) -> Result<u64> {
    if handle.daemon() == *ITSELF {
        return Ok(handle.id());
    }
    let object = scope.find(handle)?;
    match of(&object) {
        Some(object) if std::ptr::eq(&*object.interpreter, interpreter) => Ok(object.number),
        Some(_) => {
            Err(Error::new(ErrorKind::BadArguments, "the object lives in another interpreter"))
        }
        None => Err(Error::new(
            ErrorKind::BadArguments,
            "a Rust object cannot be given to a Python object",
        )),
    }
}

/// How an answer is asked for.
pub(super) fn returns(returns: Returns) -> Item {
    match returns {
        Returns::Fitting => "default".into(),
        Returns::Value => "value".into(),
        Returns::Handle => "handle".into(),
        Returns::HandleOrNull => "handle_or_null".into(),
        Returns::Nothing => "nothing".into(),
        Returns::Plain => "plain".into(),
    }
}

impl PythonObject {
    /// Sends a request of this object's.
    pub(super) fn send(
        &self,
        operation: &str,
        payload: Payload,
        scope: &dyn CallScope,
    ) -> Result<Request> {
        self.interpreter
            .send(operation, payload, &mut |handle| number(&self.interpreter, scope, handle))
    }

    /// The request for one answer.
    fn request(
        &self,
        operation: Operation,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        scope: &dyn CallScope,
    ) -> Result<Request> {
        let Operation { action, name, returns } = operation;
        let target = ("target", self.number.into());
        let returns = ("returns", self::returns(returns));
        match action {
            Action::Call | Action::Iterate => {
                let name = if name.is_empty() { Value::Null } else { name.into() };
                let (positional, named) =
                    (("args", in_order(arguments)), ("kwargs", named(keywords)));
                self.send(
                    "call",
                    vec![target, ("name", name.into()), positional, named, returns],
                    scope,
                )
            }
            Action::GetAttribute => {
                self.send("get", vec![target, ("name", name.into()), returns], scope)
            }
            Action::SetAttribute => {
                let [value] = <[Value; 1]>::try_from(arguments).map_err(|_| one_value())?;
                self.send(
                    "set",
                    vec![target, ("name", name.into()), ("value", value.into())],
                    scope,
                )
            }
            Action::DeleteAttribute => {
                self.send("delete", vec![target, ("name", name.into())], scope)
            }
            Action::Operate => {
                let itself = Value::Handle(own(self.number));
                let operands =
                    ("operands", in_order(std::iter::once(itself).chain(arguments).collect()));
                let names = ("names", named(keywords));
                self.send(
                    "operate",
                    vec![("operator", name.into()), operands, names, returns],
                    scope,
                )
            }
        }
    }
}

/// Arguments by name. What stands around them is no level of theirs, nor is it below.
pub(super) fn named(keywords: Vec<(String, Value)>) -> Item {
    Item::Dict(keywords.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}

/// Arguments in order.
pub(super) fn in_order(arguments: Vec<Value>) -> Item {
    Item::List(arguments.into_iter().map(Item::Value).collect())
}

fn one_value() -> Error {
    Error::new(ErrorKind::BadArguments, "an attribute is set to one value")
}

impl Dynamic for PythonObject {
    fn ask(
        self: Arc<Self>,
        operation: Operation,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        scope: Arc<dyn CallScope>,
        hold: CallHold,
    ) -> BoxFuture<'static, Result<Value>> {
        if operation.action == Action::Iterate {
            return Box::pin(iterate(self, operation, arguments, keywords, scope, hold));
        }
        let request = match self.request(operation, arguments, keywords, &*scope) {
            Ok(request) => request,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let interpreter = Arc::clone(&self.interpreter);
        Box::pin(wait(Arc::clone(&interpreter), request, hold, move |frame| {
            answer::read(&interpreter, frame, &scope)
        }))
    }

    fn describe(self: Arc<Self>) -> BoxFuture<'static, Result<DynamicDescription>> {
        let nothing = &mut |handle: &Handle| Ok(handle.id());
        let request = match self.interpreter.send(
            "describe",
            vec![("target", self.number.into())],
            nothing,
        ) {
            Ok(request) => request,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let interpreter = Arc::clone(&self.interpreter);
        Box::pin(wait(interpreter, request, Box::new(()), answer::description))
    }

    fn interpreter(&self) -> Option<InterpreterFacts> {
        Some(self.interpreter.facts())
    }

    fn died(&self) -> Option<BoxFuture<'static, ()>> {
        let died = self.interpreter.died();
        (!died.is_cancelled()).then(|| Box::pin(died.cancelled_owned()) as BoxFuture<'static, ()>)
    }
}

/// The same as it was for the first of this id: the request to iterate is one to call.
impl PythonObject {
    pub(super) fn first_request(
        &self,
        operation: Operation,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        scope: &dyn CallScope,
    ) -> Result<Request> {
        let returns = Returns::Handle;
        let operation = match operation.name.is_empty() {
            true => Operation { action: Action::Operate, name: "iter".to_owned(), returns },
            false => Operation { returns, ..operation },
        };
        self.request(operation, arguments, keywords, scope)
    }
}

/// The interpreter may let go of it.
impl Drop for PythonObject {
    fn drop(&mut self) {
        let mut objects = self.interpreter.objects();
        // Its number may have arrived again in this moment, for another who holds it. To
        // hold that, even for the look, could make this the one to drop it.
        if objects.get(&self.number).is_some_and(WeakObjectRef::is_gone) {
            objects.remove(&self.number);
        }
        drop(objects);
        self.interpreter.release(self.number, self.received.load(Ordering::Relaxed));
    }
}

impl Hosted for HostedPython {
    fn description(&self) -> &'static TypeDescription {
        self.0.description
    }

    fn object_type(&self) -> TypeId {
        TypeId::of::<PythonObject>()
    }

    fn as_shared(&self) -> Option<&dyn Any> {
        None
    }

    fn as_exclusive(&mut self) -> Option<&mut dyn Any> {
        None
    }

    #[allow(private_interfaces)]
    fn dynamic(&self) -> Option<Arc<dyn Dynamic>> {
        Some(self.0.clone())
    }

    fn is_taken(&self) -> bool {
        false
    }

    fn call_shared(&self, _: usize, _: Arguments) -> MethodOutput<'_> {
        MethodOutput::Now(Err(no_such_object()))
    }

    fn call_exclusive(&mut self, _: usize, _: Arguments) -> MethodOutput<'_> {
        MethodOutput::Now(Err(no_such_object()))
    }

    fn call_consuming(&mut self, _: usize, _: Arguments) -> MethodOutput<'_> {
        MethodOutput::Now(Err(no_such_object()))
    }
}

/// What is known of all objects of a type: its name. Kept as long as the process, because
/// a description is.
fn described(type_name: &str) -> &'static TypeDescription {
    static KNOWN: Mutex<Option<HashMap<String, &'static TypeDescription>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_with(HashMap::new);
    if let Some(description) = known.get(type_name) {
        return description;
    }
    let description: &'static TypeDescription = Box::leak(Box::new(TypeDescription {
        name: type_name.to_owned().leak(),
        documentation: "",
        constructors: &[],
        methods: &[],
        interfaces: &[],
        declared: "",
    }));
    known.insert(type_name.to_owned(), description);
    description
}
