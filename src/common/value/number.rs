//! The numbers of an array, and their data types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::common::error::Result;
use crate::common::value::fault::{ShownText, wrong_type};
use crate::common::value::{Complex, Value};

/// A number that an [`Array`](crate::value::Array) can be made of: `bool`, the integers
/// of up to 64 bits, `f32`, `f64`, [`Complex`], and `half::f16` with the feature `half`.
///
/// Other crates cannot implement it.
pub trait Number: sealed::Sealed {}

pub(super) mod sealed {
    use super::{ByteOrder, Dtype};

    pub trait Sealed: Copy + Send + Sync + 'static {
        const DTYPE: Dtype;

        /// The numbers as little-endian bytes, if that is how they lie in memory.
        fn as_le_bytes(_: &[Self]) -> Option<&[u8]> {
            None
        }

        /// The numbers that these little-endian bytes are, if they can be read where they
        /// lie.
        fn in_le_bytes(_: &[u8]) -> Option<&[Self]> {
            None
        }

        fn push_le_bytes(self, bytes: &mut Vec<u8>);

        /// Reads the number from its bytes, which must be as many as it takes.
        fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self;
    }
}

/// The data type of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dtype {
    pub(super) order: ByteOrder,
    pub(super) sort: NumberKind,
    /// The bytes of one number.
    pub(super) size: u8,
}

/// Which end of a number comes first; `Little` if it has only one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    Little,
    Big,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NumberKind {
    Bool,
    Signed,
    Unsigned,
    Float,
    Complex,
}

macro_rules! numbers {
    ($($type:ty, $sort:ident);* $(;)?) => {
        $(
            impl Number for $type {}

            impl sealed::Sealed for $type {
                const DTYPE: Dtype = Dtype {
                    order: ByteOrder::Little,
                    sort: NumberKind::$sort,
                    size: size_of::<$type>() as u8,
                };

                fn as_le_bytes(numbers: &[Self]) -> Option<&[u8]> {
                    cfg!(target_endian = "little").then(|| bytemuck::cast_slice(numbers))
                }

                fn in_le_bytes(bytes: &[u8]) -> Option<&[Self]> {
                    // They may begin at any address.
                    let numbers = || bytemuck::try_cast_slice(bytes).ok();
                    cfg!(target_endian = "little").then(numbers)?
                }

                fn push_le_bytes(self, bytes: &mut Vec<u8>) {
                    bytes.extend(self.to_le_bytes());
                }

                fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self {
                    let bytes = bytes.try_into().expect("the bytes are those of one number");
                    match order {
                        ByteOrder::Little => Self::from_le_bytes(bytes),
                        ByteOrder::Big => Self::from_be_bytes(bytes),
                    }
                }
            }
        )*
    };
}

numbers! {
    i8, Signed; i16, Signed; i32, Signed; i64, Signed;
    u8, Unsigned; u16, Unsigned; u32, Unsigned; u64, Unsigned;
    f32, Float; f64, Float;
}

#[cfg(feature = "half")]
numbers! { half::f16, Float }

impl Number for bool {}

impl sealed::Sealed for bool {
    const DTYPE: Dtype = Dtype { order: ByteOrder::Little, sort: NumberKind::Bool, size: 1 };

    fn push_le_bytes(self, bytes: &mut Vec<u8>) {
        bytes.push(self.into());
    }

    fn from_bytes(bytes: &[u8], _: ByteOrder) -> Self {
        bytes != [0]
    }
}

impl Number for Complex {}

impl sealed::Sealed for Complex {
    const DTYPE: Dtype = Dtype { order: ByteOrder::Little, sort: NumberKind::Complex, size: 16 };

    fn push_le_bytes(self, bytes: &mut Vec<u8>) {
        self.re.push_le_bytes(bytes);
        self.im.push_le_bytes(bytes);
    }

    fn from_bytes(bytes: &[u8], order: ByteOrder) -> Self {
        let (re, im) = bytes.split_at(bytes.len() / 2);
        Complex { re: f64::from_bytes(re, order), im: f64::from_bytes(im, order) }
    }
}

impl Dtype {
    /// Whether there is an `array.array` of such numbers.
    pub(super) fn is_of_array(self) -> bool {
        match self.sort {
            NumberKind::Signed | NumberKind::Unsigned => true,
            NumberKind::Float => self.size == 4 || self.size == 8,
            NumberKind::Bool | NumberKind::Complex => false,
        }
    }

    /// Whether C's `long` may be such a number.
    pub(super) fn is_of_long(self) -> bool {
        let is_integer = matches!(self.sort, NumberKind::Signed | NumberKind::Unsigned);
        is_integer && (self.size == 4 || self.size == 8)
    }

