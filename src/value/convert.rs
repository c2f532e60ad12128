//! Values from plain Rust types, for those who build them by hand.

use crate::value::{Bytes, Handle, List, Value};

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
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Null
    }
}
