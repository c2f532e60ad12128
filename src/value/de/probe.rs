//! What a serde type would read first, found out by letting it try.

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

use crate::error::ErrorKind;
use crate::value::fault::Fault;
use crate::value::special::HANDLE;

/// Whether a type is read from a handle, as a proxy is.
pub(crate) fn reads_handle<T: DeserializeOwned>() -> bool {
    matches!(T::deserialize(Probe), Err(fault) if fault.is_handle())
}

struct Probe;

impl<'de> Deserializer<'de> for Probe {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        Err(Fault::custom("not a handle"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, _: V) -> Result<V::Value, Fault> {
        // A kind that nothing else here has.
        let kind = if name == HANDLE { ErrorKind::NoSuchObject } else { ErrorKind::WrongType };
        Err(Fault::new(kind, "a probe"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map
        struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Handle, Value};

    #[test]
    fn only_what_is_read_from_a_handle_wants_one() {
        assert!(reads_handle::<Handle>());
        assert!(reads_handle::<crate::Proxy>());
        assert!(!reads_handle::<Value>() && !reads_handle::<Vec<crate::Proxy>>() && !reads_handle::<u8>());
        assert!(!reads_handle::<()>() && !reads_handle::<Option<String>>());
    }
}
