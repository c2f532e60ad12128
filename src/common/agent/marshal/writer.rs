//! From items and values to marshal's bytes.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::common::agent::frame::MIN_PART;
use crate::common::agent::marshal::Item;
use crate::common::agent::marshal::reader::negate;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{
    Array, ArraySource, Bytes, Handle, MAX_DEPTH, Packing, Time, Value, Zone,
};

pub(in crate::common::agent) struct MarshalWriter<'a, F> {
    bytes: Vec<u8>,
    /// What follows the object; `None` if everything is written into it.
    parts: Option<Vec<bytes::Bytes>>,
    number: &'a mut F,
}

impl<'a, F: FnMut(&Handle) -> Result<u64>> MarshalWriter<'a, F> {
    /// Writes everything into the object.
    pub(super) fn new(number: &'a mut F) -> Self {
        MarshalWriter { bytes: Vec::new(), parts: None, number }
    }

    /// Writes after these bytes, and large bytes into parts.
    pub(in crate::common::agent) fn after(bytes: Vec<u8>, number: &'a mut F) -> Self {
        MarshalWriter { bytes, parts: Some(Vec::new()), number }
    }

    /// The object and the parts.
    pub(in crate::common::agent) fn finish(self) -> (Vec<u8>, Vec<bytes::Bytes>) {
        (self.bytes, self.parts.unwrap_or_default())
    }

    pub(in crate::common::agent) fn item(&mut self, item: &Item) -> Result<()> {
        match item {
            Item::Value(value) => {
                // What follows goes down by recursion.
                value.check_depth(MAX_DEPTH)?;
                self.value(value)?;
            }
            Item::Tuple(items) => self.items(b'(', items)?,
            Item::List(items) => self.items(b'[', items)?,
            Item::Set(items) => self.items(b'<', items)?,
            Item::FrozenSet(items) => self.items(b'>', items)?,
            Item::Ellipsis => self.bytes.push(b'.'),
            Item::Dict(entries) => {
                self.bytes.push(b'{');
                for (key, item) in entries {
                    self.item(key)?;
                    self.item(item)?;
                }
                self.bytes.push(b'0');
            }
        }
        Ok(())
    }

    fn items(&mut self, tag: u8, items: &[Item]) -> Result<()> {
        self.open(tag, items.len())?;
        items.iter().try_for_each(|item| self.item(item))
    }

    /// The arguments of a call: a list, and a dict or, if there is none, nothing.
    pub(in crate::common::agent) fn arguments(
        &mut self,
        arguments: &[Value],
        keywords: &[(String, Value)],
    ) -> Result<()> {
        let values = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
        values.clone().try_for_each(|value| value.check_depth(MAX_DEPTH))?;
        self.values(b'[', arguments)?;
        if keywords.is_empty() {
            self.bytes.push(b'N');
            return Ok(());
        }
        self.bytes.push(b'{');
        for (name, value) in keywords {
            self.text(name)?;
            self.value(value)?;
        }
        self.bytes.push(b'0');
        Ok(())
    }

