//! Integers of any size.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::error::{Error, Result};
use crate::common::value::Value;
use crate::common::value::fault::malformed;
use crate::common::value::special::BIG_INT;

/// An integer of any size: Python's `int`.
///
/// [`Value::from`] makes a [`Value::Int`] of one that fits 64 bits. Text is an optional
/// sign and decimal digits, as for Python's `str` and `int`; its time grows with the
/// square of its length.
///
/// ```
/// use oad::value::BigInt;
///
/// let int: BigInt = "-170141183460469231731687303715884105729".parse()?;
/// assert_eq!(int.to_string(), "-170141183460469231731687303715884105729");
/// assert_eq!(i64::try_from(BigInt::from(5)), Ok(5));
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BigInt {
    /// Two's complement, little-endian, as few bytes as hold it and at least one.
    bytes: Vec<u8>,
}

impl BigInt {
    /// Creates the integer of these bytes: two's complement, little-endian. No bytes are
    /// 0.
    #[must_use]
    pub fn from_le_bytes(bytes: &[u8]) -> Self {
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let filler = if negative { 0xff } else { 0 };
        // The last byte is redundant if it only repeats the sign of the one before it.
        let mut len = bytes.len();
        while len > 1 && bytes[len - 1] == filler && (bytes[len - 2] & 0x80 != 0) == negative {
            len -= 1;
        }
        BigInt { bytes: if len == 0 { vec![0] } else { bytes[..len].to_vec() } }
    }

    /// Returns the bytes: two's complement, little-endian, as few as hold it.
    #[must_use]
    pub fn to_le_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is less than 0.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.bytes.last().is_some_and(|last| last & 0x80 != 0)
    }

    /// The low bytes, with its sign in the rest, if it fits so many.
    fn to_bytes<const N: usize>(&self) -> Option<[u8; N]> {
        let mut bytes = [if self.is_negative() { 0xff } else { 0 }; N];
        bytes.get_mut(..self.bytes.len())?.copy_from_slice(&self.bytes);
        Some(bytes)
    }

    /// The magnitude in limbs of 64 bits, least significant first.
    fn magnitude(&self) -> Vec<u64> {
        let negative = self.is_negative();
        let mut carry = negative;
        let limbs = self.bytes.chunks(8).map(|chunk| {
            let mut limb = [if negative { 0xff } else { 0 }; 8];
            limb[..chunk.len()].copy_from_slice(chunk);
            let limb = u64::from_le_bytes(limb);
            if !negative {
                return limb;
            }
            let (limb, overflows) = (!limb).overflowing_add(u64::from(carry));
            carry = overflows;
            limb
        });
        let mut limbs: Vec<u64> = limbs.collect();
        // The magnitude of the smallest integer of a size needs a bit more.
        if carry {
            limbs.push(1);
        }
        limbs
    }

    /// The integer of a magnitude in limbs of 64 bits, least significant first.
    fn from_magnitude(negative: bool, limbs: &[u64]) -> Self {
        let mut carry = negative;
        let mut bytes = Vec::with_capacity(8 * (limbs.len() + 1));
        // One limb more holds the sign.
        for limb in limbs.iter().copied().chain([0]) {
            let limb = if negative {
                let (limb, overflows) = (!limb).overflowing_add(u64::from(carry));
                carry = overflows;
                limb
            } else {
                limb
            };
            bytes.extend(limb.to_le_bytes());
        }
        BigInt::from_le_bytes(&bytes)
    }
}

/// As many decimal digits as surely fit a limb.
const CHUNK_DIGITS: usize = 19;
const CHUNK: u64 = 10u64.pow(CHUNK_DIGITS as u32);

/// Writes the decimal digits, after a `-` if it is negative.
impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limbs = self.magnitude();
        let mut chunks = Vec::new();
        while !limbs.is_empty() {
            let mut rest = 0u128;
            for limb in limbs.iter_mut().rev() {
                let wide = rest << 64 | u128::from(*limb);
                *limb = (wide / u128::from(CHUNK)) as u64;
                rest = wide % u128::from(CHUNK);
            }
            chunks.push(rest);
            while limbs.last() == Some(&0) {
                limbs.pop();
            }
        }
        let mut digits = chunks.pop().unwrap_or_default().to_string();
        for chunk in chunks.iter().rev() {
            digits.push_str(&format!("{chunk:0CHUNK_DIGITS$}"));
        }
        f.pad_integral(!self.is_negative(), "", &digits)
    }
}

