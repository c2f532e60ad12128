//! Looking into a [`Value`] by hand.

use std::ops::Index;

use crate::common::value::{Array, Handle, List, Value};

impl Value {
    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Returns the truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(bool) => Some(*bool),
            Value::Array(array) => number(array)?.as_bool(),
            _ => None,
        }
    }

    /// Returns the integer, if it is one and fits 64 bits with a sign.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            Value::Array(array) => number(array)?.as_i64(),
            _ => None,
        }
    }

    /// Returns the integer, if it is one and fits 64 bits without a sign.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Int(int) => u64::try_from(*int).ok(),
            Value::BigInt(int) => u64::try_from(int.clone()).ok(),
            Value::Array(array) => number(array)?.as_u64(),
            _ => None,
        }
    }

    /// Returns the float, or an integer that a float equals.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(float) => Some(*float),
            Value::Int(int) => exact_float(*int),
            Value::Array(array) => number(array)?.as_f64(),
            _ => None,
        }
    }

    /// Returns the text, if it is [`Value::Text`].
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the bytes, if it is [`Value::Bytes`].
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the list, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&List> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the items of a tuple, if it is one.
    #[must_use]
    pub fn as_tuple(&self) -> Option<&[Value]> {
        match self {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the entries of a map in their order, if it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the handle, if it is one.
    #[must_use]
    pub fn as_handle(&self) -> Option<&Handle> {
        match self {
            Value::Handle(handle) => Some(handle),
            _ => None,
        }
    }

    /// Returns the value at a key of a map, or at a position of a list or a tuple; `None`
    /// if there is none.
    ///
    /// A key is a `&str` or a `&Value`, and is looked for from the first entry to the
    /// last; a position is a `usize`.
    #[must_use]
    pub fn get(&self, index: impl ValueIndex) -> Option<&Value> {
        index.find(self)
    }
}

/// The number that an array without dimensions is.
fn number(array: &Array) -> Option<Value> {
    array.number()?.ok()
}

/// The float that equals an integer, if there is one.
pub(super) fn exact_float(int: i64) -> Option<f64> {
    let float = int as f64;
    // The conversion back saturates, which only the largest integer could mistake for
    // equality.
    (float as i64 == int && int != i64::MAX).then_some(float)
}

/// What a [`Value`] can be indexed with: `&str`, `&Value` and `usize`; see
/// [`Value::get`].
///
/// Other crates cannot implement it.
pub trait ValueIndex: private::FindIn {}

mod private {
    use crate::common::value::Value;

    pub trait FindIn {
        fn find<'v>(&self, value: &'v Value) -> Option<&'v Value>;
    }
}

use private::FindIn;

impl ValueIndex for usize {}
impl ValueIndex for str {}
impl ValueIndex for String {}
impl ValueIndex for Value {}
impl<T: ValueIndex + ?Sized> ValueIndex for &T {}

impl FindIn for usize {
    fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match value {
            Value::List(list) => list.get(*self),
            Value::Tuple(items) => items.get(*self),
            _ => None,
        }
    }
}

impl FindIn for str {
    fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut entries = value.as_map()?.iter();
        entries.find(|(key, _)| key.as_str() == Some(self)).map(|(_, value)| value)
    }
}

impl FindIn for String {
    fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        FindIn::find(self.as_str(), value)
    }
}

impl FindIn for Value {
    fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.as_map()?.iter().find(|(key, _)| key == self).map(|(_, value)| value)
    }
}

impl<T: FindIn + ?Sized> FindIn for &T {
    fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        (**self).find(value)
    }
}

/// The value at a key or a position, as by [`Value::get`]; [`Value::Null`] if there is
/// none.
///
/// ```
/// use oad::{Value, value::to_value};
///
/// let value = to_value(&[("ada", vec![1815, 1852])])?;
/// assert_eq!(value[0][1][1].as_i64(), Some(1852));
/// assert!(value["ada"].is_null() && value.get("ada").is_none());
/// # Ok::<(), oad::Error>(())
/// ```
impl<I: ValueIndex> Index<I> for Value {
    type Output = Value;

    fn index(&self, index: I) -> &Value {
        index.find(self).unwrap_or(&Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::BigInt;

    #[test]
    fn each_kind_is_read_as_itself_only() {
        assert!(Value::Null.is_null() && !Value::from(0).is_null());
        assert_eq!((Value::from(1).as_bool(), Value::from(true).as_bool()), (None, Some(true)));
        assert_eq!((Value::from(true).as_i64(), Value::from(-1).as_i64()), (None, Some(-1)));
        let large = Value::from(u64::MAX);
        assert_eq!((large.as_i64(), large.as_u64()), (None, Some(u64::MAX)));
        assert_eq!((Value::from(3).as_f64(), Value::from(i64::MAX).as_f64()), (Some(3.0), None));
        assert_eq!((Value::from("x").as_str(), Value::from(1).as_str()), (Some("x"), None));
        let bytes = Value::Bytes(vec![1].into());
        assert_eq!((bytes.as_bytes(), Value::from("x").as_bytes()), (Some(&[1][..]), None));
        let number = Array::from_slice(&[2.5]).into_numpy(&[]).expect("it is one");
        assert_eq!(Value::from(number).as_f64(), Some(2.5));
        assert_eq!(Value::from(BigInt::from(5)).as_i64(), Some(5));
    }

    #[test]
    fn every_packing_can_be_indexed() {
        let lists = [
            Value::from((0..300).map(|n| n % 256).collect::<Vec<i64>>()),
            Value::from((0..300).map(|n| n * 1000).collect::<Vec<i64>>()),
            Value::from((0..300).map(f64::from).collect::<Vec<f64>>()),
            Value::from((0..300).map(|n| n.to_string()).collect::<Vec<String>>()),
        ];
        for value in lists {
            let list = value.as_list().expect("it is a list");
            for (index, item) in list.iter().enumerate() {
                assert_eq!((&value[index], value.get(index)), (&item, Some(&item)));
            }
            assert_eq!((&value[300], value.get(300)), (&Value::Null, None));
            assert_eq!(value.clone(), value);
        }
    }

    #[test]
    fn maps_are_indexed_by_key() {
        let map = Value::Map(vec![
            ("a".into(), Value::Map(vec![(Value::Tuple(vec![1.into()]), 2.into())])),
            ("a".into(), 3.into()),
        ]);
        assert_eq!(map["a"][&Value::Tuple(vec![1.into()])], 2.into());
        assert_eq!(map[String::from("a")].depth(), 2);
        assert_eq!((map.get("b"), map.get(0), map["a"]["b"].get("c")), (None, None, None));
    }
}
