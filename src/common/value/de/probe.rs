//! What a serde type can be read from, found out by a trial with made-up data.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};

use crate::common::value::private_names::{RAW_VALUE, is_private_name};
use crate::common::value::special::{BIG_INT, HANDLE, OURS, SET, SLICE, STREAM, VALUE};

/// What a type is read from, as far as the caller's request depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A handle, as for a proxy.
    Handle,
    /// A handle or null, as for an optional proxy.
    HandleOrNull,
    /// Null, as for `()`: the caller does not want the result.
    Nothing,
    /// A value without handles, such as a number, a text, or a list of either.
    Plain,
    /// A container in which there may be handles, such as a list of proxies.
    Container,
    /// Anything, as for a [`Value`](crate::Value).
    Any,
}

/// Returns what a type is read from.
///
/// A type is [`Wanted::Plain`] only if the trial has seen all of it. The trial ends at
/// the first part that does not accept the made-up data, at the variants of an enum, and
/// in recursive types.
pub(crate) fn wanted<T: DeserializeOwned>() -> Wanted {
    let trial = Trial {
        wanted: Cell::new(Wanted::Any),
        holds_handles: Cell::new(false),
        parts_left: Cell::new(MAX_PARTS),
    };
    let probe = Probe { trial: &trial, place: Place::Top { is_optional: false } };
    // Code of the user's that converts what it is given may panic on data that nobody has
    // sent. That tells nothing about the type.
    let read = catch_unwind(AssertUnwindSafe(|| T::deserialize(probe).is_ok()));
    let is_seen_whole = matches!(read, Ok(true)) && !trial.holds_handles.get();
    match trial.wanted.get() {
        Wanted::Container if is_seen_whole => Wanted::Plain,
        wanted => wanted,
    }
}

/// More parts than these are not tried, so that recursive types end.
const MAX_PARTS: u32 = 256;
/// Deeper parts are not tried.
const MAX_LEVEL: u32 = 16;

struct Trial {
    /// What is known so far.
    wanted: Cell<Wanted>,
    /// Whether a handle can be somewhere inside.
    holds_handles: Cell<bool>,
    parts_left: Cell<u32>,
}

/// The deserializer of one part of a type.
#[derive(Clone, Copy)]
struct Probe<'a> {
    trial: &'a Trial,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    /// The type itself, or what it is but for options and newtypes.
    Top { is_optional: bool },
    /// What is in a container, so many levels deep.
    Inside(u32),
}

/// The trial has ended.
#[derive(Debug)]
struct EndOfTrial;

impl fmt::Display for EndOfTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("made-up data is not accepted")
    }
}

impl std::error::Error for EndOfTrial {}

impl Error for EndOfTrial {
    fn custom<T: fmt::Display>(_: T) -> Self {
        EndOfTrial
    }
}

impl<'a> Probe<'a> {
    /// Notes that this part is read from a plain value.
    fn plain(self) {
        if let Place::Top { .. } = self.place {
            self.trial.wanted.set(Wanted::Plain);
        }
    }

    /// Notes that this part can be a handle.
    fn handle(self, at_top: Wanted) -> EndOfTrial {
        match self.place {
            Place::Top { .. } => self.trial.wanted.set(at_top),
            Place::Inside(_) => self.trial.holds_handles.set(true),
        }
        EndOfTrial
    }

