//! How values are shown in `Debug`: what they are and what they hold, up to a bound.
//!
//! A value may be large and nested deeper than the stack, and `Debug` is called where
//! nobody expects either. So long texts and containers are cut, and so is what is deep.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use crate::common::value::{Bytes, List, RawText, Set, Value};

/// How deep containers are shown.
const MAX_LEVELS: usize = 6;
/// How many items of one container are shown.
const MAX_ITEMS: usize = 16;
/// How many values are shown in all.
const MAX_VALUES: usize = 256;
/// How many bytes of one text are shown.
const MAX_TEXT: usize = 80;
/// How many bytes of one byte string are shown.
const MAX_BYTES: usize = 32;

/// A value at its level; all values of one output share what may still be shown.
struct Shown<'a> {
    value: &'a Value,
    level: usize,
    left: &'a Cell<usize>,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown { value: self, level: 0, left: &Cell::new(MAX_VALUES) }.fmt(f)
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        items(f, "List", self.cows(), 0, &Cell::new(MAX_VALUES))
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        items(f, "Set", borrowed(self.items()), 0, &Cell::new(MAX_VALUES))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self[..self.len().min(MAX_BYTES)];
        write!(f, "Bytes(b\"{}\"{})", shown.escape_ascii(), More(self.len() - shown.len()))
    }
}

impl fmt::Debug for RawText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes of one code point may be cut, so a few more are decoded than shown.
        let wtf8 = self.as_wtf8();
        let escaped = match wtf8.len() {
            ..=MAX_TEXT => self.to_string_escaped(),
            _ => wtf8[..MAX_TEXT].escape_ascii().to_string(),
        };
        write!(f, "RawText(\"{escaped}\"{})", More(wtf8.len().saturating_sub(MAX_TEXT)))
    }
}

/// Shows the beginning of a text, quoted, and how much more there is.
pub(super) fn text(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    let shown = &text[..text.floor_char_boundary(MAX_TEXT)];
    write!(f, "{name}({shown:?}{})", More(text.len() - shown.len()))
}

/// How many bytes are not shown.
struct More(usize);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " and {more} bytes more"),
        }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { value, level, left } = *self;
        match value {
            Value::Null => f.write_str("Null"),
            Value::Bool(bool) => write!(f, "Bool({bool})"),
            Value::Int(int) => write!(f, "Int({int})"),
            Value::BigInt(int) => int.fmt(f),
            Value::Float(float) => write!(f, "Float({float:?})"),
            Value::Text(text) => self::text(f, "Text", text),
            Value::Bytes(bytes) => bytes.fmt(f),
            Value::List(list) => items(f, "List", list.cows(), level, left),
            Value::Tuple(values) => items(f, "Tuple", borrowed(values), level, left),
            Value::Map(entries) => {
                f.write_str("Map(")?;
                let mut map = f.debug_map();
                let shown = if level < MAX_LEVELS { entries.len().min(MAX_ITEMS) } else { 0 };
                let mut count = 0;
                for (key, value) in &entries[..shown] {
                    if !take(left) {
                        break;
                    }
                    let [key, value] =
                        [key, value].map(|value| Shown { value, level: level + 1, left });
                    map.entry(&key, &value);
                    count += 1;
                }
                if count < entries.len() {
                    map.finish_non_exhaustive()?;
                    return write!(f, ", {} entries)", entries.len());
                }
                map.finish()?;
                f.write_str(")")
            }
            Value::Some(value) if level < MAX_LEVELS => {
                f.debug_tuple("Some").field(&Shown { value, level: level + 1, left }).finish()
            }
            Value::Some(_) => f.write_str("Some(..)"),
            Value::Handle(handle) => handle.fmt(f),
            Value::Stream(number) => write!(f, "Stream({number})"),
            Value::Complex(complex) => complex.fmt(f),
            Value::Set(set) => items(f, "Set", borrowed(set.items()), level, left),
            Value::FrozenSet(set) => items(f, "FrozenSet", borrowed(set.items()), level, left),
            Value::RawText(text) => text.fmt(f),
            Value::Slice(slice) if level < MAX_LEVELS => {
                let [start, stop, step] =
                    slice.parts().map(|value| Shown { value, level: level + 1, left });
                f.debug_tuple("Slice").field(&start).field(&stop).field(&step).finish()
            }
            Value::Slice(_) => f.write_str("Slice(..)"),
            Value::Range(range) => range.fmt(f),
            Value::Date(date) => date.fmt(f),
            Value::Time(time) => time.fmt(f),
            Value::DateTime(moment) => moment.fmt(f),
            Value::TimeDelta(delta) => delta.fmt(f),
            Value::Decimal(decimal) => decimal.fmt(f),
            Value::Uuid(uuid) => write!(f, "Uuid({uuid})"),
            Value::Array(array) => array.fmt(f),
            Value::NamedTuple(tuple) => {
                items(f, "NamedTuple", borrowed(tuple.items()), level, left)
            }
        }
    }
}

