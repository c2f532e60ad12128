//! `marshal`, version 2: how values are written in the frames between a daemon and its interpreter.
//!
//! It is C-fast in the standard library of every Python and exact for its plain kinds. Kinds that it lacks are tuples whose first item is `Ellipsis`.

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Bytes, Handle, List, MAX_DEPTH, Value};

/// What gives an object's number in the interpreter.
pub(super) type Number<'a> = &'a mut dyn FnMut(&Handle) -> Result<u64>;
/// What takes a number in the interpreter, and the name of the object's type.
pub(super) type Take<'a> = &'a mut dyn FnMut(u64, &str) -> Result<Handle>;

pub(super) fn encode(value: &Value, number: Number<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write(&mut out, value, number)?;
    Ok(out)
}

fn write(out: &mut Vec<u8>, value: &Value, number: Number<'_>) -> Result<()> {
    let len =
        |len: usize| u32::try_from(len).map(u32::to_le_bytes).map_err(|_| Error::new(ErrorKind::TooLarge, "too large"));
    match value {
        Value::Null => out.push(b'N'),
        Value::Bool(bool) => out.push(if *bool { b'T' } else { b'F' }),
        Value::Int(int) => long(out, &int.to_le_bytes()),
        Value::BigInt(int) => long(out, int.to_le_bytes()),
        Value::Float(float) => {
            out.push(b'g');
            out.extend(float.to_le_bytes());
        }
        Value::Text(text) => {
            out.push(b'u');
            out.extend(len(text.len())?);
            out.extend(text.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.push(b's');
            out.extend(len(bytes.len())?);
            out.extend(&**bytes);
        }
        Value::List(list) => {
            out.push(b'[');
            out.extend(len(list.len())?);
            for item in list.iter() {
                write(out, &item, number)?;
            }
        }
        Value::Tuple(items) => {
            out.push(b'(');
            out.extend(len(items.len())?);
            for item in items {
                write(out, item, number)?;
            }
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (key, value) in entries {
                write(out, key, number)?;
                write(out, value, number)?;
            }
            out.push(b'0');
        }
        Value::Some(value) => write(out, value, number)?,
        Value::Handle(handle) => {
            let number_there = number(handle)?;
            out.push(b'(');
            out.extend(len(3)?);
            out.push(b'.');
            write(out, &"handle".into(), number)?;
            write(out, &number_there.into(), number)?;
        }
        other => {
            let message = format!("{} cannot be given to a Python object", other.kind_name());
            return Err(Error::new(ErrorKind::BadArguments, message));
        }
    }
    Ok(())
}

fn long(out: &mut Vec<u8>, bytes: &[u8]) {
    if let Ok(int) = <[u8; 8]>::try_from(bytes).map(i64::from_le_bytes)
        && let Ok(int) = i32::try_from(int)
    {
        out.push(b'i');
        out.extend(int.to_le_bytes());
        return;
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in &mut magnitude {
            let (flipped, overflow) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (flipped, overflow);
        }
        if carry {
            magnitude.push(1);
        }
    }
    let mut digits = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for byte in magnitude {
        held |= u32::from(byte) << bits;
        bits += 8;
        if bits >= 15 {
            digits.push((held & 0x7fff) as u16);
            held >>= 15;
            bits -= 15;
        }
    }
    digits.push(held as u16);
    while digits.last() == Some(&0) {
        digits.pop();
    }
    out.push(b'l');
    let count = digits.len() as i32;
    out.extend((if negative { -count } else { count }).to_le_bytes());
    digits.iter().for_each(|digit| out.extend(digit.to_le_bytes()));
}

pub(super) fn decode(bytes: &[u8], take: Take<'_>) -> Result<Value> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(take, MAX_DEPTH + 8)?;
    match reader.rest.is_empty() {
        true => Ok(value),
        false => Err(malformed()),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

fn malformed() -> Error {
    Error::new(ErrorKind::Protocol, "the interpreter has sent what is no value")
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.bytes(N)?.try_into().expect("it was asked for so many"))
    }

    fn len(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn items(&mut self, take: Take<'_>, depth: usize) -> Result<Vec<Value>> {
        let len = self.len()?;
        (0..len).map(|_| self.value(take, depth)).collect()
    }

    fn value(&mut self, take: Take<'_>, depth: usize) -> Result<Value> {
        let inside = depth.checked_sub(1).ok_or_else(malformed)?;
        Ok(match self.array::<1>()?[0] {
            b'N' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'l' => self.long()?,
            b'g' => Value::Float(f64::from_le_bytes(self.array()?)),
            b's' => {
                let len = self.len()?;
                Value::Bytes(Bytes::from(self.bytes(len)?))
            }
            b'u' | b't' => {
                let len = self.len()?;
                Value::Text(String::from_utf8(self.bytes(len)?.to_vec()).map_err(|_| malformed())?)
            }
            b'[' => Value::List(List::from(self.items(take, inside)?)),
            b'(' => {
                if self.rest.get(4) == Some(&b'.') {
                    return self.marker(take, inside);
                }
                Value::Tuple(self.items(take, inside)?)
            }
            b'{' => {
                let mut entries = Vec::new();
                while self.rest.first() != Some(&b'0') {
                    entries.push((self.value(take, inside)?, self.value(take, inside)?));
                }
                self.bytes(1)?;
                Value::Map(entries)
            }
            _ => return Err(malformed()),
        })
    }

    fn marker(&mut self, take: Take<'_>, depth: usize) -> Result<Value> {
        let len = self.len()?;
        self.bytes(1)?;
        let mut parts = (1..len).map(|_| self.value(take, depth)).collect::<Result<Vec<_>>>()?.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Value::Text(name)), Some(Value::Int(number)), Some(Value::Text(type_name))) if name == "handle" => {
                take(u64::try_from(number).map_err(|_| malformed())?, &type_name).map(Value::Handle)
            }
            (Some(Value::Text(name)), Some(Value::Text(text)), None) if name == "repr" => Ok(Value::Text(text)),
            _ => Err(malformed()),
        }
    }

    fn long(&mut self) -> Result<Value> {
        let count = i32::from_le_bytes(self.array()?);
        let digits = self.bytes(count.unsigned_abs() as usize * 2)?;
        let mut magnitude = Vec::new();
        let (mut held, mut bits) = (0u32, 0);
        for digit in digits.chunks_exact(2) {
            held |= u32::from(u16::from_le_bytes([digit[0], digit[1]])) << bits;
            bits += 15;
            while bits >= 8 {
                magnitude.push(held as u8);
                held >>= 8;
                bits -= 8;
            }
        }
        magnitude.extend([held as u8, 0]);
        if count < 0 {
            let mut carry = true;
            for byte in &mut magnitude {
                let (flipped, overflow) = (!*byte).overflowing_add(u8::from(carry));
                (*byte, carry) = (flipped, overflow);
            }
        }
        Ok(Value::integer_from_le_bytes(&magnitude))
    }
}
