//! Tuples whose items have names.

use crate::common::error::Result;
use crate::common::value::Value;
use crate::common::value::fault::wrong_type;

/// A named tuple of Python, copied by value: a tuple whose items have names.
///
/// It is read as a tuple or a list by its items, and as a struct or a map by its names.
/// Sent to Python, it is a plain tuple.
///
/// ```
/// use oad::value::{NamedTuple, Value, from_value};
///
/// let point = NamedTuple::new(["x", "y"], vec![1.into(), 2.into()])?;
/// assert_eq!(from_value::<(u8, u8)>(point.clone().into())?, (1, 2));
/// let map = from_value::<std::collections::BTreeMap<String, u8>>(point.into())?;
/// assert_eq!(map["y"], 2);
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedTuple {
    names: Vec<String>,
    items: Vec<Value>,
}

impl NamedTuple {
    /// Creates a named tuple.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if there are not as many
    /// names as items.
    pub fn new<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
        items: Vec<Value>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        match names.len() == items.len() {
            true => Ok(NamedTuple { names, items }),
            false => Err(wrong_type(format!(
                "a named tuple of {} names cannot have {} items",
                names.len(),
                items.len()
            ))),
        }
    }

    /// Returns the names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the items, in order.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// Returns the same items without a copy.
    #[must_use]
    pub fn into_items(self) -> Vec<Value> {
        self.items
    }

    /// The names with their items, as the entries of a map.
    pub(crate) fn into_entries(self) -> Vec<(Value, Value)> {
        self.names.into_iter().map(Value::Text).zip(self.items).collect()
    }

    /// The same names with other items.
    pub(super) fn with_items(&self, items: Vec<Value>) -> Self {
        NamedTuple { names: self.names.clone(), items }
    }

    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) unless all keys are text.
    pub(super) fn from_entries(entries: Vec<(Value, Value)>) -> Result<Self> {
        let (names, items) = entries.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        let name = |name| match name {
            Value::Text(name) => Ok(name),
            _ => Err(wrong_type("the names of a named tuple must be text")),
        };
        NamedTuple::new(names.into_iter().map(name).collect::<Result<Vec<_>>>()?, items)
    }
}
