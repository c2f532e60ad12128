//! The numbers of `rust_decimal`.

use crate::common::error::{Error, Result};
use crate::common::value::fault::wrong_type;
use crate::common::value::{AsValue, Decimal, Value};

/// With the same digits, also those of a fraction that are 0.
impl From<rust_decimal::Decimal> for Decimal {
    fn from(number: rust_decimal::Decimal) -> Self {
        let text = number.to_string();
        Decimal::new(&text).expect("`rust_decimal` writes digits with a point")
    }
}

impl From<rust_decimal::Decimal> for Value {
    fn from(number: rust_decimal::Decimal) -> Self {
        Decimal::from(number).into()
    }
}

/// A number with a positive exponent, such as `1E+3`, is written out.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is infinite, not a number,
/// or has more digits than 96 bits or 28 places can hold.
impl TryFrom<Decimal> for rust_decimal::Decimal {
    type Error = Error;

    fn try_from(number: Decimal) -> Result<Self> {
        let text = number.as_str();
        let (digits, exponent) = text.split_once('E').unwrap_or((text, "0"));
        let exact = rust_decimal::Decimal::from_str_exact(digits).ok();
        let shifted = exact.and_then(|number| shift(number, exponent.parse().ok()?));
        shifted.ok_or_else(|| {
            wrong_type(format!(
                "the decimal number {number:?} does not fit a `rust_decimal::Decimal`"
            ))
        })
    }
}

/// The number times a power of ten, exactly.
fn shift(number: rust_decimal::Decimal, exponent: i64) -> Option<rust_decimal::Decimal> {
    let scale = i64::from(number.scale()) - exponent;
    let factor = u32::try_from((-scale).max(0)).ok()?;
    let mantissa = number.mantissa().checked_mul(10i128.checked_pow(factor)?)?;
    let scale = u32::try_from(scale.max(0)).ok()?;
    let mut shifted = rust_decimal::Decimal::try_from_i128_with_scale(mantissa, scale).ok()?;
    shifted.set_sign_negative(number.is_sign_negative());
    Some(shifted)
}

impl AsValue for rust_decimal::Decimal {
    type Kind = Decimal;

    fn to_kind(&self) -> Result<Decimal> {
        Ok((*self).into())
    }

    fn from_kind(number: Decimal) -> Result<Self> {
        number.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::foreign::survives;

    fn ours(text: &str) -> Decimal {
        text.parse().expect("it is a number")
    }

    #[test]
    fn numbers_survive_with_all_digits() {
        for text in
            ["0", "-1.50", "0.0000000000000000000000000001", "79228162514264337593543950335"]
        {
            let number: rust_decimal::Decimal = text.parse().expect("it is a number");
            survives(number, ours(text));
        }
    }

    #[test]
    fn exponents_are_written_out_where_they_fit() {
        for (text, written) in
            [("1.5E+3", "1500"), ("1E-7", "0.0000001"), ("0E-10", "0.0000000000")]
        {
            let number = rust_decimal::Decimal::try_from(ours(text)).expect("it fits");
            assert_eq!(number.to_string(), written);
        }
        for text in [
            "NaN",
            "Infinity",
            "1E+29",
            "1E-29",
            "1E+999999",
            "0.12345678901234567890123456789",
            "79228162514264337593543950336",
        ] {
            rust_decimal::Decimal::try_from(ours(text)).expect_err(text);
        }
    }
}
