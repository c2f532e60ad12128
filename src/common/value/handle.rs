//! The name of an object that stays in its daemon, and what keeps the object there.
//!
//! A handle in a response keeps its object alive by a lease. Serde passes no context to
//! `Deserialize` implementations, so the reader of a response puts the leases of its
//! handles into a thread-local slot, where each handle finds its own.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::common::scoped::{Slot, with_slot};
use crate::common::value::special::{HANDLE, plain_struct};
use crate::common::value::{Value, hold};

/// The name of an object that stays in its daemon.
///
/// A handle in a value that a call has returned keeps the object alive, as a
/// [`Proxy`](crate::Proxy) does. The handle of a proxy, [`Proxy::handle`], is only a
/// name. Two handles are equal if they name the same object.
///
/// [`Proxy::handle`]: crate::Proxy::handle
#[derive(Clone)]
pub struct Handle {
    daemon: Uuid,
    id: u64,
    kind: Option<Arc<ObjectKind>>,
    lease: Option<HandleLease>,
}

/// What keeps an object in its daemon.
pub(crate) type HandleLease = Arc<dyn Any + Send + Sync>;

/// The leases of each handle, one for each time that it occurs.
type Leases = HashMap<Handle, Vec<HandleLease>>;

thread_local! {
    /// The leases of the handles that are being read.
    static LEASES: Slot<Leases> = const { RefCell::new(None) };
}

/// Runs `read`, which reads a value with these handles. Each handle takes its own lease;
/// leases that no handle has taken are dropped.
pub(crate) fn leasing<T>(
    leases: impl Iterator<Item = (Handle, HandleLease)>,
    read: impl FnOnce() -> T,
) -> T {
    let mut of_each = Leases::new();
    leases.for_each(|(handle, lease)| of_each.entry(handle).or_default().push(lease));
    with_slot(&LEASES, of_each, read).0
}

/// What the daemon has reported about an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectKind {
    pub(crate) type_name: String,
    pub(crate) interfaces: Vec<String>,
    /// The object's own name, if it is a Python class, function or module, whose type's
    /// name would say nothing in a message.
    pub(crate) name: String,
}

/// The form of a handle in other formats, such as JSON.
#[derive(Deserialize)]
pub(super) struct PlainHandle {
    daemon: Uuid,
    id: u64,
    #[serde(default, rename = "type")]
    type_name: String,
    #[serde(default)]
    interfaces: Vec<String>,
    #[serde(default)]
    name: String,
}

impl Handle {
    pub(crate) fn new(daemon: Uuid, id: u64) -> Self {
        Handle { daemon, id, kind: None, lease: None }
    }

    /// Sets what is known about the object.
    pub(crate) fn of_kind(self, kind: ObjectKind) -> Self {
        Handle { kind: (kind != ObjectKind::default()).then(|| Arc::new(kind)), ..self }
    }

    /// The same, of an object with a name of its own.
    pub(crate) fn named(self, name: String) -> Self {
        if name.is_empty() {
            return self;
        }
        let (type_name, interfaces) = match &self.kind {
            Some(kind) => (kind.type_name.clone(), kind.interfaces.clone()),
            None => Default::default(),
        };
        self.of_kind(ObjectKind { type_name, interfaces, name })
    }

    /// The object's own name, if it is a Python class, function or module; else empty.
    pub(crate) fn name(&self) -> &str {
        self.kind.as_ref().map_or("", |kind| &kind.name)
    }

    /// The form in other formats, such as JSON.
    pub(super) fn plain(&self) -> Value {
        let interfaces = self.interfaces().map(Value::from).collect::<Vec<_>>();
        plain_struct([
            ("daemon", self.daemon.to_string().into()),
            ("id", self.id.into()),
            ("type", self.type_name().into()),
            ("interfaces", interfaces.into()),
            ("name", self.name().into()),
        ])
    }

    /// Returns the lease, if the handle came in a response.
    pub(crate) fn into_lease(self) -> Option<HandleLease> {
        self.lease
    }

    /// Returns the UUID of the daemon that holds the object.
    #[must_use]
    pub fn daemon(&self) -> Uuid {
        self.daemon
    }

    /// Returns the object's number in that daemon.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the name of the object's type, such as `my_crate::Counter` or
    /// `pathlib.PosixPath`; empty if the daemon has not reported it.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.kind.as_ref().map_or("", |kind| &kind.type_name)
    }

    /// Returns the names of the interfaces that the object implements, as far as the
    /// daemon has reported them.
    pub fn interfaces(&self) -> impl ExactSizeIterator<Item = &str> {
        self.kind.as_ref().map_or(&[][..], |kind| &kind.interfaces).iter().map(String::as_str)
    }
}

impl Value {
    /// Returns the handles in it, each as often as it occurs.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        let mut handles = Vec::new();
        self.visit(|value| {
            if let Value::Handle(handle) = value {
                handles.push(handle.clone());
            }
        });
        handles
    }

    /// Whether there is a stream in it.
    pub(crate) fn has_stream(&self) -> bool {
        let mut has_stream = false;
        self.visit(|value| has_stream |= matches!(value, Value::Stream(_)));
        has_stream
    }

    /// Calls `visit` with this value and everything in it, except the items of lists that
    /// hold plain values only.
    fn visit<'a>(&'a self, mut visit: impl FnMut(&'a Value)) {
        // A loop, because a value may be deeper than the stack. It allocates nothing for
        // flat values, because it looks at every argument and every response.
        let mut ahead = Vec::new();
        let mut next = Some(self);
        while let Some(value) = next {
            visit(value);
            match value {
                Value::Tuple(items) => ahead.extend(items),
                Value::List(list) => ahead.extend(list.nested()),
                Value::Map(entries) => {
                    ahead.extend(entries.iter().flat_map(|(key, value)| [key, value]))
                }
                Value::Some(value) => ahead.push(value),
                Value::Set(set) | Value::FrozenSet(set) => ahead.extend(set.items()),
                Value::Slice(slice) => ahead.extend(slice.parts()),
                Value::NamedTuple(tuple) => ahead.extend(tuple.items()),
                _ => {}
            }
            next = ahead.pop();
        }
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        (self.daemon, self.id) == (other.daemon, other.id)
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.daemon, self.id).hash(state);
    }
}

impl From<PlainHandle> for Handle {
    fn from(PlainHandle { daemon, id, type_name, interfaces, name }: PlainHandle) -> Self {
        let kind = ObjectKind { type_name, interfaces, name };
        let handle = Handle::new(daemon, id).of_kind(kind);
        let lease = LEASES.with_borrow_mut(|leases| leases.as_mut()?.get_mut(&handle)?.pop());
        Handle { lease, ..handle }
    }
}

/// Writes the object's number, `@` and the daemon's UUID.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.daemon)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(lease) = &self.lease {
            hold(lease.clone());
        }
        serializer.serialize_newtype_struct(HANDLE, &self.plain())
    }
}
