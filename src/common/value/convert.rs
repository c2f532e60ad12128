//! Values from plain Rust types, for those who build them by hand.

use uuid::Uuid;

use crate::common::value::{
    Array, Bytes, Complex, Date, DateTime, Decimal, Handle, List, Range, RawText, Set, Slice, Time,
    TimeDelta, Value,
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
    bool => Bool, i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int, f32 => Float, f64 => Float,
    &str => Text, String => Text, char => Text, Bytes => Bytes, List => List, Vec<Value> => List, Handle => Handle,
    Complex => Complex, Set => Set, RawText => RawText, Slice => Slice, Range => Range, Date => Date, Time => Time, DateTime => DateTime,
    TimeDelta => TimeDelta, Decimal => Decimal, Uuid => Uuid, Array => Array,
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Null
    }
}