    /// The probe of what is in this part, a container.
    fn inside(self) -> Result<Self, EndOfTrial> {
        let level = match self.place {
            Place::Top { .. } => {
                self.trial.wanted.set(Wanted::Container);
                1
            }
            Place::Inside(level) => level + 1,
        };
        let parts_left = self.trial.parts_left.get().checked_sub(1).ok_or(EndOfTrial)?;
        self.trial.parts_left.set(parts_left);
        match level {
            ..=MAX_LEVEL => Ok(Probe { place: Place::Inside(level), ..self }),
            _ => Err(EndOfTrial),
        }
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident $data:expr),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EndOfTrial> {
            self.plain();
            visitor.$visit($data)
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = EndOfTrial;

    // Ones rather than zeros, because more types accept them.
    scalars! {
        deserialize_bool visit_bool true,
        deserialize_i8 visit_i8 1, deserialize_i16 visit_i16 1, deserialize_i32 visit_i32 1,
        deserialize_i64 visit_i64 1, deserialize_i128 visit_i128 1,
        deserialize_u8 visit_u8 1, deserialize_u16 visit_u16 1, deserialize_u32 visit_u32 1,
        deserialize_u64 visit_u64 1, deserialize_u128 visit_u128 1,
        deserialize_f32 visit_f32 1.0, deserialize_f64 visit_f64 1.0,
        deserialize_char visit_char '1', deserialize_str visit_str "1",
        deserialize_string visit_str "1", deserialize_bytes visit_bytes b"1",
        deserialize_byte_buf visit_bytes b"1", deserialize_identifier visit_str "1",
    }

    /// What takes anything serde knows takes no handle.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EndOfTrial> {
        self.plain();
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EndOfTrial> {
        self.plain();
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EndOfTrial> {
        if let Place::Top { is_optional: false } = self.place {
            self.trial.wanted.set(Wanted::Nothing);
            return Err(EndOfTrial);
        }
        self.plain();
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, EndOfTrial> {
        self.plain();
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EndOfTrial> {
        let place = match self.place {
            Place::Top { .. } => Place::Top { is_optional: true },
            inside => inside,
        };
        visitor.visit_some(Probe { place, ..self })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, EndOfTrial> {
        let is_optional = matches!(self.place, Place::Top { is_optional: true });
        match name {
            HANDLE if is_optional => Err(self.handle(Wanted::HandleOrNull)),
            HANDLE => Err(self.handle(Wanted::Handle)),
            VALUE => Err(self.handle(Wanted::Any)),
            // Their items are values of any kind.
            SET => Err(self.handle(Wanted::Container)),
            SLICE | STREAM => Err(self.handle(Wanted::Any)),
            BIG_INT => {
                self.plain();
                visitor.visit_i64(1)
            }
            _ if name.starts_with(OURS) || name == RAW_VALUE => {
                self.plain();
                Err(EndOfTrial)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EndOfTrial> {
        visitor.visit_seq(Parts { inside: self.inside()?, left: 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, EndOfTrial> {
        visitor.visit_seq(Parts { inside: self.inside()?, left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, EndOfTrial> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EndOfTrial> {
        visitor.visit_map(Parts { inside: self.inside()?, left: 1 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, EndOfTrial> {
        if is_private_name(name) {
            self.plain();
            return Err(EndOfTrial);
        }
        visitor.visit_map(ProbedFields { inside: self.inside()?, fields: fields.iter() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, EndOfTrial> {
        self.inside()?;
        Err(EndOfTrial)
    }
}

/// So many parts of a sequence or a map.
struct Parts<'a> {
    inside: Probe<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = EndOfTrial;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, EndOfTrial> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.inside).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = EndOfTrial;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, EndOfTrial> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, EndOfTrial> {
        seed.deserialize(self.inside)
    }
}

/// The fields of a struct.
struct ProbedFields<'a> {
    inside: Probe<'a>,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> MapAccess<'de> for ProbedFields<'_> {
    type Error = EndOfTrial;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, EndOfTrial> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        let name: StrDeserializer<'_, EndOfTrial> = (*field).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, EndOfTrial> {
        seed.deserialize(self.inside)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;
    use crate::Proxy;
    use crate::common::value::{BigInt, Bytes, Date, Handle, Set, Slice, Value};

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "nothing is read into it")]
    struct Document(Proxy);

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "nothing is read into it")]
    struct Order {
        id: u64,
        lines: Vec<(String, Option<f64>)>,
        took: Duration,
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "nothing is read into it")]
    struct Node {
        name: String,
        children: Vec<Node>,
        document: Option<Proxy>,
    }

    #[derive(PartialEq, Eq, Hash, Deserialize)]
    #[serde(try_from = "String")]
    struct Careless;

    impl TryFrom<String> for Careless {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            assert_eq!(text, "sent", "it is called with what nobody has sent");
            Ok(Careless)
        }
    }

    #[test]
    fn proxies_want_handles() {
        let handles = [wanted::<Handle>(), wanted::<Proxy>(), wanted::<Document>()];
        assert_eq!(handles, [Wanted::Handle; 3]);
        let optional = [wanted::<Option<Proxy>>(), wanted::<Option<Box<Document>>>()];
        assert_eq!(optional, [Wanted::HandleOrNull; 2]);
        assert_eq!(wanted::<()>(), Wanted::Nothing);
    }

    #[test]
    fn types_without_handles_are_plain() {
        let scalars = [
            wanted::<u8>(),
            wanted::<String>(),
            wanted::<Option<()>>(),
            wanted::<Option<String>>(),
            wanted::<Bytes>(),
            wanted::<serde_json::Value>(),
            wanted::<Option<BigInt>>(),
            wanted::<Date>(),
        ];
        assert_eq!(scalars, [Wanted::Plain; 8]);
        let containers = [
            wanted::<Vec<i64>>(),
            wanted::<HashMap<String, Vec<u8>>>(),
            wanted::<BTreeMap<(i8, char), HashSet<String>>>(),
            wanted::<Order>(),
            wanted::<Vec<Order>>(),
            wanted::<Duration>(),
        ];
        assert_eq!(containers, [Wanted::Plain; 6]);
    }

    #[test]
    fn containers_of_handles_and_unknown_parts_are_containers() {
        let containers = [
            wanted::<Vec<Proxy>>(),
            wanted::<(u8, Proxy)>(),
            wanted::<HashMap<String, Value>>(),
            wanted::<Option<Vec<Value>>>(),
            wanted::<Set>(),
            wanted::<Vec<Slice>>(),
            wanted::<Node>(),
            wanted::<Result<u8, String>>(),
            wanted::<HashMap<Careless, Proxy>>(),
        ];
        assert_eq!(containers, [Wanted::Container; 9]);
        assert_eq!([wanted::<Value>(), wanted::<Option<Value>>()], [Wanted::Any; 2]);
        assert_eq!(wanted::<Slice>(), Wanted::Any);
    }
}
