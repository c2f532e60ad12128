//! Decimal numbers.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::common::error::{Error, Result};
use crate::common::value::Value;
use crate::common::value::debug;
use crate::common::value::fault::malformed;
use crate::common::value::special::{DECIMAL, PlainForm, Special};

/// A decimal number of any size: Python's `decimal.Decimal`. `1.0` is not `1.00`, and
/// there are infinities and `NaN`s.
///
/// Text is what Python's `str` writes, and read as by Python's `Decimal`, but without
/// spaces and underscores.
///
/// ```
/// use oad::value::Decimal;
///
/// assert_eq!(Decimal::new("-1.50e3")?.to_string(), "-1.50E+3");
/// assert_eq!("0.10".parse::<Decimal>()?.as_str(), "0.10");
/// assert_ne!(Decimal::new("1.0")?, Decimal::new("1.00")?);
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(String);

/// The largest exponent in Python, and the smallest of a last digit.
const MAX_EXPONENT: i64 = 999_999_999_999_999_999;
const MIN_EXPONENT: i64 = -1_999_999_999_999_999_997;

impl Decimal {
    /// Reads a number.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the text is not a number
    /// that Python's `Decimal` can hold.
    pub fn new(text: &str) -> Result<Self> {
        let number = canonical(text).map(Decimal);
        number.ok_or_else(|| malformed(text, "a decimal number", "[-]digits[.digits][E[+-]digits]"))
    }

    /// Returns the number as Python's `str` writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn canonical(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = rest.to_ascii_lowercase();
    if lower == "inf" || lower == "infinity" {
        return Some(format!("{sign}Infinity"));
    }
    for (prefix, name) in [("nan", "NaN"), ("snan", "sNaN")] {
        if let Some(payload) = lower.strip_prefix(prefix) {
            let significant = payload.trim_start_matches('0');
            return is_digits(payload).then(|| format!("{sign}{name}{significant}"));
        }
    }
    finite(&lower).map(|number| format!("{sign}{number}"))
}

/// Writes a finite number as Python's `Decimal.__str__` does.
fn finite(text: &str) -> Option<String> {
    let (number, exponent) = match text.split_once('e') {
        Some((number, exponent)) => (number, exponent.parse().ok()?),
        None => (text, 0i64),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !is_digits(whole) || !is_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        significant => significant,
    };
    let length = i64::try_from(digits.len()).ok()?;
    let last = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let point = last.checked_add(length)?;
    if point - 1 > MAX_EXPONENT || last < MIN_EXPONENT {
        return None;
    }
    if last > 0 || point <= -6 {
        let (first, others) = digits.split_at(1);
        let dot = if others.is_empty() { "" } else { "." };
        return Some(match point - 1 {
            0 => format!("{first}{dot}{others}"),
            exponent => format!("{first}{dot}{others}E{exponent:+}"),
        });
    }
    if last == 0 {
        return Some(digits.to_owned());
    }
    match usize::try_from(point) {
        Ok(point @ 1..) => Some(format!("{}.{}", &digits[..point], &digits[point..])),
        _ => Some(format!("0.{}{digits}", "0".repeat(usize::try_from(-point).ok()?))),
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::text(f, "Decimal", &self.0)
    }
}

/// Reads a number, as [`Decimal::new`] does.
impl FromStr for Decimal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Decimal::new(text)
    }
}

impl Decimal {
    /// The plain form.
    pub(in crate::common::value) fn plain_value(&self) -> Value {
        self.0.as_str().into()
    }
}

impl Special for Decimal {
    const NAME: &'static str = DECIMAL;
    const WHAT: &'static str = "a decimal number";

    fn plain(&self) -> PlainForm<'_> {
        PlainForm::Flat(self.plain_value())
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Decimal::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::error::ErrorKind;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        let known = [
            ("0", "0"),
            ("-0", "-0"),
            ("1.0", "1.0"),
            ("007.50", "7.50"),
            ("1e5", "1E+5"),
            ("12e5", "1.2E+6"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("0.00000012", "1.2E-7"),
            ("0e-10", "0E-10"),
            ("0E+3", "0E+3"),
            (".5", "0.5"),
            ("5.", "5"),
            ("123.45e1", "1234.5"),
            ("123.45e2", "12345"),
            ("-inf", "-Infinity"),
            ("nan007", "NaN7"),
            ("-sNaN", "-sNaN"),
        ];
        for (text, written) in known {
            assert_eq!(Decimal::new(text).expect("it is a number").as_str(), written, "{text}");
            assert_eq!(Decimal::new(written).expect("it is a number").as_str(), written);
        }
    }

    #[test]
    fn malformed_numbers_are_refused() {
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e9999999999999999999",
            "1e1000000000000000000",
            "1_0",
            "--1",
            "nanx",
            "1 ",
        ] {
            assert_eq!(Decimal::new(text).expect_err(text).kind(), ErrorKind::WrongType);
        }
    }
}