/// Longer integers are shown by their size.
const MAX_SHOWN: usize = 64;

impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes.len() {
            ..=MAX_SHOWN => write!(f, "BigInt({self})"),
            len => write!(f, "BigInt({len} bytes)"),
        }
    }
}

/// Reads an optional sign and decimal digits.
impl FromStr for BigInt {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed(text, "an integer", "[+-]digits"));
        }
        let mut limbs: Vec<u64> = Vec::new();
        let (head, tail) = digits.split_at(digits.len() % CHUNK_DIGITS);
        let tail = tail.as_bytes().chunks(CHUNK_DIGITS);
        for chunk in [head.as_bytes()].into_iter().chain(tail) {
            let digit = |value: u64, digit: &u8| value * 10 + u64::from(digit - b'0');
            let mut carry = u128::from(chunk.iter().fold(0, digit));
            for limb in &mut limbs {
                let wide = u128::from(*limb) * u128::from(CHUNK) + carry;
                *limb = wide as u64;
                carry = wide >> 64;
            }
            if carry > 0 {
                limbs.push(carry as u64);
            }
        }
        Ok(BigInt::from_magnitude(negative, &limbs))
    }
}

// === conversions ===

impl Value {
    /// Creates the integer of these bytes: two's complement, little-endian. No bytes are
    /// 0.
    #[must_use]
    pub fn integer_from_le_bytes(bytes: &[u8]) -> Value {
        BigInt::from_le_bytes(bytes).into()
    }
}

/// [`Value::Int`] if it fits 64 bits, otherwise [`Value::BigInt`].
impl From<BigInt> for Value {
    fn from(int: BigInt) -> Self {
        match int.to_bytes() {
            Some(bytes) => Value::Int(i64::from_le_bytes(bytes)),
            None => Value::BigInt(int),
        }
    }
}

macro_rules! primitive {
    (signed $($signed:ident),*; unsigned $($unsigned:ident),*) => {
        $(
            impl From<$signed> for BigInt {
                fn from(int: $signed) -> Self {
                    BigInt::from_le_bytes(&int.to_le_bytes())
                }
            }

            /// Fails, returning the integer, if it does not fit.
            impl TryFrom<BigInt> for $signed {
                type Error = BigInt;

                fn try_from(int: BigInt) -> Result<Self, BigInt> {
                    int.to_bytes().map($signed::from_le_bytes).ok_or(int)
                }
            }
        )*
        $(
            impl From<$unsigned> for BigInt {
                fn from(int: $unsigned) -> Self {
                    let mut bytes = int.to_le_bytes().to_vec();
                    bytes.push(0);
                    BigInt::from_le_bytes(&bytes)
                }
            }

            /// Fails, returning the integer, if it does not fit.
            impl TryFrom<BigInt> for $unsigned {
                type Error = BigInt;

                fn try_from(int: BigInt) -> Result<Self, BigInt> {
                    let significant = match int.bytes.as_slice() {
                        [low @ .., 0] => low,
                        all => all,
                    };
                    let mut bytes = [0; size_of::<$unsigned>()];
                    match bytes.get_mut(..significant.len()) {
                        Some(low) if !int.is_negative() => low.copy_from_slice(significant),
                        _ => return Err(int),
                    }
                    Ok($unsigned::from_le_bytes(bytes))
                }
            }
        )*
    };
}

primitive!(signed i32, i64, i128, isize; unsigned u32, u64, u128, usize);

// === serde ===

/// As bytes, or, where a person may read it, as its decimal digits.
struct PlainBigInt<'a>(&'a BigInt);

impl Serialize for PlainBigInt<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self.0),
            false => serializer.serialize_bytes(&self.0.bytes),
        }
    }
}

impl Serialize for BigInt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(BIG_INT, &PlainBigInt(self))
    }
}