/// Takes one value from what may still be shown; returns whether there was one.
fn take(left: &Cell<usize>) -> bool {
    left.get().checked_sub(1).is_some_and(|rest| {
        left.set(rest);
        true
    })
}

fn borrowed(values: &[Value]) -> impl ExactSizeIterator<Item = Cow<'_, Value>> {
    values.iter().map(Cow::Borrowed)
}

fn items<'a>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    values: impl ExactSizeIterator<Item = Cow<'a, Value>>,
    level: usize,
    left: &Cell<usize>,
) -> fmt::Result {
    write!(f, "{name}(")?;
    let mut list = f.debug_list();
    let len = values.len();
    let mut count = 0;
    for value in values.take(if level < MAX_LEVELS { MAX_ITEMS } else { 0 }) {
        if !take(left) {
            break;
        }
        list.entry(&Shown { value: &value, level: level + 1, left });
        count += 1;
    }
    if count < len {
        list.finish_non_exhaustive()?;
        return write!(f, ", {len} items)");
    }
    list.finish()?;
    f.write_str(")")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::{Array, Date};

    #[test]
    fn debug_shows_what_a_value_is() {
        let list = Value::from(vec![1, 2]);
        let day: Date = "2024-02-29".parse().expect("it is a day");
        for (value, shown) in [
            (Value::Null, "Null"),
            (true.into(), "Bool(true)"),
            (1.5.into(), "Float(1.5)"),
            ("a\"é\n".into(), r#"Text("a\"é\n")"#),
            (Value::Bytes(b"a\xff".as_slice().into()), r#"Bytes(b"a\xff")"#),
            (list.clone(), "List([Int(1), Int(2)])"),
            (Value::Tuple(vec![list.clone()]), "Tuple([List([Int(1), Int(2)])])"),
            (Value::Map(vec![("a".into(), list)]), r#"Map({Text("a"): List([Int(1), Int(2)])})"#),
            (Value::Some(Box::new(Value::Null)), "Some(Null)"),
            (Value::Set(vec![1.into()].into()), "Set([Int(1)])"),
            (day.into(), "Date(2024-02-29)"),
            (Array::from_slice(&[1u8, 2]).into(), "Array(Array, |u1, [2])"),
            (
                Value::integer_from_le_bytes(&[0, 0, 0, 0, 0, 0, 0, 0, 1]),
                "BigInt(18446744073709551616)",
            ),
        ] {
            assert_eq!(format!("{value:?}"), shown);
        }
    }

    #[test]
    fn debug_is_bounded() {
        let text = format!("{:?}", Value::from("é".repeat(1000)));
        assert!(text.ends_with("\" and 1920 bytes more)"), "{text}");
        let bytes = format!("{:?}", Value::Bytes(vec![0; 1000].into()));
        assert!(bytes.ends_with("\" and 968 bytes more)"), "{bytes}");
        let list = format!("{:?}", Value::from(vec![7; 1000]));
        assert!(list.ends_with("Int(7), ..], 1000 items)"), "{list}");
        let wide = (0..3).fold(Value::Null, |value, _| Value::Tuple(vec![value; 16]));
        let map = Value::Map(vec![(wide.clone(), wide); 100]);
        let length = format!("{map:?}").len();
        assert!(length < 10_000, "{length}");
    }

    #[test]
    fn debug_of_a_deep_value_does_not_exhaust_the_stack() {
        let deep = (0..1_000_000).fold(Value::Null, |value, _| Value::List(vec![value].into()));
        let shown = format!("{deep:?} {deep:#?}");
        assert!(shown.contains("List([..], 1 items)"), "{shown}");
    }
}
