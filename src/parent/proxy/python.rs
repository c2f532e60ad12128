//! The proxy of a Python object, and what can be done with one.
//!
//! Every operation runs in the interpreter, once.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use crate::common::definition::Action;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::Stream;
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::call::{ask_items, ask_python};
use crate::parent::proxy::{Call, Nature, Proxy, Remote};

/// A proxy of a Python object. It derefs to [`Proxy`] and adds what Python objects support
/// beside method calls: attributes, items, operators and iteration.
///
/// The names are those of PyO3 where it has one.
///
/// ```no_run
/// # async fn example(config: oad::PythonProxy) -> oad::Result<()> {
/// let name: String = config.getattr("name").await?; // by value
/// let database: oad::PythonProxy = config.getattr("database").await?; // stays in the interpreter
/// assert_eq!(database.len().await?, 3);
/// # Ok(()) }
/// ```
///
/// A call of a Python object can return a `PythonProxy`; one of a Rust object cannot, and does
/// not compile:
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

/// What a call of a Python object can return: any `serde` type, or a [`PythonProxy`].
///
/// It is implemented for all of them; there is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from what a Python object returns",
    note = "ask for a type that implements `serde::Deserialize`, such as `String` or `Vec<f64>`, or for an `oad::PythonProxy`; inside another type a proxy is an `oad::Proxy`"
)]
pub trait FromPython: Sized {
    /// What is read from the response first.
    #[doc(hidden)]
    type Read: DeserializeOwned;

    /// Converts it.
    #[doc(hidden)]
    fn from_read(read: Self::Read) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> FromPython for T {
    type Read = T;

    fn from_read(read: T) -> Result<Self> {
        Ok(read)
    }
}

impl FromPython for PythonProxy {
    type Read = Proxy;

    fn from_read(read: Proxy) -> Result<Self> {
        read.to_python()
    }
}

impl Proxy {
    /// The same proxy with the operations of a Python object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if the object is a Rust object.
    pub fn to_python(&self) -> Result<PythonProxy> {
        match self.0.nature {
            Nature::Python { .. } => Ok(PythonProxy(self.clone())),
            Nature::Rust => {
                let message = format!("`{}` is a Rust object, not a Python object", self.called());
                Err(Error::new(ErrorKind::WrongType, message).on(self.daemon().to_string()))
            }
        }
    }
}

impl PythonProxy {
    pub(super) fn new(proxy: Proxy) -> Self {
        PythonProxy(proxy)
    }

    /// Calls a method by name, with a tuple of arguments; `()` for none. Dots reach further in.
    ///
    /// ```no_run
    /// # async fn example(text: oad::PythonProxy) -> oad::Result<()> {
    /// let line: String = text.call("getvalue", ()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The type that is asked for decides how the result comes: by value, as a
    /// [`PythonProxy`] of an object that stays in the interpreter, or not at all for `()`.
    ///
    /// # Errors
    ///
    /// The call fails with [`ErrorKind::Exception`] if the method raises an exception or does
    /// not exist, and with [`ErrorKind::WrongType`] if the result cannot be read as a `T`.
    #[doc(alias("call_method", "call_method0", "call_method1"))]
    pub fn call<T: FromPython>(
        &self,
        method: impl Into<String>,
        arguments: impl Serialize,
    ) -> Call<T> {
        let arguments = ArgumentsBuilder::items_of(&arguments);
        ask_python(self, Action::Call, Cow::Owned(method.into()), arguments)
    }

    /// Reads an attribute. A property runs once, in the interpreter.
    ///
    /// ```no_run
    /// # async fn example(config: oad::PythonProxy) -> oad::Result<()> {
    /// let name: String = config.getattr("name").await?;
    /// let database: oad::PythonProxy = config.getattr("database").await?; // stays there
    /// # Ok(()) }
    /// ```
    pub fn getattr<T: FromPython>(&self, attribute: impl Into<String>) -> Call<T> {
        ask_python(
            self,
            Action::GetAttribute,
            Cow::Owned(attribute.into()),
            ArgumentsBuilder::new(),
        )
    }

    /// Sets an attribute.
    pub fn setattr(&self, attribute: impl Into<String>, value: impl Serialize) -> Call<()> {
        ask_python(
            self,
            Action::SetAttribute,
            Cow::Owned(attribute.into()),
            ArgumentsBuilder::new().with(&value),
        )
    }

    /// Deletes an attribute.
    pub fn delattr(&self, attribute: impl Into<String>) -> Call<()> {
        ask_python(
            self,
            Action::DeleteAttribute,
            Cow::Owned(attribute.into()),
            ArgumentsBuilder::new(),
        )
    }

