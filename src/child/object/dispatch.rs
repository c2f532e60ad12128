//! Dispatches a method index to the type's own `impl` block or to one of its interfaces.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::child::object::interface::implementations;
use crate::child::object::{Arguments, Calls, Interface, MethodOutput, Object};
use crate::common::definition::{Method, Receiver, TypeDescription, short_name};

/// All methods of a type. The index of a method is its position in the description: the
/// type's own methods first, then those of each interface.
pub(super) struct Dispatch<T: 'static> {
    pub(super) description: &'static TypeDescription,
    own: usize,
    interfaces: Vec<(&'static Interface, &'static Calls<T>)>,
}

/// The owner of a method, and the method's index there.
enum Target<T: 'static> {
    Own(usize),
    Interface(&'static Interface, &'static Calls<T>, usize),
    Unknown,
}

/// Built once per type and kept for the life of the process, because descriptions are
/// `'static`.
static DISPATCHES: Mutex<BTreeMap<(TypeId, bool), LeakedDispatch>> = Mutex::new(BTreeMap::new());

type LeakedDispatch = &'static (dyn Any + Send + Sync);

impl<T: Object> Dispatch<T> {
    /// Returns the dispatch of a type. Every method of a serial type is exclusive.
    pub(super) fn of(is_serial: bool) -> &'static Self {
        let mut dispatches = DISPATCHES.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (TypeId::of::<T>(), is_serial);
        let dispatch: LeakedDispatch =
            *dispatches.entry(key).or_insert_with(|| Box::leak(Box::new(Self::new(is_serial))));
        dispatch.downcast_ref().expect("the key contains the type's id")
    }

    fn new(is_serial: bool) -> Self {
        let interfaces: Vec<(&Interface, &Calls<T>)> = implementations(TypeId::of::<T>())
            .into_iter()
            .map(|found| {
                (
                    (found.interface)(),
                    found
                        .calls
                        .downcast_ref()
                        .expect("the registration has the type's own `Calls`"),
                )
            })
            .collect();
        let (description, own) = (T::DESCRIPTION, T::DESCRIPTION.methods.len());
        let description = match interfaces.is_empty() {
            true => description,
            false => {
                let interfaces: Vec<&Interface> =
                    interfaces.iter().map(|(interface, _)| *interface).collect();
                Box::leak(Box::new(merge(description, &interfaces, is_serial)))
            }
        };
        Dispatch { description, own, interfaces }
    }

    pub(super) fn call_shared<'a>(
        &self,
        object: &'a T,
        method: usize,
        arguments: Arguments,
    ) -> MethodOutput<'a> {
        match self.target(method) {
            Target::Own(method) => object.call_shared(method, arguments),
            Target::Interface(_, calls, method) => (calls.shared)(object, method, arguments),
            Target::Unknown => MethodOutput::no_such_method(),
        }
    }

    pub(super) fn call_exclusive<'a>(
        &self,
        object: &'a mut T,
        method: usize,
        arguments: Arguments,
    ) -> MethodOutput<'a> {
        match self.target(method) {
            Target::Own(method) => object.call_exclusive(method, arguments),
            // Only for a serial type: the interface does not know that its methods are
            // exclusive here.
            Target::Interface(interface, calls, method)
                if interface.methods[method].receiver == Receiver::Shared =>
            {
                (calls.shared)(object, method, arguments)
            }
            Target::Interface(_, calls, method) => (calls.exclusive)(object, method, arguments),
            Target::Unknown => MethodOutput::no_such_method(),
        }
    }

    pub(super) fn call_consuming<'a>(
        &self,
        object: &'a mut Option<T>,
        method: usize,
        arguments: Arguments,
    ) -> MethodOutput<'a> {
        match self.target(method) {
            Target::Own(method) => T::call_consuming(object, method, arguments),
            Target::Interface(_, calls, method) => (calls.consuming)(object, method, arguments),
            Target::Unknown => MethodOutput::no_such_method(),
        }
    }

    fn target(&self, method: usize) -> Target<T> {
        let Some(mut rest) = method.checked_sub(self.own) else { return Target::Own(method) };
        for (interface, calls) in &self.interfaces {
            match rest.checked_sub(interface.methods.len()) {
                Some(beyond) => rest = beyond,
                None => return Target::Interface(interface, calls, rest),
            }
        }
        Target::Unknown
    }
}

