//! An object that lives in an interpreter.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::child::object::{
    Arguments, CallScope, Dynamic, Hosted, MethodOutput, ObjectRef, WeakObjectRef, no_such_object,
};
use crate::child::python::interpreter::{RunningInterpreter, SentRequest};
use crate::child::python::pending_request::release;
use crate::common::agent::{AgentRequest, ObjectId, number_of};
use crate::common::definition::TypeDescription;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Handle;

/// An object that lives in an interpreter, by its number there.
#[derive(Debug)]
pub(super) struct PythonObject {
    pub(super) interpreter: Arc<RunningInterpreter>,
    pub(super) number: u64,
    /// How often the interpreter has sent its handle over the daemon's door; 0 for an
    /// object that others hold.
    received: AtomicU64,
    description: &'static TypeDescription,
}

/// The object as the host holds it.
struct HostedPython(Arc<PythonObject>);

/// Counts a handle that the interpreter has sent. The same object there is the same one
/// here, as long as anybody holds it.
pub(super) fn receive(
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
    let description = description_of_type(type_name);
    let received = AtomicU64::new(1);
    let object =
        PythonObject { interpreter: Arc::clone(interpreter), number, received, description };
    let object = ObjectRef::new(Box::new(HostedPython(Arc::new(object))));
    objects.insert(number, object.downgrade());
    object
}

/// An object that somebody else holds, over the other door. It is not kept.
pub(super) fn borrow(
    interpreter: &Arc<RunningInterpreter>,
    number: u64,
    type_name: &str,
) -> ObjectRef {
    let known = interpreter.objects().get(&number).and_then(|weak| weak.upgrade());
    known.unwrap_or_else(|| {
        let (received, description) = (AtomicU64::new(0), description_of_type(type_name));
        let object =
            PythonObject { interpreter: Arc::clone(interpreter), number, received, description };
        ObjectRef::new(Box::new(HostedPython(Arc::new(object))))
    })
}

impl PythonObject {
    pub(super) fn type_name(&self) -> &'static str {
        self.description.name
    }

    pub(super) fn object_id(&self) -> ObjectId {
        ObjectId { interpreter: self.interpreter.number, object: self.number }
    }
}

/// The Python object that this is, if it is one.
pub(super) fn of(object: &ObjectRef) -> Option<Arc<PythonObject>> {
    let object: Arc<dyn Any + Send + Sync> = Arc::<dyn Dynamic>::clone(object.dynamic()?);
    object.downcast().ok()
}

/// Sends a request whose handles are the caller's.
///
/// # Errors
///
/// [`ErrorKind::BadArguments`] for a handle of an object elsewhere, and how the
/// interpreter has died, if it has.
pub(super) fn send(
    interpreter: &Arc<RunningInterpreter>,
    request: &AgentRequest,
    scope: &dyn CallScope,
) -> Result<SentRequest> {
    interpreter.send(request, &mut |handle| number_in(interpreter, handle, scope))
}

/// The number in `interpreter` of the object that a handle names.
fn number_in(
    interpreter: &RunningInterpreter,
    handle: &Handle,
    scope: &dyn CallScope,
) -> Result<u64> {
    if let Some(number) = number_of(handle) {
        return Ok(number);
    }
    let object = scope.find(handle)?;
    let message = match of(&object) {
        Some(object) if std::ptr::eq(&*object.interpreter, interpreter) => {
            return Ok(object.number);
        }
        Some(_) => "the object lives in another interpreter",
        None => "a Rust object cannot be passed to a Python object",
    };
    Err(Error::new(ErrorKind::BadArguments, message))
}

/// The interpreter may drop its reference.
impl Drop for PythonObject {
    fn drop(&mut self) {
        let received = self.received.load(Ordering::Relaxed);
        if received == 0 {
            return;
        }
        let mut objects = self.interpreter.objects();
        // The number may have arrived again just now, for another holder. Upgrading it,
        // even to look, could make this the one that drops it.
        if objects.get(&self.number).is_some_and(WeakObjectRef::is_gone) {
            objects.remove(&self.number);
        }
        drop(objects);
        release(&self.interpreter, self.number, received);
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

/// The description of all objects of a type, which is only its name. It is kept as long
/// as the process, as the descriptions of Rust types are.
fn description_of_type(type_name: &str) -> &'static TypeDescription {
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
