//! Values from plain Rust types, for building them by hand.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use uuid::Uuid;

use crate::common::value::number::widened_f32;
use crate::common::value::{
    Array, BigInt, Bytes, Complex, Date, DateTime, Decimal, Handle, List, NamedTuple, Range,
    RawText, Set, Slice, Time, TimeDelta, Value,
};

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::$variant(value.into())
            }
        })*
    };
}

from! {
    bool => Bool, i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int,
    f64 => Float, &str => Text, String => Text, char => Text, Bytes => Bytes,
    List => List, Handle => Handle, Complex => Complex, Set => Set, RawText => RawText,
    Slice => Slice, Range => Range, Date => Date, Time => Time, DateTime => DateTime,
    TimeDelta => TimeDelta, Decimal => Decimal, Uuid => Uuid, Array => Array,
}

/// With every bit, also those of a signalling `NaN`.
impl From<f32> for Value {
    fn from(float: f32) -> Self {
        Value::Float(widened_f32(float))
    }
}

macro_rules! from_integer {
    ($($type:ident),*) => {
        $(impl From<$type> for Value {
            fn from(int: $type) -> Self {
                match i64::try_from(int) {
                    Ok(int) => Value::Int(int),
                    Err(_) => Value::BigInt(BigInt::from(int)),
                }
            }
        })*
    };
}

from_integer!(u64, i128, u128, isize, usize);

impl From<NamedTuple> for Value {
    fn from(tuple: NamedTuple) -> Self {
        Value::NamedTuple(Box::new(tuple))
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Null
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::Text(text.clone())
    }
}

/// [`Value::Null`] for `None`. What would read as `None` is wrapped in [`Value::Some`].
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        match value.map(Into::into) {
            None => Value::Null,
            Some(hidden @ (Value::Null | Value::Some(_))) => Value::Some(Box::new(hidden)),
            Some(value) => value,
        }
    }
}

/// A list; of a `Vec<u8>` too, while [`Bytes`] are bytes.
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

/// A tuple, as serde has it.
impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Value::Tuple(items.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<Value>, V: Into<Value>, S: BuildHasher> From<HashMap<K, V, S>> for Value {
    fn from(entries: HashMap<K, V, S>) -> Self {
        Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<K: Into<Value>, V: Into<Value>> From<BTreeMap<K, V>> for Value {
    fn from(entries: BTreeMap<K, V>) -> Self {
        Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

macro_rules! from_tuple {
    ($($name:ident)*) => {
        impl<$($name: Into<Value>),*> From<($($name,)*)> for Value {
            #[allow(non_snake_case, reason = "the parts are named after their types")]
            fn from(($($name,)*): ($($name,)*)) -> Self {
                Value::Tuple(vec![$($name.into()),*])
            }
        }
    };
}

from_tuple!(A);
from_tuple!(A B);
from_tuple!(A B C);
from_tuple!(A B C D);
from_tuple!(A B C D E);
from_tuple!(A B C D E F);
from_tuple!(A B C D E F G);
from_tuple!(A B C D E F G H);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::to_value;

    #[test]
    fn conversions_agree_with_serde() {
        let values = [
            (Value::from(Some(Some(()))), to_value(&Some(Some(())))),
            (Value::from(None::<u8>), to_value(&None::<u8>)),
            (Value::from(vec![1u8, 2]), to_value(&vec![1u8, 2])),
            (Value::from(["a", "b"]), to_value(&["a", "b"])),
            (Value::from((1, "a", u64::MAX)), to_value(&(1, "a", u64::MAX))),
            (Value::from(BTreeMap::from([(1, 'a')])), to_value(&BTreeMap::from([(1, 'a')]))),
        ];
        for (by_hand, by_serde) in values {
            assert_eq!(by_hand, by_serde.expect("it serializes"));
        }
    }
}