    /// Calls the object itself.
    pub fn invoke<T: FromPython>(&self, arguments: impl Serialize) -> Call<T> {
        ask_python(self, Action::Call, Cow::Borrowed(""), ArgumentsBuilder::items_of(&arguments))
    }

    /// Applies an operator or a builtin function to the object and other operands, as
    /// Python itself would: with reflected forms, and for `lt` or `add` the other
    /// object's word where this one's has none.
    ///
    /// | what | operators |
    /// |---|---|
    /// | comparison | `eq` `ne` `lt` `le` `gt` `ge` |
    /// | arithmetic | `add` `sub` `mul` `truediv` `floordiv` `mod` `divmod` `pow` `matmul` `and` `or` `xor` `lshift` `rshift` `neg` `pos` `abs` `invert` `round` |
    /// | in place, which gives what the object then is | `iadd` `isub` `imul` `itruediv` `ifloordiv` `imod` `ipow` `imatmul` `iand` `ior` `ixor` `ilshift` `irshift` |
    /// | containers | `len` `contains` `getitem` `setitem` `delitem` `iter` `next` |
    /// | conversion | `bool` `truth` `int` `float` `complex` `index` `bytes` `str` `repr` `ascii` `format` `hash` |
    /// | questions | `type` `isinstance` `issubclass` `callable` `dir` `id` `doc` `signature` |
    /// | context managers, files | `enter` `exit` `close` |
    ///
    /// ```no_run
    /// # async fn example(a: oad::PythonProxy, b: oad::PythonProxy) -> oad::Result<()> {
    /// let sum: oad::PythonProxy = a.operate("add", (&b,)).await?; // a + b
    /// let less: bool = a.operate("lt", (&b,)).await?; // a < b
    /// # Ok(()) }
    /// ```
    pub fn operate<T: FromPython>(
        &self,
        operator: impl Into<String>,
        operands: impl Serialize,
    ) -> Call<T> {
        ask_python(
            self,
            Action::Operate,
            Cow::Owned(operator.into()),
            ArgumentsBuilder::items_of(&operands),
        )
    }

    /// The item under a key, or the items of a [`Slice`](crate::value).
    pub fn get_item<T: FromPython>(&self, key: impl Serialize) -> Call<T> {
        self.operator("getitem", ArgumentsBuilder::new().with(&key))
    }

    /// Sets the item under a key.
    pub fn set_item(&self, key: impl Serialize, value: impl Serialize) -> Call<()> {
        self.operator("setitem", ArgumentsBuilder::new().with(&key).with(&value))
    }

    /// Deletes the item under a key.
    pub fn del_item(&self, key: impl Serialize) -> Call<()> {
        self.operator("delitem", ArgumentsBuilder::new().with(&key))
    }

    /// Whether something is in it.
    pub fn contains(&self, item: impl Serialize) -> Call<bool> {
        self.operator("contains", ArgumentsBuilder::new().with(&item))
    }

    /// How many items it has.
    pub fn len(&self) -> Call<usize> {
        self.operator("len", ArgumentsBuilder::new())
    }

    /// Whether it counts as true.
    pub fn is_truthy(&self) -> Call<bool> {
        self.operator("bool", ArgumentsBuilder::new())
    }

    /// What `str` makes of it.
    pub fn str(&self) -> Call<String> {
        self.operator("str", ArgumentsBuilder::new())
    }

    /// What `repr` makes of it.
    pub fn repr(&self) -> Call<String> {
        self.operator("repr", ArgumentsBuilder::new())
    }

    /// Whether it equals something, as Python sees it.
    pub fn equals(&self, other: impl Serialize) -> Call<bool> {
        self.operator("eq", ArgumentsBuilder::new().with(&other))
    }

    /// Its items, one after the other.
    ///
    /// ```no_run
    /// # async fn example(lines: oad::PythonProxy) -> oad::Result<()> {
    /// let mut lines = lines.iter::<String>().await?;
    /// while let Some(line) = lines.next().await {
    ///     println!("{}", line?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn iter<T: DeserializeOwned>(&self) -> Call<Stream<T>> {
        ask_items(self, Cow::Borrowed(""), ArgumentsBuilder::new())
    }

    /// The items of what a method returns, one after the other.
    pub fn call_iter<T: DeserializeOwned>(
        &self,
        method: impl Into<String>,
        arguments: impl Serialize,
    ) -> Call<Stream<T>> {
        ask_items(self, Cow::Owned(method.into()), ArgumentsBuilder::items_of(&arguments))
    }

    fn operator<T: FromPython>(
        &self,
        operator: &'static str,
        operands: ArgumentsBuilder,
    ) -> Call<T> {
        ask_python(self, Action::Operate, Cow::Borrowed(operator), operands)
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

/// As a handle, among the arguments of a call. The object is kept until the call is answered.
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