impl<'de> Deserialize<'de> for BigInt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(BIG_INT, BigIntVisitor)
    }
}

struct BigIntVisitor;

impl<'de> Visitor<'de> for BigIntVisitor {
    type Value = BigInt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<BigInt, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(self),
            false => deserializer.deserialize_byte_buf(self),
        }
    }

    fn visit_i64<E>(self, int: i64) -> Result<BigInt, E> {
        Ok(int.into())
    }

    fn visit_u64<E>(self, int: u64) -> Result<BigInt, E> {
        Ok(int.into())
    }

    fn visit_i128<E>(self, int: i128) -> Result<BigInt, E> {
        Ok(int.into())
    }

    fn visit_u128<E>(self, int: u128) -> Result<BigInt, E> {
        Ok(int.into())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BigInt, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<BigInt, E> {
        Ok(BigInt::from_le_bytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<BigInt, A::Error> {
        Err(A::Error::custom("expected an integer, found a list"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn integers_that_fit_64_bits_are_never_big() {
        for int in [0, -1, 127, 128, -128, -129, i64::MAX, i64::MIN] {
            assert_eq!(Value::from(i128::from(int)), Value::Int(int));
        }
        assert_eq!(Value::integer_from_le_bytes(&[]), Value::Int(0));
        assert_eq!(Value::integer_from_le_bytes(&[0xff; 40]), Value::Int(-1));
    }

    #[test]
    fn limits_of_each_width_survive() {
        for int in [i128::MAX, i128::MIN, i128::from(i64::MAX) + 1, i128::from(i64::MIN) - 1] {
            assert_eq!(i128::try_from(BigInt::from(int)), Ok(int));
            i64::try_from(BigInt::from(int)).expect_err("it is too large");
        }
        for int in [u128::MAX, u128::from(u64::MAX), 1 << 127] {
            assert_eq!(u128::try_from(BigInt::from(int)), Ok(int));
        }
        for int in [0, 1, u64::MAX] {
            assert_eq!(u64::try_from(BigInt::from(int)), Ok(int));
        }
    }

    #[test]
    fn integer_that_does_not_fit_is_returned() {
        let below_zero = BigInt::from(i128::MIN);
        assert_eq!(u128::try_from(below_zero.clone()), Err(below_zero));
        let too_big = BigInt::from(u128::MAX);
        assert_eq!(i128::try_from(too_big.clone()), Err(too_big));
    }

    #[test]
    fn long_digits_are_read_and_written() {
        // 2^1024, and its neighbours.
        let power = BigInt::from_le_bytes(&[[0; 128].as_slice(), &[1]].concat());
        let digits = power.to_string();
        assert!(digits.starts_with("17976931348623159077") && digits.len() == 309, "{digits}");
        assert_eq!(digits.parse::<BigInt>().expect("it is one"), power);
        let minus = format!("-{digits}").parse::<BigInt>().expect("it is one");
        assert_eq!((minus.to_string(), minus.is_negative()), (format!("-{digits}"), true));
        assert_eq!("-0".parse::<BigInt>().expect("it is one"), BigInt::from(0));
        assert_eq!("+007".parse::<BigInt>().expect("it is one").to_string(), "7");
        for text in ["", "-", "1_0", " 1", "0x1", "١"] {
            text.parse::<BigInt>().expect_err(text);
        }
    }

    #[test]
    fn long_integers_are_shown_by_their_size() {
        assert_eq!(format!("{:?}", BigInt::from(-5)), "BigInt(-5)");
        let long = BigInt::from_le_bytes(&[1; 1000]);
        assert_eq!(format!("{long:?}"), "BigInt(1000 bytes)");
    }

    proptest! {
        #[test]
        fn integers_are_written_as_rust_writes_them(int: i128) {
            let big = BigInt::from(int);
            prop_assert_eq!(big.to_string(), int.to_string());
            prop_assert_eq!(int.to_string().parse::<BigInt>().expect("it is one"), big);
        }

        #[test]
        fn digits_of_any_length_survive(bytes: Vec<u8>) {
            let int = BigInt::from_le_bytes(&bytes);
            prop_assert_eq!(int.to_string().parse::<BigInt>().expect("it is one"), int);
        }
    }
}
