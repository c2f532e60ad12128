//! Interfaces: traits whose methods can be called on any object that implements them.
//!
//! `#[oad::object]` on a trait generates an [`InterfaceDispatch`], which calls its
//! methods on a value of any type. On an `impl` of the trait it registers an
//! [`Implementation`] for that type: only there can the compiler check that the futures
//! of async methods are `Send`.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;

use crate::child::object::registry::{ambiguous, find_by_name};
use crate::child::object::{Arguments, MethodOutput, Registration};
use crate::common::definition::{Method, short_name};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// The name and the methods of an interface.
#[derive(Debug)]
pub struct Interface {
    /// The registered name: the trait's path, such as `my_crate::Store`.
    pub name: &'static str,
    /// The methods.
    pub methods: &'static [Method],
    /// The place of the declaration, as `file:line`.
    pub declared: &'static str,
}

/// Registers that a type implements an interface.
pub struct Implementation {
    /// The interface.
    pub interface: fn() -> &'static Interface,
    /// The type.
    pub object: TypeId,
    /// The [`Calls`] of the type.
    pub calls: &'static (dyn Any + Send + Sync),
}

inventory::collect!(Implementation);

/// Functions that call the methods of an interface, by index, on an object of one type.
pub struct Calls<T: 'static> {
    /// Calls a method that takes `&self`.
    pub shared: for<'a> fn(&'a T, usize, Arguments) -> MethodOutput<'a>,
    /// Calls a method that takes `&mut self`.
    pub exclusive: for<'a> fn(&'a mut T, usize, Arguments) -> MethodOutput<'a>,
    /// Calls a method that takes `self`.
    pub consuming: for<'a> fn(&'a mut Option<T>, usize, Arguments) -> MethodOutput<'a>,
}

/// The result of a method, or a future of it whose type is still known.
#[derive(Debug)]
pub enum Reply<F> {
    /// The result of a sync method, which has already run.
    Now(Result<Value>),
    /// An async method.
    Later(F),
}

/// Calls the methods of an interface, by index, on an object of a type that implements
/// it.
///
/// Whether the futures are `Send` is only known once the type is, so there is no such
/// bound here.
pub trait InterfaceDispatch<T> {
    /// Calls a method that takes `&self`.
    fn shared(
        self,
        object: &T,
        method: usize,
        arguments: Arguments,
    ) -> Reply<impl Future<Output = Result<Value>>>;

    /// Calls a method that takes `&mut self`.
    fn exclusive(
        self,
        object: &mut T,
        method: usize,
        arguments: Arguments,
    ) -> Reply<impl Future<Output = Result<Value>>>;

    /// Calls a method that takes `self`. The object is taken out once its arguments have
    /// been checked.
    fn consuming(
        self,
        object: &mut Option<T>,
        method: usize,
        arguments: Arguments,
    ) -> Reply<impl Future<Output = Result<Value>>>;
}

impl<F: Future<Output = Result<Value>>> Reply<F> {
    /// An async method.
    pub fn later(future: F) -> Self {
        Reply::Later(future)
    }

    /// Erases the type of the future.
    pub fn boxed<'a>(self) -> MethodOutput<'a>
    where
        F: Send + 'a,
    {
        match self {
            Reply::Now(result) => MethodOutput::Now(result),
            Reply::Later(future) => MethodOutput::Later(Box::pin(future)),
        }
    }
}

/// The result for an unknown method index; generated code ends its `match` with it.
///
/// # Errors
///
/// [`ErrorKind::NoSuchMethod`], always.
pub fn no_such_method() -> Result<Value> {
    Err(Error::new(ErrorKind::NoSuchMethod, "unknown method index for this receiver"))
}

/// Returns the implementations of a type, sorted by the names of their interfaces.
pub(super) fn implementations(object: TypeId) -> Vec<&'static Implementation> {
    let mut found: Vec<&Implementation> = inventory::iter::<Implementation>()
        .filter(|implementation| implementation.object == object)
        .collect();
    found.sort_unstable_by_key(|implementation| (implementation.interface)().name);
    found
}