    /// Reads the number that these bytes are, exactly.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if Rust has no number of
    /// this data type, whatever the bytes are.
    pub(super) fn value(self, bytes: &[u8]) -> Result<Value> {
        Ok(match self.sort {
            NumberKind::Bool => Value::Bool(bytes != [0]),
            NumberKind::Signed | NumberKind::Unsigned => {
                let top =
                    if self.order == ByteOrder::Little { bytes.last() } else { bytes.first() };
                let negative =
                    self.sort == NumberKind::Signed && top.is_some_and(|top| top & 0x80 != 0);
                let mut wide = [if negative { 0xff } else { 0 }; 16];
                let low = &mut wide[..bytes.len()];
                low.copy_from_slice(bytes);
                if self.order == ByteOrder::Big {
                    low.reverse();
                }
                Value::from(i128::from_le_bytes(wide))
            }
            NumberKind::Float => Value::Float(self.float(bytes)?),
            NumberKind::Complex => {
                let (re, im) = bytes.split_at(bytes.len() / 2);
                Value::Complex(Complex { re: self.float(re)?, im: self.float(im)? })
            }
        })
    }

    fn float(self, bytes: &[u8]) -> Result<f64> {
        use sealed::Sealed;

        match bytes.len() {
            2 => Ok(widened(u16::from_bytes(bytes, self.order).into(), 5, 10)),
            4 => Ok(widened(u32::from_bytes(bytes, self.order), 8, 23)),
            8 => Ok(f64::from_bytes(bytes, self.order)),
            _ => {
                Err(wrong_type(format!("Rust has no type for the numbers of an array of `{self}`")))
            }
        }
    }
}

/// Widens a 32-bit float, exactly.
pub(super) fn widened_f32(float: f32) -> f64 {
    if float.is_nan() { widened(float.to_bits(), 8, 23) } else { f64::from(float) }
}

/// Narrows a float to 32 bits, if that is exact.
pub(super) fn narrowed_f32(wide: f64) -> Option<f32> {
    let bits = wide.to_bits();
    let narrow = match wide.is_nan() {
        // The sign, the exponent and the first bits of the payload.
        true => f32::from_bits(
            (bits >> 32) as u32 & 1 << 31 | 0xff << 23 | (bits >> 29) as u32 & 0x7f_ffff,
        ),
        false => wide as f32,
    };
    (widened_f32(narrow).to_bits() == bits).then_some(narrow)
}

/// Widens a float of fewer bits, exactly: the processor's own conversion would change a
/// signalling `NaN`.
pub(super) fn widened(bits: u32, exponent_bits: u32, mantissa_bits: u32) -> f64 {
    let mantissa = bits & ((1 << mantissa_bits) - 1);
    let exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    let sign = u64::from(bits >> (mantissa_bits + exponent_bits)) << 63;
    let bias = (1 << (exponent_bits - 1)) - 1;
    let wide_mantissa = u64::from(mantissa) << (52 - mantissa_bits);
    let magnitude = if exponent == (1 << exponent_bits) - 1 {
        (0x7ff << 52) | wide_mantissa
    } else if exponent == 0 {
        (f64::from(mantissa) * 2f64.powi(1 - bias - mantissa_bits as i32)).to_bits()
    } else {
        let wide_exponent = u64::from(exponent) + 1023 - bias as u64;
        (wide_exponent << 52) | wide_mantissa
    };
    f64::from_bits(sign | magnitude)
}

impl FromStr for Dtype {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{}` is not a data type of numbers", ShownText(text));
        let (order, rest) = text.split_at_checked(1).ok_or_else(bad)?;
        let (sort, size) = rest.split_at_checked(1).ok_or_else(bad)?;
        let (sort, sizes) = match sort {
            "b" => (NumberKind::Bool, &["1"][..]),
            "i" => (NumberKind::Signed, &["1", "2", "4", "8"][..]),
            "u" => (NumberKind::Unsigned, &["1", "2", "4", "8"][..]),
            "f" => (NumberKind::Float, &["2", "4", "8", "12", "16"][..]),
            "c" => (NumberKind::Complex, &["8", "16", "24", "32"][..]),
            _ => return Err(bad()),
        };
        let size = sizes.contains(&size).then(|| size.parse().ok()).flatten().ok_or_else(bad)?;
        let order = match (order, size) {
            ("|", 1) => ByteOrder::Little,
            ("<", 2..) => ByteOrder::Little,
            (">", 2..) => ByteOrder::Big,
            _ => return Err(bad()),
        };
        Ok(Dtype { order, sort, size })
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            _ if self.size == 1 => '|',
            ByteOrder::Little => '<',
            ByteOrder::Big => '>',
        };
        let sort = match self.sort {
            NumberKind::Bool => 'b',
            NumberKind::Signed => 'i',
            NumberKind::Unsigned => 'u',
            NumberKind::Float => 'f',
            NumberKind::Complex => 'c',
        };
        write!(f, "{order}{sort}{}", self.size)
    }
}

impl TryFrom<String> for Dtype {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Dtype> for String {
    fn from(dtype: Dtype) -> Self {
        dtype.to_string()
    }
}
