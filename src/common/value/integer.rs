//! Integers beyond 64 bits.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::common::value::Value;
use crate::common::value::special::BIG_INT;

/// An integer that does not fit an `i64`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BigInt {
    /// Two's complement, little end first, as few bytes as hold it; always more than
    /// eight.
    bytes: Vec<u8>,
}

impl BigInt {
    /// Two's complement, little end first, as few bytes as hold it.
    #[must_use]
    pub fn to_le_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn is_negative(&self) -> bool {
        self.bytes.last().is_some_and(|last| last & 0x80 != 0)
    }
}

impl Value {
    /// The integer that these bytes stand for: two's complement, little end first; none
    /// at all are 0.
    #[must_use]
    pub fn integer_from_le_bytes(bytes: &[u8]) -> Value {
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let filler = if negative { 0xff } else { 0 };
        // A byte at the end says nothing if it repeats the sign of the one before it.
        let mut len = bytes.len();
        while len > 1 && bytes[len - 1] == filler && (bytes[len - 2] & 0x80 != 0) == negative {
            len -= 1;
        }
        if len <= 8 {
            let mut int = [filler; 8];
            int[..len].copy_from_slice(&bytes[..len]);
            return Value::Int(i64::from_le_bytes(int));
        }
        Value::BigInt(BigInt { bytes: bytes[..len].to_vec() })
    }
}

impl From<i128> for Value {
    fn from(int: i128) -> Self {
        Value::integer_from_le_bytes(&int.to_le_bytes())
    }
}

impl From<u128> for Value {
    fn from(int: u128) -> Self {
        let mut bytes = [0; 17];
        bytes[..16].copy_from_slice(&int.to_le_bytes());
        Value::integer_from_le_bytes(&bytes)
    }
}

impl From<u64> for Value {
    fn from(int: u64) -> Self {
        Value::from(i128::from(int))
    }
}

/// Fails, giving it back, if it does not fit.
impl TryFrom<BigInt> for i128 {
    type Error = BigInt;

    fn try_from(int: BigInt) -> Result<Self, BigInt> {
        let mut bytes = [if int.is_negative() { 0xff } else { 0 }; 16];
        let Some(low) = bytes.get_mut(..int.bytes.len()) else { return Err(int) };
        low.copy_from_slice(&int.bytes);
        Ok(i128::from_le_bytes(bytes))
    }
}

/// Fails, giving it back, if it does not fit.
impl TryFrom<BigInt> for u128 {
    type Error = BigInt;

    fn try_from(int: BigInt) -> Result<Self, BigInt> {
        let significant = match int.bytes.as_slice() {
            [low @ .., 0] if low.len() == 16 => low,
            all => all,
        };
        let mut bytes = [0; 16];
        if int.is_negative() || significant.len() > bytes.len() {
            return Err(int);
        }
        bytes[..significant.len()].copy_from_slice(significant);
        Ok(u128::from_le_bytes(bytes))
    }
}

/// Tells only the size.
impl fmt::Debug for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BigInt({} bytes)", self.bytes.len())
    }
}

impl Serialize for BigInt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(BIG_INT, self.bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(value: Value) -> BigInt {
        let Value::BigInt(int) = value else { panic!("{value:?} is small") };
        int
    }

    #[test]
    fn integers_that_fit_64_bits_are_never_big() {
        for int in [0, -1, 127, 128, -128, -129, i64::MAX, i64::MIN] {
            assert_eq!(Value::from(i128::from(int)), Value::Int(int));
        }
        assert_eq!(Value::integer_from_le_bytes(&[]), Value::Int(0));
        assert_eq!(Value::integer_from_le_bytes(&[0xff; 40]), Value::Int(-1));
    }

    #[test]
    fn limits_of_128_bits_go_there_and_back() {
        for int in [i128::MAX, i128::MIN, i128::from(i64::MAX) + 1, i128::from(i64::MIN) - 1] {
            assert_eq!(i128::try_from(big(Value::from(int))), Ok(int));
        }
        for int in [u128::MAX, u128::from(u64::MAX), 1 << 127] {
            assert_eq!(u128::try_from(big(Value::from(int))), Ok(int));
        }
    }

    #[test]
    fn what_does_not_fit_comes_back() {
        let below_zero = big(Value::from(i128::MIN));
        assert_eq!(u128::try_from(below_zero.clone()), Err(below_zero));
        let too_big = big(Value::from(u128::MAX));
        assert_eq!(i128::try_from(too_big.clone()), Err(too_big));
    }
}
