//! An object that lives in an interpreter.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use uuid::Uuid;

use crate::definition::{Action, Asked, Returns};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Answer, Arguments, Boxed, Description, Dynamic, Hold, Hosted, Living, Reach, SelfDescription, WeakLiving,
    no_such_object,
};
use crate::python::answer;
use crate::python::interpreter::{Interpreter, Payload, Request};
use crate::python::iteration::iterate;
use crate::python::marshal::Item;
use crate::python::waiting::wait;
use crate::value::{Handle, Value};

/// An object that lives in an interpreter, by its number there.
#[derive(Debug)]
pub(super) struct PythonObject {
    pub(super) interpreter: Arc<Interpreter>,
    pub(super) number: u64,
    /// How often the interpreter has sent its handle.
    received: AtomicU64,
    description: &'static Description,
}

/// The object as the host holds it.
struct Held(Arc<PythonObject>);

/// Takes note that the interpreter has sent the handle of an object. The same object is the same here as long as anybody holds it.
pub(super) fn arrive(interpreter: &Arc<Interpreter>, number: u64, type_name: &str) -> Living {
    let mut objects = interpreter.objects();
    if let Some(living) = objects.get(&number).and_then(|weak| weak.upgrade())
        && let Some(object) = of(&living)
    {
        object.received.fetch_add(1, Ordering::Relaxed);
        return living;
    }
    let description = described(type_name);
    let received = AtomicU64::new(1);
    let object = PythonObject { interpreter: Arc::clone(interpreter), number, received, description };
    let living = Living::new(Box::new(Held(Arc::new(object))));
    objects.insert(number, living.downgrade());
    living
}

/// The Python object that this is, if it is one.
pub(super) fn of(living: &Living) -> Option<Arc<PythonObject>> {
    let object: Arc<dyn Any + Send + Sync> = Arc::<dyn Dynamic>::clone(living.dynamic()?);
    object.downcast().ok()
}

/// Stands for the interpreter itself in the handles that [`own`] makes. No caller can know it.
static ITSELF: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);

/// A handle that means a number in the interpreter itself.
pub(super) fn own(number: u64) -> Handle {
    Handle::new(*ITSELF, number)
}

/// The number in `interpreter` of what a caller has named.
pub(super) fn number(interpreter: &Interpreter, reach: &dyn Reach, handle: &Handle) -> Result<u64> {
    if handle.daemon() == *ITSELF {
        return Ok(handle.id());
    }
    let living = reach.find(handle)?;
    match of(&living) {
        Some(object) if std::ptr::eq(&*object.interpreter, interpreter) => Ok(object.number),
        Some(_) => Err(Error::new(ErrorKind::BadArguments, "the object lives in another interpreter")),
        None => Err(Error::new(ErrorKind::BadArguments, "a Rust object cannot be given to a Python object")),
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
    }
}

impl PythonObject {
    /// Sends a request of this object's.
    pub(super) fn send(&self, operation: &str, payload: Payload, reach: &dyn Reach) -> Result<Request> {
        self.interpreter.send(operation, payload, &mut |handle| number(&self.interpreter, reach, handle))
    }

    /// The request for one answer.
    fn request(
        &self,
        asked: Asked,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        reach: &dyn Reach,
    ) -> Result<Request> {
        let Asked { action, name, returns } = asked;
        let target = ("target", self.number.into());
        let returns = ("returns", self::returns(returns));
        match action {
            Action::Call | Action::Iterate => {
                let name = if name.is_empty() { Value::Null } else { name.into() };
                let (positional, named) = (("args", in_order(arguments)), ("kwargs", named(keywords)));
                self.send("call", vec![target, ("name", name.into()), positional, named, returns], reach)
            }
            Action::GetAttribute => self.send("get", vec![target, ("name", name.into()), returns], reach),
            Action::SetAttribute => {
                let [value] = <[Value; 1]>::try_from(arguments).map_err(|_| one_value())?;
                self.send("set", vec![target, ("name", name.into()), ("value", value.into())], reach)
            }
            Action::DeleteAttribute => self.send("delete", vec![target, ("name", name.into())], reach),
            Action::Operate => {
                let itself = Value::Handle(own(self.number));
                let operands = ("operands", in_order(std::iter::once(itself).chain(arguments).collect()));
                self.send("operate", vec![("operator", name.into()), operands, returns], reach)
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
        asked: Asked,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        reach: Arc<dyn Reach>,
        hold: Hold,
    ) -> Boxed<Result<Value>> {
        if asked.action == Action::Iterate {
            return Box::pin(iterate(self, asked, arguments, keywords, reach, hold));
        }
        let request = match self.request(asked, arguments, keywords, &*reach) {
            Ok(request) => request,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let interpreter = Arc::clone(&self.interpreter);
        Box::pin(wait(Arc::clone(&interpreter), request, hold, move |frame| answer::read(&interpreter, frame, &reach)))
    }

    fn describe(self: Arc<Self>) -> Boxed<Result<SelfDescription>> {
        let nothing = &mut |handle: &Handle| Ok(handle.id());
        let request = match self.interpreter.send("describe", vec![("target", self.number.into())], nothing) {
            Ok(request) => request,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let interpreter = Arc::clone(&self.interpreter);
        Box::pin(wait(interpreter, request, Box::new(()), answer::description))
    }

    fn died(&self) -> Option<Boxed<()>> {
        let died = self.interpreter.died();
        (!died.is_cancelled()).then(|| Box::pin(died.cancelled_owned()) as Boxed<()>)
    }
}

/// The same as it was for the first of this id: the request to iterate is one to call.
impl PythonObject {
    pub(super) fn first_request(
        &self,
        asked: Asked,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        reach: &dyn Reach,
    ) -> Result<Request> {
        let returns = Returns::Handle;
        let asked = match asked.name.is_empty() {
            true => Asked { action: Action::Operate, name: "iter".to_owned(), returns },
            false => Asked { returns, ..asked },
        };
        self.request(asked, arguments, keywords, reach)
    }
}

/// The interpreter may let go of it.
impl Drop for PythonObject {
    fn drop(&mut self) {
        let mut objects = self.interpreter.objects();
        // Its number may have arrived again in this moment, for another who holds it. To hold that, even for the look, could make this the one to drop it.
        if objects.get(&self.number).is_some_and(WeakLiving::is_gone) {
            objects.remove(&self.number);
        }
        drop(objects);
        self.interpreter.release(self.number, self.received.load(Ordering::Relaxed));
    }
}

impl Hosted for Held {
    fn description(&self) -> &'static Description {
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

    fn call_shared(&self, _: usize, _: Arguments) -> Answer<'_> {
        Answer::Now(Err(no_such_object()))
    }

    fn call_exclusive(&mut self, _: usize, _: Arguments) -> Answer<'_> {
        Answer::Now(Err(no_such_object()))
    }

    fn call_consuming(&mut self, _: usize, _: Arguments) -> Answer<'_> {
        Answer::Now(Err(no_such_object()))
    }
}

/// What is known of all objects of a type: its name. Kept as long as the process, because a description is.
fn described(type_name: &str) -> &'static Description {
    static KNOWN: Mutex<Option<HashMap<String, &'static Description>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_with(HashMap::new);
    if let Some(description) = known.get(type_name) {
        return description;
    }
    let description: &'static Description = Box::leak(Box::new(Description {
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
