//! What a proxy of a Python object can do beside calls. All of it is done in the interpreter, once.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::definition::Action;
use crate::object::Packed;
use crate::proxy::call::{ask, ask_items};
use crate::proxy::{Call, Proxy};
use crate::stream::Stream;

/// What only Python objects can do. Of a Rust object each of these fails with [`ErrorKind::NoSuchMethod`](crate::ErrorKind::NoSuchMethod).
impl Proxy {
    /// Reads an attribute. A property runs once, in the interpreter.
    ///
    /// ```no_run
    /// # async fn example(config: oad::Proxy) -> oad::Result<()> {
    /// let name: String = config.get("name").await?;
    /// let database: oad::Proxy = config.get("database").await?; // stays there
    /// # Ok(()) }
    /// ```
    pub fn get<T: DeserializeOwned>(&self, attribute: impl Into<String>) -> Call<T> {
        ask(self, Action::GetAttribute, Cow::Owned(attribute.into()), Packed::new())
    }

    /// Sets an attribute.
    pub fn set(&self, attribute: impl Into<String>, value: impl Serialize) -> Call<()> {
        ask(self, Action::SetAttribute, Cow::Owned(attribute.into()), Packed::new().with(&value))
    }

    /// Deletes an attribute.
    pub fn delete(&self, attribute: impl Into<String>) -> Call<()> {
        ask(self, Action::DeleteAttribute, Cow::Owned(attribute.into()), Packed::new())
    }

    /// Calls the object itself.
    pub fn invoke<T: DeserializeOwned>(&self, arguments: impl Serialize) -> Call<T> {
        ask(self, Action::Call, Cow::Borrowed(""), Packed::items_of(&arguments))
    }

    /// Applies an operator or a builtin function to the object and other operands, as Python itself would: with reflected forms, and for `lt` or `add` the
    /// other object's word where this one's has none.
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
    /// # async fn example(a: oad::Proxy, b: oad::Proxy) -> oad::Result<()> {
    /// let sum: oad::Proxy = a.operate("add", (&b,)).await?; // a + b
    /// let less: bool = a.operate("lt", (&b,)).await?; // a < b
    /// # Ok(()) }
    /// ```
    pub fn operate<T: DeserializeOwned>(&self, operator: impl Into<String>, operands: impl Serialize) -> Call<T> {
        ask(self, Action::Operate, Cow::Owned(operator.into()), Packed::items_of(&operands))
    }

    /// The item under a key, or the items of a [`Slice`](crate::value).
    pub fn item<T: DeserializeOwned>(&self, key: impl Serialize) -> Call<T> {
        self.operator("getitem", Packed::new().with(&key))
    }

    /// Sets the item under a key.
    pub fn set_item(&self, key: impl Serialize, value: impl Serialize) -> Call<()> {
        self.operator("setitem", Packed::new().with(&key).with(&value))
    }

    /// Deletes the item under a key.
    pub fn delete_item(&self, key: impl Serialize) -> Call<()> {
        self.operator("delitem", Packed::new().with(&key))
    }

    /// Whether something is in it.
    pub fn contains(&self, item: impl Serialize) -> Call<bool> {
        self.operator("contains", Packed::new().with(&item))
    }

    /// How many items it has.
    pub fn length(&self) -> Call<usize> {
        self.operator("len", Packed::new())
    }

    /// Whether it counts as true.
    pub fn truth(&self) -> Call<bool> {
        self.operator("bool", Packed::new())
    }

    /// What `str` makes of it.
    pub fn text(&self) -> Call<String> {
        self.operator("str", Packed::new())
    }

    /// What `repr` makes of it.
    pub fn repr(&self) -> Call<String> {
        self.operator("repr", Packed::new())
    }

    /// Whether it equals something, as Python sees it.
    pub fn equals(&self, other: impl Serialize) -> Call<bool> {
        self.operator("eq", Packed::new().with(&other))
    }

    /// Its items, one after the other.
    ///
    /// ```no_run
    /// # async fn example(lines: oad::Proxy) -> oad::Result<()> {
    /// let mut lines = lines.iterate::<String>().await?;
    /// while let Some(line) = lines.next().await {
    ///     println!("{}", line?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn iterate<T: DeserializeOwned>(&self) -> Call<Stream<T>> {
        ask_items(self, Cow::Borrowed(""), Packed::new())
    }

    /// The items of what a method returns, one after the other.
    pub fn iterate_over<T: DeserializeOwned>(
        &self,
        method: impl Into<String>,
        arguments: impl Serialize,
    ) -> Call<Stream<T>> {
        ask_items(self, Cow::Owned(method.into()), Packed::items_of(&arguments))
    }

    fn operator<T: DeserializeOwned>(&self, operator: &'static str, operands: Packed) -> Call<T> {
        ask(self, Action::Operate, Cow::Borrowed(operator), operands)
    }
}