/// Returns the type's description with the methods of its interfaces added. A shadowed
/// method is listed by its qualified name.
fn merge(
    own: &'static TypeDescription,
    interfaces: &[&'static Interface],
    is_serial: bool,
) -> TypeDescription {
    let mut methods = own.methods.to_vec();
    for interface in interfaces {
        let others = interfaces.iter().filter(|other| !std::ptr::eq(**other, *interface));
        let (last, others) = (short_name(interface.name), others.collect::<Vec<_>>());
        let prefix = match others.iter().any(|other| short_name(other.name) == last) {
            true => interface.name,
            false => last,
        };
        for method in interface.methods {
            let visible = own.methods.iter().chain(others.iter().flat_map(|other| other.methods));
            let name = match visible.into_iter().any(|other| other.name == method.name) {
                true => format!("{prefix}::{}", method.name).leak(),
                false => method.name,
            };
            let receiver = match method.receiver {
                Receiver::Shared if is_serial => Receiver::Exclusive,
                receiver => receiver,
            };
            methods.push(Method { name, receiver, interface: interface.name, ..*method });
        }
    }
    let names: Vec<&str> = interfaces.iter().map(|interface| interface.name).collect();
    TypeDescription { methods: methods.leak(), interfaces: names.leak(), ..*own }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn method(name: &'static str, receiver: Receiver) -> Method {
        Method {
            name,
            documentation: "",
            parameters: &[],
            returns: "",
            signature: "",
            receiver,
            is_async: false,
            finishes: false,
            streams: false,
            interface: "",
        }
    }

    const fn interface(name: &'static str, methods: &'static [Method]) -> Interface {
        Interface { name, methods, declared: "" }
    }

    static OWN: TypeDescription = TypeDescription {
        name: "app::Shop",
        documentation: "",
        constructors: &[],
        methods: &[method("get", Receiver::Shared)],
        interfaces: &[],
        declared: "",
    };
    const BOTH: &[Method] = &[method("get", Receiver::Shared), method("put", Receiver::Exclusive)];
    static STORE: Interface = interface("api::Store", BOTH);
    static OTHER_STORE: Interface = interface("app::Store", BOTH);
    static CLOSE: Interface = interface("api::Close", &[method("close", Receiver::Consuming)]);

    fn names(of: &[&'static Interface]) -> Vec<&'static str> {
        merge(&OWN, of, false).methods.iter().map(|method| method.name).collect()
    }

    #[test]
    fn shadowed_method_is_listed_by_its_qualified_name() {
        assert_eq!(names(&[&CLOSE, &STORE]), ["get", "close", "Store::get", "put"]);
        let both =
            ["get", "api::Store::get", "api::Store::put", "app::Store::get", "app::Store::put"];
        assert_eq!(names(&[&STORE, &OTHER_STORE]), both);
    }

    #[test]
    fn short_name_finds_the_own_method_and_qualified_name_the_interfaces() {
        let merged: &'static TypeDescription =
            Box::leak(Box::new(merge(&OWN, &[&CLOSE, &STORE], false)));
        for (name, expected) in [
            ("get", Some(0)),
            ("close", Some(1)),
            ("put", Some(3)),
            ("Store::get", Some(2)),
            ("api::Store::get", Some(2)),
            ("api::Store::put", Some(3)),
            ("Store::close", None),
            ("Shelf::get", None),
        ] {
            assert_eq!(merged.method(name).map(|(index, _)| index), expected, "{name}");
        }
        assert_eq!(merged.interfaces, ["api::Close", "api::Store"]);
        let ambiguous: &'static TypeDescription =
            Box::leak(Box::new(merge(&OWN, &[&STORE, &OTHER_STORE], false)));
        assert_eq!(ambiguous.method("Store::put").map(|(index, _)| index), None);
        assert_eq!(ambiguous.method("app::Store::put").map(|(index, _)| index), Some(4));
    }

    #[test]
    fn methods_of_a_serial_type_are_exclusive_or_consuming() {
        let merged = merge(&OWN, &[&CLOSE, &STORE], true);
        let receivers: Vec<Receiver> =
            merged.methods[1..].iter().map(|method| method.receiver).collect();
        assert_eq!(receivers, [Receiver::Consuming, Receiver::Exclusive, Receiver::Exclusive]);
    }
}
