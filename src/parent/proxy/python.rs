//! The proxy of a Python object, and its operations.
//!
//! Every operation runs in the interpreter, once.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::{Serialize, Serializer};

use crate::common::definition::{Action, InterpreterFacts};
use crate::common::error::{Error, ErrorKind, Exception, Result};
use crate::common::stream::{Stream, StreamItem};
use crate::common::value::{PythonDetails, Value, from_value};
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::attribute_path::AttributePath;
use crate::parent::proxy::call::{Call, iteration, python_operation};
use crate::parent::proxy::chain::Chain;
use crate::parent::proxy::from_python::FromPython;
use crate::parent::proxy::operator::Operator;
use crate::parent::proxy::remote::Remote;
use crate::parent::proxy::{Origin, Proxy};

/// A proxy of a Python object. It derefs to [`Proxy`] and adds what Python objects
/// support beside method calls: attributes, items, operators and iteration.
///
/// The names are those of PyO3 where it has one.
///
/// ```no_run
/// # async fn example(config: oad::PythonProxy) -> oad::Result<()> {
/// let name: String = config.getattr("name").await?; // by value
/// // This one stays in the interpreter.
/// let database: oad::PythonProxy = config.getattr("database").await?;
/// assert_eq!(database.len().await?, 3);
/// # Ok(()) }
/// ```
///
/// A call of a Python object can return a `PythonProxy`; one of a Rust object cannot, and
/// does not compile:
///
/// ```compile_fail
/// # async fn example(counter: oad::Proxy) -> oad::Result<()> {
/// let wrong: oad::PythonProxy = counter.call("total", ()).await?;
/// # Ok(()) }
/// ```
///
/// Inside another type a proxy is a [`Proxy`]; [`Proxy::to_python`] converts it:
///
/// ```no_run
/// # async fn example(re: oad::PythonProxy) -> oad::Result<()> {
/// let found: Option<oad::Proxy> = re.call("search", ("b+", "abbc")).await?;
/// if let Some(found) = found {
///     let span = found.to_python()?.call::<(usize, usize)>("span", ()).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PythonProxy(Proxy);

impl FromPython for PythonProxy {
    type Read = Proxy;

    fn from_read(read: Proxy) -> Result<Self> {
        read.to_python()
    }
}

impl StreamItem for PythonProxy {
    fn from_item(item: Value) -> Result<Self> {
        from_value::<Proxy>(item)?.to_python()
    }
}

impl Proxy {
    /// Converts to a proxy with the operations of a Python object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if the object is a Rust object.
    pub fn to_python(&self) -> Result<PythonProxy> {
        match self.0.origin {
            Origin::Python { .. } => Ok(PythonProxy(self.clone())),
            Origin::Rust => {
                let message =
                    format!("`{}` is a Rust object, not a Python object", self.display_name());
                Err(Error::new(ErrorKind::WrongType, message).on(self.daemon().to_string()))
            }
        }
    }
}

impl Exception {
    /// Returns the Python exception itself, if the call was made with
    /// [`Call::keep_exception`](crate::Call::keep_exception). It is released when this
    /// proxy and the error are dropped.
    #[must_use]
    pub fn object(&self) -> Option<PythonProxy> {
        PythonDetails::of(self)?.object.as_ref()?.downcast_ref::<Proxy>()?.to_python().ok()
    }
}

impl PythonProxy {
    pub(super) fn new(proxy: Proxy) -> Self {
        PythonProxy(proxy)
    }

    /// Calls a method by name, with a tuple of arguments; `()` for none. Dots reach
    /// further in.
    ///
    /// ```no_run
    /// # async fn example(text: oad::PythonProxy) -> oad::Result<()> {
    /// let line: String = text.call("getvalue", ()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The type that is asked for decides how the result comes: by value, as a
    /// [`PythonProxy`] of an object that stays in the interpreter, or not at all for
    /// `()`.
    ///
    /// # Errors
    ///
    /// The call fails with [`ErrorKind::Exception`] if the method raises an exception or
    /// does not exist, and with [`ErrorKind::WrongType`] if the result cannot be read as
    /// a `T`.
    #[doc(alias("call_method", "call_method0", "call_method1"))]
    pub fn call<T: FromPython>(
        &self,
        method: impl Into<AttributePath>,
        arguments: impl Serialize,
    ) -> Call<T> {
        let arguments = ArgumentsBuilder::items_of(arguments);
        python_operation(self, Action::Call, Cow::Owned(method.into().into_text()), arguments)
    }

    pub(super) fn facts(&self) -> &InterpreterFacts {
        match &self.0.0.origin {
            Origin::Python { interpreter, .. } => interpreter,
            Origin::Rust => unreachable!("a `PythonProxy` is made of a Python object only"),
        }
    }

