//! From marshal's bytes to items.

use crate::common::agent::marshal::{Item, malformed};
use crate::common::error::{Error, Result};
use crate::common::value::{Bytes, Complex, List, Value};

/// How deep the input may be nested: far deeper than the 32 levels of a value and the few
/// of a frame, so that a value that is too deep is reported as such.
const MAX_LEVELS: usize = 256;
/// No more room is reserved before there is something to put into it.
const FIRST_ROOM: usize = 1024;

pub(super) struct MarshalReader<'a> {
    rest: &'a [u8],
    /// The parts that have not been referred to.
    parts: Vec<Option<bytes::Bytes>>,
    levels_left: usize,
}

impl<'a> MarshalReader<'a> {
    pub(super) fn new(bytes: &'a [u8], parts: &[bytes::Bytes]) -> Self {
        let parts = parts.iter().cloned().map(Some).collect();
        MarshalReader { rest: bytes, parts, levels_left: MAX_LEVELS }
    }

    pub(super) fn finish(self) -> Result<()> {
        if !self.rest.is_empty() {
            let more = self.rest.len();
            return Err(malformed(format!("there are {more} bytes after the end")));
        }
        match self.parts.iter().position(Option::is_some) {
            Some(index) => Err(malformed(format!("it does not refer to part {index}"))),
            None => Ok(()),
        }
    }

    pub(super) fn item(&mut self) -> Result<Item> {
        let tag = self.array::<1>()?[0];
        Ok(Item::Value(match tag {
            b'N' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'l' => self.long()?,
            b'g' => Value::Float(f64::from_le_bytes(self.array()?)),
            b'y' => Value::Complex(Complex {
                re: f64::from_le_bytes(self.array()?),
                im: f64::from_le_bytes(self.array()?),
            }),
            b's' => Value::Bytes(self.sized()?.into()),
            b'u' | b't' => text(self.sized()?.to_vec())?,
            b'.' => return Ok(Item::Ellipsis),
            _ => return self.container(tag),
        }))
    }

    fn container(&mut self, tag: u8) -> Result<Item> {
        self.levels_left =
            self.levels_left.checked_sub(1).ok_or_else(|| malformed("it is nested too deeply"))?;
        let item = match tag {
            b'(' => self.tuple()?,
            b'<' => Item::Set(self.items()?),
            b'>' => Item::FrozenSet(self.items()?),
            b'[' => self.list()?,
            b'{' => Item::Dict(self.entries()?),
            _ => {
                return Err(malformed(format!("no value starts with the byte {tag:#04x}")));
            }
        };
        self.levels_left += 1;
        Ok(item)
    }

    /// A tuple, or the part of the frame that it refers to.
    fn tuple(&mut self) -> Result<Item> {
        let items = self.items()?;
        let [Item::Ellipsis, Item::Value(Value::Text(name)), Item::Value(Value::Int(number))] =
            &items[..]
        else {
            return Ok(Item::Tuple(items));
        };
        let is_text = match name.as_str() {
            "bytes" => false,
            "text" => true,
            _ => return Ok(Item::Tuple(items)),
        };
        let part =
            usize::try_from(*number).ok().and_then(|index| self.parts.get_mut(index)?.take());
        let Some(part) = part else {
            return Err(malformed(format!("part {number} is missing or is referred to twice")));
        };
        if is_text {
            return Ok(text(part.into())?.into());
        }
        Ok(Value::Bytes(Bytes::new(part)).into())
    }

    fn items(&mut self) -> Result<Vec<Item>> {
        let count = self.count()?;
        let mut items = Vec::with_capacity(count.min(FIRST_ROOM));
        for _ in 0..count {
            items.push(self.item()?);
        }
        Ok(items)
    }

    /// A list; one of numbers of a kind is not taken apart into items, of which each
    /// takes many times a number's room.
    fn list(&mut self) -> Result<Item> {
        let count = self.count()?;
        let mut items = Vec::new();
        match self.rest.first() {
            Some(b'i' | b'l') => {
                let mut ints = Vec::with_capacity(count.min(FIRST_ROOM));
                while ints.len() < count && matches!(self.rest.first(), Some(b'i' | b'l')) {
                    match self.item()? {
                        Item::Value(Value::Int(int)) => ints.push(int),
                        large => {
                            items.push(large);
                            break;
                        }
                    }
                }
                if ints.len() == count {
                    return Ok(Value::List(List::from_ints(ints)).into());
                }
                items.splice(0..0, ints.into_iter().map(Item::from));
            }
            Some(b'g') => {
                let mut floats = Vec::with_capacity(count.min(FIRST_ROOM));
                while floats.len() < count && self.rest.first() == Some(&b'g') {
                    self.array::<1>()?;
                    floats.push(f64::from_le_bytes(self.array()?));
                }
                if floats.len() == count {
                    return Ok(Value::List(List::from_floats(floats)).into());
                }
                items.extend(floats.into_iter().map(Item::from));
            }
            _ => {}
        }
        while items.len() < count {
            items.push(self.item()?);
        }
        Ok(Item::List(items))
    }

    fn entries(&mut self) -> Result<Vec<(Item, Item)>> {
        let mut entries = Vec::new();
        while self.rest.first() != Some(&b'0') {
            entries.push((self.item()?, self.item()?));
        }
        self.array::<1>()?;
        Ok(entries)
    }

    /// An integer of any size: digits of 15 bits, the lowest first, and the sign of their
    /// count.
    fn long(&mut self) -> Result<Value> {
        let count = i32::from_le_bytes(self.array()?);
        let digits = count.unsigned_abs() as usize;
        let digits = self.bytes(digits.checked_mul(2).ok_or_else(truncated)?)?;
        let mut bytes = Vec::with_capacity(digits.len() + 1);
        let (mut waiting, mut waiting_bits) = (0u32, 0);
        for digit in digits.chunks_exact(2) {
            let digit = u16::from_le_bytes([digit[0], digit[1]]);
            if digit > 0x7fff {
                return Err(malformed("a digit of an integer is out of its bounds"));
            }
            waiting |= u32::from(digit) << waiting_bits;
            waiting_bits += 15;
            while waiting_bits >= 8 {
                bytes.push(waiting as u8);
                waiting >>= 8;
                waiting_bits -= 8;
            }
        }
        // The last byte is the sign.
        bytes.extend([waiting as u8, 0]);
        if count < 0 {
            negate(&mut bytes);
        }
        Ok(Value::integer_from_le_bytes(&bytes))
    }

    fn sized(&mut self) -> Result<&'a [u8]> {
        let count = self.count()?;
        self.bytes(count)
    }

    /// A count of parts; each takes at least a byte, so it is at most the bytes left.
    fn count(&mut self) -> Result<usize> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > self.rest.len() {
            return Err(truncated());
        }
        Ok(count)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(bytes)
    }
}

fn text(bytes: Vec<u8>) -> Result<Value> {
    Value::text_from_wtf8(bytes).map_err(|error| malformed(error.detail()))
}

/// The two's complement of the bytes, little end first.
pub(super) fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

fn truncated() -> Error {
    malformed("it ends too early")
}
