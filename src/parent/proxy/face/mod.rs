//! What the proxies that `#[oad::python]` generates are made of: typed calls of a Python
//! object, and the declaration that a check compares with it.

mod check;

pub use check::CheckReport;

use serde::Serialize;

use crate::common::definition::{Action, PythonSource};
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::Proxy;
use crate::parent::proxy::python::PythonProxy;
use crate::parent::proxy::python_builder::{MadeInPython, PythonBuilder};
use crate::parent::proxy::typed_proxy::TypedProxy;

/// A typed proxy of a Python object; [`#[oad::python]`](macro@crate::python) makes it.
///
/// [`Interpreter::check`](crate::Interpreter::check) and [`PythonProxy::check`] compare
/// its declaration with the object.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a typed proxy of a Python object",
    note = "name the proxy that `#[oad::python(\"module.Class\")]` generates from a trait"
)]
pub trait TypedPython: TypedProxy + From<PythonProxy> {
    /// What the trait declares.
    #[doc(hidden)]
    const FACE: &'static Face;
}

/// What can be passed to Python: any `serde` type, and every proxy.
///
/// It is implemented for all of them; there is nothing to implement by hand. It spares
/// the traits of [`#[oad::python]`](macro@crate::python) a dependency on `serde`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed to a Python object",
    note = "pass a type that implements `serde::Serialize`, or a proxy"
)]
pub trait ToPython: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> ToPython for T {}

/// What a trait declares of a Python object.
#[derive(Debug)]
#[allow(missing_docs)] // It is written by the macro, and read by the check.
pub struct Face {
    /// The name of the typed proxy.
    pub rust_name: &'static str,
    pub kind: FaceKind,
    /// The module; empty for builtins and the names of scripts.
    pub module: &'static str,
    /// The dotted name in the module; empty for the module itself.
    pub name: &'static str,
    pub members: &'static [FaceMember],
}

/// Which object a face describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // As above.
pub enum FaceKind {
    Instance,
    Class,
    Module,
}

/// One function of a face.
#[derive(Debug, Serialize)]
#[allow(missing_docs)] // As above.
pub struct FaceMember {
    pub kind: FaceMemberKind,
    /// The dotted name in Python.
    pub name: &'static str,
    /// How many positional arguments each call has.
    pub required: usize,
    /// How many more it can have.
    pub optional: usize,
    /// The names of the keyword arguments that each call has.
    pub keywords: &'static [&'static str],
    pub optional_keywords: &'static [&'static str],
    /// Whether calls have further arguments that the declaration does not count.
    pub is_open: bool,
}

/// What a function of a face does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // As above.
pub enum FaceMemberKind {
    Constructor,
    ClassFunction,
    Method,
    Attribute,
    Setter,
    Operator,
}

impl Face {
    /// Where the object is found.
    fn source(&self) -> PythonSource {
        match self.kind {
            FaceKind::Module => PythonSource::Module(self.module.to_owned()),
            FaceKind::Instance | FaceKind::Class => {
                PythonSource::Name { module: self.module.to_owned(), name: self.name.to_owned() }
            }
        }
    }
}

/// The proxy of a Python object, which the caller has made sure it is.
pub fn python_proxy(proxy: Proxy) -> PythonProxy {
    PythonProxy::new(proxy)
}

/// The same builder, of a typed proxy.
pub fn typed_builder<P: MadeInPython>(builder: PythonBuilder) -> PythonBuilder<P> {
    builder.making()
}

/// The operations of typed proxies.
pub mod python_face {
    use std::borrow::Cow;

    use super::{Action, ArgumentsBuilder, MadeInPython, PythonBuilder, PythonProxy, PythonSource};
    use crate::common::stream::Stream;
    use crate::parent::proxy::call::{Call, iteration, python_operation};
    use crate::parent::proxy::from_python::FromPython;
    use crate::parent::proxy::operator::Operator;

    /// Calls a name in a module, to make an instance.
    pub fn construct<P: MadeInPython>(
        module: &str,
        name: &str,
        arguments: ArgumentsBuilder,
    ) -> PythonBuilder<P> {
        let source = PythonSource::Instance { module: module.to_owned(), name: name.to_owned() };
        PythonBuilder::new(source).with_arguments(arguments)
    }

    /// Calls a method.
    pub fn call<T: FromPython>(
        proxy: &PythonProxy,
        name: &'static str,
        arguments: ArgumentsBuilder,
    ) -> Call<T> {
        python_operation(proxy, Action::Call, Cow::Borrowed(name), arguments)
    }

    /// Calls a method, and iterates over what it returns.
    pub fn iterate<T: FromPython>(
        proxy: &PythonProxy,
        name: &'static str,
        arguments: ArgumentsBuilder,
    ) -> Call<Stream<T>> {
        iteration(proxy, Cow::Borrowed(name), arguments)
    }

    /// Returns an attribute.
    pub fn get<T: FromPython>(
        proxy: &PythonProxy,
        name: &'static str,
        arguments: ArgumentsBuilder,
    ) -> Call<T> {
        python_operation(proxy, Action::GetAttribute, Cow::Borrowed(name), arguments)
    }

    /// Sets an attribute.
    pub fn set<T: FromPython>(
        proxy: &PythonProxy,
        name: &'static str,
        arguments: ArgumentsBuilder,
    ) -> Call<T> {
        python_operation(proxy, Action::SetAttribute, Cow::Borrowed(name), arguments)
    }

    /// Applies an operator.
    pub fn operate<T: FromPython>(
        proxy: &PythonProxy,
        operator: Operator,
        operands: ArgumentsBuilder,
    ) -> Call<T> {
        python_operation(proxy, Action::Operate, operator.into_name(), operands)
    }
}
