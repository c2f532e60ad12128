//! From items to values. A value that marshal cannot carry is a tuple of an ellipsis, a
//! name and its parts.

use uuid::Uuid;

use crate::common::agent::marshal::{AgentHandle, Item, malformed};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{
    Array, ArraySource, Date, DateTime, Decimal, Handle, MAX_DEPTH, NamedTuple, Range, Slice, Time,
    TimeDelta, Value, Zone,
};

impl Item {
    /// The value that it stands for. `handle` turns the agent's handles into the
    /// daemon's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is not a value, [`ErrorKind::TooDeep`], and what
    /// `handle` fails with.
    pub(crate) fn into_value(
        self,
        handle: &mut impl FnMut(AgentHandle) -> Result<Handle>,
    ) -> Result<Value> {
        let value = self.value(handle)?;
        value.check_depth(MAX_DEPTH)?;
        Ok(value)
    }

    fn value(self, handle: &mut impl FnMut(AgentHandle) -> Result<Handle>) -> Result<Value> {
        Ok(match self {
            Item::Value(value) => value,
            Item::Tuple(items) if matches!(items.first(), Some(Item::Ellipsis)) => {
                let mut parts = items.into_iter().skip(1);
                let name =
                    parts.next().ok_or_else(|| malformed("a marker has no name"))?.into_text()?;
                marked(&name, Item::Tuple(parts.collect()), handle)?
            }
            Item::Tuple(items) => Value::Tuple(values(items, handle)?),
            Item::List(items) => values(items, handle)?.into(),
            Item::Set(items) => Value::Set(values(items, handle)?.into()),
            Item::FrozenSet(items) => Value::FrozenSet(values(items, handle)?.into()),
            Item::Dict(entries) => {
                let entry =
                    |(key, item): (Item, Item)| Ok((key.value(handle)?, item.value(handle)?));
                Value::Map(entries.into_iter().map(entry).collect::<Result<_>>()?)
            }
            Item::Ellipsis => return Err(malformed("an ellipsis is not a value")),
        })
    }
}

fn values(
    items: Vec<Item>,
    handle: &mut impl FnMut(AgentHandle) -> Result<Handle>,
) -> Result<Vec<Value>> {
    items.into_iter().map(|item| item.value(handle)).collect()
}

fn marked(
    name: &str,
    parts: Item,
    handle: &mut impl FnMut(AgentHandle) -> Result<Handle>,
) -> Result<Value> {
    match name {
        "handle" => {
            let [number, type_name, name] = parts.into_array()?;
            let (number, type_name) = (number.number()?, type_name.into_text()?);
            handle(AgentHandle { number, type_name, name: name.into_text()? }).map(Value::Handle)
        }
        "slice" => {
            let [start, stop, step] = parts.into_array()?;
            Ok(Slice {
                start: start.value(handle)?,
                stop: stop.value(handle)?,
                step: step.value(handle)?,
            }
            .into())
        }
        "named" => {
            let mut parts = parts.into_items()?.into_iter();
            let names = parts.next().ok_or_else(|| malformed("a named tuple has no names"))?;
            let names = names.into_items()?.into_iter().map(Item::into_text);
            let items = values(parts.collect(), handle)?;
            let tuple = NamedTuple::new(names.collect::<Result<Vec<_>>>()?, items);
            tuple.map(Value::from).map_err(as_protocol_error)
        }
        _ => plain(name, parts).map_err(as_protocol_error),
    }
}

/// The kinds of values that contain no others.
fn plain(name: &str, parts: Item) -> Result<Value> {
    Ok(match name {
        "range" => {
            let [Item::Value(start), Item::Value(stop), Item::Value(step)] = parts.into_array()?
            else {
                return Err(malformed("a range is not made of integers"));
            };
            Range::new(start, stop, step)?.into()
        }
        "date" => date(&parts.into_array()?)?.into(),
        "time" => time(parts.into_array()?)?.into(),
        "datetime" => {
            let [year, month, day, hour, minute, second, microsecond, fold, zone] =
                parts.into_array()?;
            let time = time([hour, minute, second, microsecond, fold, zone])?;
            DateTime::new(date(&[year, month, day])?, time).into()
        }
        "timedelta" => {
            let [days, seconds, microseconds] = parts.into_array()?;
            TimeDelta::new(days.number()?, seconds.number()?, microseconds.number()?)?.into()
        }
        "decimal" => {
            let [text] = parts.into_array()?;
            Decimal::new(&text.into_text()?)?.into()
        }
        "uuid" => match parts.into_array()? {
            [Item::Value(Value::Bytes(bytes))] => {
                Uuid::from_slice(&bytes).map_err(|_| malformed("a UUID is not of 16 bytes"))?.into()
            }
            [other] => return Err(other.expected("a UUID's bytes")),
        },
        "array" => array(parts.into_array()?)?.into(),
        "repr" => {
            let [text] = parts.into_array()?;
            text.into_text()?.into()
        }
        name => return Err(malformed(format!("{name:?} is not a kind of value"))),
    })
}

fn date([year, month, day]: &[Item; 3]) -> Result<Date> {
    Date::new(year.number()?, month.number()?, day.number()?)
}

fn time([hour, minute, second, microsecond, fold, zone]: [Item; 6]) -> Result<Time> {
    let time =
        Time::new(hour.number()?, minute.number()?, second.number()?, microsecond.number()?)?;
    let time = time.with_fold(fold.number()?)?;
    if zone.is_none() {
        return Ok(time);
    }
    match zone {
        Item::Value(Value::Text(name)) => time.in_zone(Zone::Named(name)),
        fixed => {
            let [offset, name] = fixed.into_array()?;
            let name = if name.is_none() { None } else { Some(exact_text(name)?) };
            time.in_zone(Zone::Fixed { microseconds: offset.number()?, name })
        }
    }
}

fn exact_text(item: Item) -> Result<String> {
    match item {
        Item::Value(Value::Text(text)) => Ok(text),
        other => Err(other.expected("text without surrogates")),
    }
}

fn array([source, dtype, shape, bytes]: [Item; 4]) -> Result<Array> {
    let source = match source.into_text()?.as_str() {
        "array" => ArraySource::Array,
        "array_long" => ArraySource::ArrayLong,
        "numpy" => ArraySource::Numpy,
        other => return Err(malformed(format!("{other:?} is not a kind of array"))),
    };
    let shape = shape.into_items()?.iter().map(Item::number).collect::<Result<Vec<u64>>>()?;
    match bytes {
        Item::Value(Value::Bytes(bytes)) => Array::new(source, &dtype.into_text()?, &shape, bytes),
        other => Err(other.expected("an array's bytes")),
    }
}

/// The value's own error, as that of a frame.
fn as_protocol_error(error: Error) -> Error {
    error.with_kind(ErrorKind::Protocol)
}