    /// It must not be nested deeper than a value may be.
    pub(in crate::common::agent) fn value(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Null => self.bytes.push(b'N'),
            Value::Bool(bool) => self.bytes.push(if *bool { b'T' } else { b'F' }),
            Value::Int(int) => self.int(*int)?,
            Value::BigInt(int) => self.long(int.to_le_bytes())?,
            Value::Float(float) => self.float(*float),
            Value::Complex(complex) => {
                self.bytes.push(b'y');
                self.bytes.extend(complex.re.to_le_bytes());
                self.bytes.extend(complex.im.to_le_bytes());
            }
            Value::Text(text) => self.text(text)?,
            Value::RawText(text) => self.sized(b'u', text.as_wtf8())?,
            Value::Bytes(bytes) => self.data(bytes)?,
            Value::List(list) => self.list(list.packing())?,
            Value::Tuple(items) => self.values(b'(', items)?,
            Value::NamedTuple(tuple) => self.values(b'(', tuple.items())?,
            Value::Set(set) => self.members(b'<', set.items())?,
            Value::FrozenSet(set) => self.members(b'>', set.items())?,
            Value::Map(entries) => {
                check_keys(entries.iter().map(|(key, _)| key))?;
                self.bytes.push(b'{');
                for (key, value) in entries {
                    self.value(key)?;
                    self.value(value)?;
                }
                self.bytes.push(b'0');
            }
            // Python has no wrapper around an optional value.
            Value::Some(value) => self.value(value)?,
            other => self.marked(other)?,
        }
        Ok(())
    }

    /// Writes a value as a tuple that starts with an ellipsis and a name.
    fn marked(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Handle(handle) => {
                let number = (self.number)(handle)?;
                self.marker("handle", 3)?;
                self.value(&number.into())?;
                self.text(handle.type_name())?;
                self.text(handle.name())
            }
            Value::Slice(slice) => {
                self.marker("slice", 3)?;
                [&slice.start, &slice.stop, &slice.step]
                    .into_iter()
                    .try_for_each(|part| self.value(part))
            }
            Value::Range(range) => {
                self.marker("range", 3)?;
                [range.start(), range.stop(), range.step()]
                    .into_iter()
                    .try_for_each(|part| self.value(part))
            }
            Value::Date(date) => {
                self.marker("date", 3)?;
                self.ints([date.year().into(), date.month().into(), date.day().into()])
            }
            Value::Time(time) => {
                self.marker("time", 6)?;
                self.time(time)
            }
            Value::DateTime(moment) => {
                let date = moment.date();
                self.marker("datetime", 9)?;
                self.ints([date.year().into(), date.month().into(), date.day().into()])?;
                self.time(moment.time())
            }
            Value::TimeDelta(delta) => {
                self.marker("timedelta", 3)?;
                self.ints([
                    delta.days().into(),
                    delta.seconds().into(),
                    delta.whole_microseconds()?.into(),
                ])
            }
            Value::Decimal(decimal) => {
                self.marker("decimal", 1)?;
                self.text(decimal.as_str())
            }
            Value::Uuid(uuid) => {
                self.marker("uuid", 1)?;
                self.sized(b's', uuid.as_bytes())
            }
            Value::Array(array) => self.array(array),
            other => Err(wrong_type(format!("{} cannot be passed to Python", other.kind_name()))),
        }
    }

    fn marker(&mut self, name: &str, parts: usize) -> Result<()> {
        self.open_tuple(parts + 2)?;
        self.bytes.push(b'.');
        self.text(name)
    }

    fn time(&mut self, time: &Time) -> Result<()> {
        let (hour, minute, second) =
            (time.hour().into(), time.minute().into(), time.second().into());
        self.ints([hour, minute, second, time.whole_microsecond()?.into(), time.fold().into()])?;
        match time.zone() {
            None => self.bytes.push(b'N'),
            Some(Zone::Named(name)) => self.text(name)?,
            Some(Zone::Fixed { microseconds, name }) => {
                self.open_tuple(2)?;
                self.int(*microseconds)?;
                match name {
                    Some(name) => self.text(name)?,
                    None => self.bytes.push(b'N'),
                }
            }
        }
        Ok(())
    }

    fn array(&mut self, array: &Array) -> Result<()> {
        self.marker("array", 4)?;
        self.text(match array.source() {
            ArraySource::Array => "array",
            ArraySource::ArrayLong => "array_long",
            ArraySource::Numpy => "numpy",
        })?;
        self.text(&array.dtype())?;
        self.open_tuple(array.shape().len())?;
        array.shape().iter().try_for_each(|rows| self.value(&(*rows).into()))?;
        self.data(array.bytes())
    }

    fn data(&mut self, bytes: &Bytes) -> Result<()> {
        match &mut self.parts {
            Some(parts) if bytes.len() >= MIN_PART => {
                parts.push(bytes.clone().into_inner());
                let index = parts.len() as i64 - 1;
                self.marker("bytes", 1)?;
                self.int(index)
            }
            _ => self.sized(b's', bytes),
        }
    }

    fn list(&mut self, packing: &Packing) -> Result<()> {
        match packing {
            Packing::Values(values) => return self.values(b'[', values),
            Packing::Octets(octets) => {
                self.open(b'[', octets.len())?;
                self.bytes.reserve(5 * octets.len());
                octets.iter().for_each(|octet| self.bytes.extend([b'i', *octet, 0, 0, 0]));
            }
            Packing::Ints(ints) => {
                self.open(b'[', ints.len())?;
                self.bytes.reserve(5 * ints.len());
                ints.iter().try_for_each(|int| self.int(*int))?;
            }
            Packing::Floats(floats) => {
                self.open(b'[', floats.len())?;
                self.bytes.reserve(9 * floats.len());
                floats.iter().for_each(|float| self.float(*float));
            }
        }
        Ok(())
    }

    fn members(&mut self, tag: u8, items: &[Value]) -> Result<()> {
        check_keys(items.iter())?;
        self.values(tag, items)
    }

    fn values(&mut self, tag: u8, values: &[Value]) -> Result<()> {
        self.open(tag, values.len())?;
        values.iter().try_for_each(|value| self.value(value))
    }

    fn ints<const N: usize>(&mut self, ints: [i64; N]) -> Result<()> {
        ints.into_iter().try_for_each(|int| self.int(int))
    }

    fn int(&mut self, int: i64) -> Result<()> {
        match i32::try_from(int) {
            Ok(int) => {
                self.bytes.push(b'i');
                self.bytes.extend(int.to_le_bytes());
                Ok(())
            }
            Err(_) => self.long(&int.to_le_bytes()),
        }
    }

    /// An integer of any size, from its two's complement.
    fn long(&mut self, bytes: &[u8]) -> Result<()> {
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut magnitude = bytes.to_vec();
        if negative {
            negate(&mut magnitude);
        }
        let mut digits = Vec::with_capacity(bytes.len() * 8 / 15 + 1);
        let (mut waiting, mut waiting_bits) = (0u32, 0);
        for byte in magnitude {
            waiting |= u32::from(byte) << waiting_bits;
            waiting_bits += 8;
            if waiting_bits >= 15 {
                digits.push((waiting & 0x7fff) as u16);
                waiting >>= 15;
                waiting_bits -= 15;
            }
        }
        digits.push(waiting as u16);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let count = i32::try_from(digits.len()).map_err(|_| too_large())?;
        self.bytes.push(b'l');
        self.bytes.extend(if negative { -count } else { count }.to_le_bytes());
        self.bytes.extend(digits.into_iter().flat_map(u16::to_le_bytes));
        Ok(())
    }

    fn float(&mut self, float: f64) {
        self.bytes.push(b'g');
        self.bytes.extend(float.to_le_bytes());
    }

    pub(in crate::common::agent) fn text(&mut self, text: &str) -> Result<()> {
        self.sized(b'u', text.as_bytes())
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) -> Result<()> {
        self.open(tag, bytes.len())?;
        self.bytes.extend(bytes);
        Ok(())
    }

    pub(in crate::common::agent) fn open_tuple(&mut self, count: usize) -> Result<()> {
        self.open(b'(', count)
    }

    fn open(&mut self, tag: u8, count: usize) -> Result<()> {
        let count = i32::try_from(count).map_err(|_| too_large())?;
        self.bytes.push(tag);
        self.bytes.extend(count.to_le_bytes());
        Ok(())
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`] if Python could not have them as keys of a dict or items of a
/// set, or not all of them.
///
/// Only what `marshal` itself would make one key of is found here. Others that are equal
/// in Python, such as a decimal number and an integer, are found by the agent.
fn check_keys<'a>(keys: impl ExactSizeIterator<Item = &'a Value>) -> Result<()> {
    let mut seen = HashSet::with_capacity(keys.len());
    for key in keys {
        let key = as_compared(key)?;
        // No `NaN` equals another.
        let nan = matches!(*key, Value::Float(float) if float.is_nan());
        if !nan && !seen.insert(key) {
            return Err(wrong_type("two keys of a map or items of a set are equal in Python"));
        }
    }
    Ok(())
}

/// The key as Python compares it: `True` is 1 and so is `1.0`.
///
/// # Errors
///
/// [`ErrorKind::WrongType`] if Python has no such keys.
fn as_compared(key: &Value) -> Result<Cow<'_, Value>> {
    let all = |items: &[Value]| {
        items.iter().map(|item| as_compared(item).map(Cow::into_owned)).collect::<Result<Vec<_>>>()
    };
    Ok(Cow::Owned(match key {
        Value::Bool(bool) => Value::Int((*bool).into()),
        Value::Float(float) => float_as_compared(*float),
        Value::Complex(complex) if complex.im == 0.0 => float_as_compared(complex.re),
        Value::Some(value) => return as_compared(value),
        Value::Tuple(items) => Value::Tuple(all(items)?),
        Value::NamedTuple(tuple) => Value::Tuple(all(tuple.items())?),
        Value::FrozenSet(set) => Value::FrozenSet(all(set.items())?.into()),
        Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Slice(_) => {
            return Err(wrong_type(format!(
                "{} cannot be a key of a dict or an item of a set in Python",
                key.kind_name()
            )));
        }
        Value::Array(array) if !array.shape().is_empty() => {
            return Err(wrong_type(
                "an array cannot be a key of a dict or an item of a set in Python",
            ));
        }
        other => return Ok(Cow::Borrowed(other)),
    }))
}

/// The integer that equals the float, if there is one.
fn float_as_compared(float: f64) -> Value {
    const LIMIT: f64 = (1u128 << 126) as f64;
    if !float.is_finite() || float.trunc() != float {
        return Value::Float(float);
    }
    if float.abs() <= LIMIT {
        return Value::from(float as i128);
    }
    // A float so large is its 53 digits, and zeros behind them.
    let exponent = (float.to_bits() >> 52 & 0x7ff) as usize - 1075;
    let digits = u128::from(float.to_bits() & ((1 << 52) - 1) | 1 << 52) << (exponent % 8);
    let mut bytes = vec![0; exponent / 8];
    bytes.extend(digits.to_le_bytes());
    if float < 0.0 {
        negate(&mut bytes);
    }
    Value::integer_from_le_bytes(&bytes)
}

fn wrong_type(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::WrongType, what)
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "a value of 2 GiB or more cannot be passed to Python")
}
