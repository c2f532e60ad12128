//! Several steps on a Python object, in one request.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use serde::Serialize;

use crate::common::definition::Action;
use crate::common::error::{Error, ErrorKind, Result};
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::Proxy;
use crate::parent::proxy::attribute_path::AttributePath;
use crate::parent::proxy::call::{Call, python_operation};
use crate::parent::proxy::from_python::FromPython;
use crate::parent::proxy::operator::Operator;

/// Steps on a Python object, each with the result of the one before; see
/// [`PythonProxy::chain`].
///
/// They run when this is awaited, in one request, and only the last result is sent.
///
/// [`PythonProxy::chain`]: crate::PythonProxy::chain
///
/// # Errors
///
/// Those of [`Call`]. If a step raises an exception, a note of the exception has the
/// number of the step and what it does; the steps after it do not run.
///
/// # Cancel safety
///
/// As [`Call`]: the step that runs is interrupted, and the steps after it do not run.
#[must_use = "a chain runs when this is awaited"]
pub struct Chain<T> {
    call: Call<T>,
    steps: Vec<ChainStep>,
}

struct ChainStep {
    kind: &'static str,
    name: String,
    arguments: ArgumentsBuilder,
}

impl<T: FromPython> Chain<T> {
    pub(super) fn of(object: &Proxy) -> Self {
        let nothing = ArgumentsBuilder::new();
        let call = python_operation(object, Action::Operate, "chain".into(), nothing);
        Chain { call, steps: Vec::new() }
    }
}

impl<T> Chain<T> {
    /// Calls a method of the result so far, with a tuple of arguments.
    pub fn call(self, method: impl Into<AttributePath>, arguments: impl Serialize) -> Self {
        self.step("call", method.into().into_text(), ArgumentsBuilder::items_of(arguments))
    }

    /// Calls the result so far itself, with a tuple of arguments.
    pub fn invoke(self, arguments: impl Serialize) -> Self {
        self.step("call", String::new(), ArgumentsBuilder::items_of(arguments))
    }

    /// Adds a keyword argument to the call before.
    #[doc(alias = "kwarg")]
    pub fn keyword(mut self, name: &str, argument: impl Serialize) -> Self {
        match self.steps.last_mut() {
            Some(step) => {
                step.arguments = std::mem::take(&mut step.arguments).with_keyword(name, argument);
                self
            }
            None => {
                let message = "a chain begins with a step, and a keyword argument follows a call";
                let error = Error::new(ErrorKind::BadArguments, message);
                self.change(|call| call.change_arguments(|_| ArgumentsBuilder::refused(error)))
            }
        }
    }

    /// Gets an attribute of the result so far.
    pub fn getattr(self, attribute: impl Into<AttributePath>) -> Self {
        self.step("get", attribute.into().into_text(), ArgumentsBuilder::new())
    }

    /// Gets the item under a key of the result so far, or the items of a
    /// [`Slice`](crate::value::Slice).
    #[doc(alias("item", "index"))]
    pub fn get_item(self, key: impl Serialize) -> Self {
        let name = Operator::GETITEM.into_name().into_owned();
        self.step("operate", name, ArgumentsBuilder::new().with(key))
    }

    /// Applies an operator to the result so far and other operands.
    pub fn operate(self, operator: impl Into<Operator>, operands: impl Serialize) -> Self {
        let name = operator.into().into_name().into_owned();
        self.step("operate", name, ArgumentsBuilder::items_of(operands))
    }

    /// Limits how long the chain may take; see [`Call::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|call| call.timeout(timeout))
    }

    /// Copies the result; see [`Call::by_value`].
    pub fn by_value(self) -> Self {
        self.change(Call::by_value)
    }

    /// Reads a `NaN` as `None`; see [`Call::nan_as_none`].
    pub fn nan_as_none(self) -> Self {
        self.change(Call::nan_as_none)
    }

    /// Keeps the result in the interpreter; see [`Call::by_handle`].
    pub fn by_handle(self) -> Self {
        self.change(Call::by_handle)
    }

    /// Keeps an exception as an object; see [`Call::keep_exception`].
    pub fn keep_exception(self) -> Self {
        self.change(Call::keep_exception)
    }

    fn step(mut self, kind: &'static str, name: String, arguments: ArgumentsBuilder) -> Self {
        self.steps.push(ChainStep { kind, name, arguments });
        self
    }

    fn change(self, change: impl FnOnce(Call<T>) -> Call<T>) -> Self {
        Chain { call: change(self.call), ..self }
    }
}

impl<T> IntoFuture for Chain<T> {
    type Output = Result<T>;
    type IntoFuture = Call<T>;

    fn into_future(self) -> Self::IntoFuture {
        let Chain { call, steps } = self;
        call.change_arguments(|arguments| {
            steps.into_iter().fold(
                arguments,
                |arguments, ChainStep { kind, name, arguments: step }| {
                    arguments.with_step(kind, name, step)
                },
            )
        })
    }
}

impl<T> fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| (step.kind, &step.name)).collect();
        f.debug_struct("Chain").field("steps", &steps).finish_non_exhaustive()
    }
}