    /// Returns an attribute. A property runs once, in the interpreter.
    ///
    /// ```no_run
    /// # async fn example(config: oad::PythonProxy) -> oad::Result<()> {
    /// let name: String = config.getattr("name").await?;
    /// let database: oad::PythonProxy = config.getattr("database").await?; // stays there
    /// # Ok(()) }
    /// ```
    #[doc(alias("get", "__getattr__"))]
    pub fn getattr<T: FromPython>(&self, attribute: impl Into<AttributePath>) -> Call<T> {
        let name = Cow::Owned(attribute.into().into_text());
        python_operation(self, Action::GetAttribute, name, ArgumentsBuilder::new())
    }

    /// Sets an attribute.
    #[doc(alias("set", "__setattr__"))]
    pub fn setattr(&self, attribute: impl Into<AttributePath>, value: impl Serialize) -> Call<()> {
        let name = Cow::Owned(attribute.into().into_text());
        python_operation(self, Action::SetAttribute, name, ArgumentsBuilder::new().with(value))
    }

    /// Deletes an attribute.
    #[doc(alias("delete", "__delattr__"))]
    pub fn delattr(&self, attribute: impl Into<AttributePath>) -> Call<()> {
        let name = Cow::Owned(attribute.into().into_text());
        python_operation(self, Action::DeleteAttribute, name, ArgumentsBuilder::new())
    }

    /// Calls the object itself: a function, a class, or an instance with `__call__`.
    #[doc(alias("call0", "call1", "__call__"))]
    pub fn invoke<T: FromPython>(&self, arguments: impl Serialize) -> Call<T> {
        python_operation(
            self,
            Action::Call,
            Cow::Borrowed(""),
            ArgumentsBuilder::items_of(arguments),
        )
    }

    /// Applies an operator or a builtin function to the object and other operands, as
    /// Python itself would, with reflected forms. The table of [`Operator`] lists them
    /// all.
    ///
    /// ```no_run
    /// # async fn example(a: oad::PythonProxy, b: oad::PythonProxy) -> oad::Result<()> {
    /// use oad::Operator;
    ///
    /// let sum: oad::PythonProxy = a.operate(Operator::ADD, (&b,)).await?; // a + b
    /// let less: bool = a.operate("lt", (&b,)).await?; // a < b
    /// # Ok(()) }
    /// ```
    #[doc(alias("add", "sub", "mul", "lt", "gt", "rich_compare"))]
    pub fn operate<T: FromPython>(
        &self,
        operator: impl Into<Operator>,
        operands: impl Serialize,
    ) -> Call<T> {
        let name = operator.into().into_name();
        python_operation(self, Action::Operate, name, ArgumentsBuilder::items_of(operands))
    }

    /// Begins a chain: steps that run one after the other in the interpreter, in one
    /// request, each with the result of the one before. The type that is asked for is
    /// that of the last result.
    ///
    /// ```no_run
    /// # async fn example(frame: oad::PythonProxy) -> oad::Result<()> {
    /// // frame.groupby("k").mean()["n"].max()
    /// let groups = frame.chain().call("groupby", ("k",)).call("mean", ());
    /// let largest: f64 = groups.get_item("n").call("max", ()).await?;
    /// # Ok(()) }
    /// ```
    pub fn chain<T: FromPython>(&self) -> Chain<T> {
        Chain::of(self)
    }

    /// Returns the item under a key, or the items of a [`Slice`](crate::value::Slice).
    #[doc(alias("item", "index", "__getitem__"))]
    pub fn get_item<T: FromPython>(&self, key: impl Serialize) -> Call<T> {
        self.apply(Operator::GETITEM, ArgumentsBuilder::new().with(key))
    }

    /// Sets the item under a key.
    #[doc(alias = "__setitem__")]
    pub fn set_item(&self, key: impl Serialize, value: impl Serialize) -> Call<()> {
        self.apply(Operator::SETITEM, ArgumentsBuilder::new().with(key).with(value))
    }

    /// Deletes the item under a key.
    #[doc(alias = "__delitem__")]
    pub fn del_item(&self, key: impl Serialize) -> Call<()> {
        self.apply(Operator::DELITEM, ArgumentsBuilder::new().with(key))
    }

    /// Returns whether the object contains an item: `item in object`.
    #[doc(alias = "__contains__")]
    pub fn contains(&self, item: impl Serialize) -> Call<bool> {
        self.apply(Operator::CONTAINS, ArgumentsBuilder::new().with(item))
    }

    /// Returns the number of items: `len(object)`.
    #[allow(clippy::len_without_is_empty)] // `is_truthy` answers that, as in Python.
    #[doc(alias("length", "size", "__len__"))]
    pub fn len(&self) -> Call<usize> {
        self.apply(Operator::LEN, ArgumentsBuilder::new())
    }