/// # Errors
///
/// [`ErrorKind::NoSuchMethod`] if the type does not implement the interface with this
/// name, given with or without its path, or if several interfaces have the name.
pub(super) fn require(registration: &Registration, name: &str) -> Result<()> {
    let interface = select(
        name,
        inventory::iter::<Implementation>().map(|implementation| (implementation.interface)()),
    )?;
    let implements = |registration: &Registration| {
        implementations(registration.object)
            .iter()
            .any(|found| std::ptr::eq((found.interface)(), interface))
    };
    if implements(registration) {
        return Ok(());
    }
    let all = inventory::iter::<Registration>();
    let mut others: Vec<&str> =
        all.filter(|other| implements(other)).map(|other| other.description.name).collect();
    others.sort_unstable();
    let message = format!(
        "`{}` does not implement the interface `{}`",
        registration.description.name, interface.name
    );
    Err(Error::new(ErrorKind::NoSuchMethod, message)
        .advise(format!("types that implement it: {}", others.join(", "))))
}

fn select(
    name: &str,
    all: impl Iterator<Item = &'static Interface> + Clone,
) -> Result<&'static Interface> {
    let mut found = find_by_name(name, all, |interface| interface.name);
    // Several types may implement the same interface.
    found.sort_unstable_by_key(|interface| std::ptr::from_ref(*interface));
    found.dedup_by(|a, b| std::ptr::eq(*a, *b));
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let name = name.escape_debug();
            let message =
                format!("no type in the daemon's program implements an interface `{name}`");
            let advice = format!(
                "add `#[oad::object]` to an `impl {} for …` in that program",
                short_name(&name.to_string())
            );
            Err(Error::new(ErrorKind::NoSuchMethod, message).advise(advice))
        }
        several => {
            let places = several.iter().map(|found| (found.name, found.declared));
            Err(ambiguous("interfaces", name, places))
        }
    }
}

impl fmt::Debug for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Implementation { interface, object, .. } = self;
        f.debug_struct("Implementation")
            .field("interface", &interface().name)
            .field("object", object)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Calls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static A: Interface = Interface { name: "app::a::Store", methods: &[], declared: "src/a.rs:1" };
    static B: Interface = Interface { name: "app::b::Store", methods: &[], declared: "src/b.rs:7" };
    static C: Interface = Interface { name: "app::Clock", methods: &[], declared: "src/main.rs:3" };
    static TWIN: Interface =
        Interface { name: "app::Clock", methods: &[], declared: "src/main.rs:9" };

    fn declared_at(name: &str, of: &[&'static Interface]) -> Result<&'static str, String> {
        select(name, of.iter().copied())
            .map(|found| found.declared)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn path_or_unique_short_name_finds_the_interface() {
        assert_eq!(declared_at("app::b::Store", &[&A, &B, &C]), Ok("src/b.rs:7"));
        assert_eq!(
            declared_at("Clock", &[&A, &C, &C]),
            Ok("src/main.rs:3"),
            "several types may implement it"
        );
    }

    #[test]
    fn ambiguous_name_lists_both_interfaces() {
        let expected = "2 interfaces are named `Store`: `app::a::Store` at src/a.rs:1 and \
                        `app::b::Store` at src/b.rs:7; use the full path, or rename one with \
                        `#[oad::object(name = \"…\")]`";
        assert_eq!(declared_at("Store", &[&B, &A]), Err(expected.to_owned()));
        let error = declared_at("app::Clock", &[&C, &TWIN]).expect_err("two are there");
        assert!(error.contains("src/main.rs:3") && error.contains("src/main.rs:9"), "{error}");
    }

    #[test]
    fn unknown_interface_says_what_to_write() {
        let expected = "no type in the daemon's program implements an interface `api::Store`; \
                        add `#[oad::object]` to an `impl Store for …` in that program";
        assert_eq!(declared_at("api::Store", &[&C]), Err(expected.to_owned()));
    }
}
