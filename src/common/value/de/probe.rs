//! What a serde type would read, found out by letting it try.

use std::cell::Cell;

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

use crate::common::value::fault::Fault;
use crate::common::value::special::{HANDLE, OURS};

/// What a type is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A handle, as a proxy is.
    Handle,
    /// A handle or null, as an optional proxy is.
    HandleOrNull,
    /// Null, as `()` is: its caller wants nothing.
    Nothing,
    Other,
}

/// What a type is read from.
pub(crate) fn wanted<T: DeserializeOwned>() -> Wanted {
    let seen = Cell::new(Wanted::Other);
    // It cannot be read from this; what it has asked for is what is wanted.
    let _ = T::deserialize(Probe(&seen));
    seen.get()
}

struct Probe<'a>(&'a Cell<Wanted>);

fn nothing<T>() -> Result<T, Fault> {
    Err(Fault::custom("a probe"))
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        nothing()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        self.0.set(Wanted::Nothing);
        nothing()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let inner = Cell::new(Wanted::Other);
        let read = visitor.visit_some(Probe(&inner));
        if matches!(inner.get(), Wanted::Handle | Wanted::HandleOrNull) {
            self.0.set(Wanted::HandleOrNull);
        }
        read
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match name {
            HANDLE => self.0.set(Wanted::Handle),
            _ if name.starts_with(OURS) => {}
            // It is read from what is in it.
            _ => return visitor.visit_newtype_struct(self),
        }
        nothing()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct seq tuple tuple_struct map
        struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Proxy;
    use crate::common::value::{Handle, Value};

    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "it is not read")]
    struct Document(Proxy);

    #[test]
    fn type_wants_what_it_is_read_from() {
        assert_eq!(
            [wanted::<Handle>(), wanted::<Proxy>(), wanted::<Document>()],
            [Wanted::Handle; 3]
        );
        assert_eq!(
            [wanted::<Option<Proxy>>(), wanted::<Option<Box<Document>>>()],
            [Wanted::HandleOrNull; 2]
        );
        assert_eq!(wanted::<()>(), Wanted::Nothing);
        assert_eq!(
            [wanted::<Value>(), wanted::<Vec<Proxy>>(), wanted::<(Proxy,)>()],
            [Wanted::Other; 3]
        );
        assert_eq!(
            [wanted::<Option<()>>(), wanted::<Option<String>>(), wanted::<u8>()],
            [Wanted::Other; 3]
        );
    }
}