    /// Returns whether the object counts as true: `bool(object)`.
    #[doc(alias("truth", "bool", "is_empty", "__bool__"))]
    pub fn is_truthy(&self) -> Call<bool> {
        self.apply(Operator::BOOL, ArgumentsBuilder::new())
    }

    /// Returns `str(object)`.
    #[doc(alias("text", "to_string", "__str__"))]
    pub fn str(&self) -> Call<String> {
        self.apply(Operator::STR, ArgumentsBuilder::new())
    }

    /// Returns `repr(object)`.
    #[doc(alias = "__repr__")]
    pub fn repr(&self) -> Call<String> {
        self.apply(Operator::REPR, ArgumentsBuilder::new())
    }

    /// Returns `hash(object)`.
    #[doc(alias = "__hash__")]
    pub fn hash(&self) -> Call<i64> {
        self.apply(Operator::HASH, ArgumentsBuilder::new())
    }

    /// Returns the names that `dir(object)` lists.
    #[doc(alias = "__dir__")]
    pub fn dir(&self) -> Call<Vec<String>> {
        self.apply(Operator::DIR, ArgumentsBuilder::new())
    }

    /// Returns the class of the object: `type(object)`.
    #[doc(alias = "type")]
    pub fn get_type(&self) -> Call<PythonProxy> {
        self.apply(Operator::TYPE, ArgumentsBuilder::new())
    }

    /// Returns whether the object is an instance of a class: `isinstance(object, class)`.
    #[doc(alias = "isinstance")]
    pub fn is_instance(&self, class: &PythonProxy) -> Call<bool> {
        self.apply(Operator::ISINSTANCE, ArgumentsBuilder::new().with(class))
    }

    /// Returns whether the object can be called: `callable(object)`.
    #[doc(alias = "callable")]
    pub fn is_callable(&self) -> Call<bool> {
        self.apply(Operator::CALLABLE, ArgumentsBuilder::new())
    }

    /// Returns whether the object equals another, as its class decides: `object ==
    /// other`.
    #[doc(alias("eq", "__eq__"))]
    pub fn equals(&self, other: impl Serialize) -> Call<bool> {
        self.apply(Operator::EQ, ArgumentsBuilder::new().with(other))
    }

    /// Iterates over the object: the call returns a [`Stream`] of its items.
    ///
    /// As in a local loop, the code of a generator, or of any other iterator, makes an
    /// item when the caller waits for one, and the item is sent at once. So other calls
    /// may come between two items. With [`Call::window`], it makes that many ahead. Items
    /// of lists, dicts and the like arrive several at once.
    ///
    /// Dropping the stream is a `break`: a generator that nothing else refers to is
    /// closed, and a file or a cursor that somebody holds stays open.
    ///
    /// ```no_run
    /// # async fn example(lines: oad::PythonProxy) -> oad::Result<()> {
    /// let mut lines = lines.iter::<String>().await?;
    /// while let Some(line) = lines.next().await {
    ///     println!("{}", line?);
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias("iterate", "try_iter", "__iter__"))]
    pub fn iter<T: FromPython>(&self) -> Call<Stream<T>> {
        iteration(self, Cow::Borrowed(""), ArgumentsBuilder::new())
    }

    /// Calls a method and iterates over what it returns, such as a generator.
    #[doc(alias = "iterate_over")]
    pub fn call_iter<T: FromPython>(
        &self,
        method: impl Into<AttributePath>,
        arguments: impl Serialize,
    ) -> Call<Stream<T>> {
        let name = Cow::Owned(method.into().into_text());
        iteration(self, name, ArgumentsBuilder::items_of(arguments))
    }

    fn apply<T: FromPython>(&self, operator: Operator, operands: ArgumentsBuilder) -> Call<T> {
        python_operation(self, Action::Operate, operator.into_name(), operands)
    }
}

impl Deref for PythonProxy {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.0
    }
}

impl Remote for PythonProxy {
    fn as_proxy(&self) -> &Proxy {
        &self.0
    }
}

impl From<PythonProxy> for Proxy {
    fn from(proxy: PythonProxy) -> Self {
        proxy.0
    }
}

/// As [`Proxy::to_python`].
impl TryFrom<Proxy> for PythonProxy {
    type Error = Error;

    fn try_from(proxy: Proxy) -> Result<Self> {
        proxy.to_python()
    }
}

/// Serializes to a handle, as an argument of a call. The object is kept until the call
/// has returned.
impl Serialize for PythonProxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Debug for PythonProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PythonProxy").field(&self.0).finish()
    }
}
