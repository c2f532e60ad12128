//! The text of JSON, for `RawValue`, which other crates pass through serde as text.
//!
//! It is read here and not by `serde_json`, because every digit of a number must survive,
//! and whether `serde_json` keeps them depends on the features that some crate of the
//! program has switched on.

use crate::common::error::Result;
use crate::common::value::fault::{Fault, malformed};
use crate::common::value::{BigInt, Decimal, List, Value};

/// Reads a text of JSON, nested at most `levels` deep.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is not JSON, and
/// [`ErrorKind::TooDeep`](crate::ErrorKind::TooDeep).
pub(super) fn read(text: &str, levels: usize) -> Result<Value, Fault> {
    let mut reader = JsonReader { rest: text, text, levels };
    let value = reader.value(levels)?;
    reader.skip_space();
    match reader.rest {
        "" => Ok(value),
        _ => Err(reader.malformed()),
    }
}

/// Writes the text of a value.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) for what JSON cannot hold, such
/// as a `NaN`, or a map with other keys than text.
pub(super) fn write(value: &Value) -> Result<String, Fault> {
    let mut text = String::new();
    write_to(&mut text, value)?;
    Ok(text)
}

/// The number that a text in the grammar of JSON is: an integer, a float if one is
/// written in these digits, or else a decimal number, so that no digit is lost.
pub(super) fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let begins = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let known = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    if !begins(digits) || !digits.bytes().all(known) {
        return None;
    }
    // The float keeps the sign of a zero.
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0" {
        return text.parse::<BigInt>().ok().map(Value::from);
    }
    let float: f64 = text.parse().ok()?;
    let written = Significant::of(text)?;
    match float.is_finite() && Significant::of(&format!("{float:e}"))? == written {
        true => Some(Value::Float(float)),
        false => Decimal::new(text).ok().map(Value::Decimal),
    }
}

/// The digits of a number without zeros at either end, and the power of ten behind them.
#[derive(PartialEq)]
struct Significant {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Significant {
    fn of(text: &str) -> Option<Self> {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i64 = exponent.parse().ok()?;
        let is_negative = number.starts_with('-');
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all = format!("{}{fraction}", whole.trim_start_matches('-'));
        let leading = all.trim_start_matches('0');
        let digits = leading.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Significant { is_negative, digits: String::new(), exponent: 0 });
        }
        let zeros = i64::try_from(leading.len() - digits.len()).ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let exponent = exponent.checked_add(zeros)?;
        Some(Significant { is_negative, digits: digits.to_owned(), exponent })
    }
}

struct JsonReader<'a> {
    rest: &'a str,
    text: &'a str,
    levels: usize,
}

impl<'a> JsonReader<'a> {
    fn malformed(&self) -> Fault {
        malformed(self.text, "JSON", "a value of JSON").into()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Skips a character if it comes next; returns whether it did.
    fn eat(&mut self, char: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(char);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, char: char) -> Result<(), Fault> {
        if self.eat(char) { Ok(()) } else { Err(self.malformed()) }
    }

    /// Takes so many bytes.
    fn take(&mut self, count: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    fn value(&mut self, left: usize) -> Result<Value, Fault> {
        self.skip_space();
        let inside = || left.checked_sub(1).ok_or_else(|| Fault::too_deep(self.levels));
        match self.rest.bytes().next() {
            Some(b'[') => self.list(inside()?),
            Some(b'{') => self.map(inside()?),
            Some(b'"') => self.string().map(Value::Text),
            _ => {
                let is_end = |char: char| ",]} \t\n\r".contains(char);
                let word = self.take(self.rest.find(is_end).unwrap_or(self.rest.len()));
                match word {
                    "null" => Ok(Value::Null),
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    number => self::number(number).ok_or_else(|| self.malformed()),
                }
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let mut is_escaped = false;
        let is_end = |(at, byte): (usize, u8)| {
            let ends = byte == b'"' && !is_escaped && at > 0;
            is_escaped = byte == b'\\' && !is_escaped;
            ends.then_some(at + 1)
        };
        let end = self.rest.bytes().enumerate().find_map(is_end);
        let quoted = self.take(end.ok_or_else(|| self.malformed())?);
        serde_json::from_str(quoted).map_err(|_| self.malformed())
    }

    fn list(&mut self, left: usize) -> Result<Value, Fault> {
        self.expect('[')?;
        let mut items = Vec::new();
        if self.eat(']') {
            return Ok(Value::List(List::from(items)));
        }
        loop {
            items.push(self.value(left)?);
            if !self.eat(',') {
                self.expect(']')?;
                return Ok(Value::List(List::from(items)));
            }
        }
    }

    fn map(&mut self, left: usize) -> Result<Value, Fault> {
        self.expect('{')?;
        let mut entries = Vec::new();
        if self.eat('}') {
            return Ok(Value::Map(entries));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.expect(':')?;
            entries.push((Value::Text(key), self.value(left)?));
            if !self.eat(',') {
                self.expect('}')?;
                return Ok(Value::Map(entries));
            }
        }
    }
}

fn write_to(text: &mut String, value: &Value) -> Result<(), Fault> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(bool) => text.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => text.push_str(&int.to_string()),
        Value::BigInt(int) => text.push_str(&int.to_string()),
        Value::Float(float) if float.is_finite() => text.push_str(&format!("{float:?}")),
        Value::Text(of) => text.push_str(&quoted(of)?),
        Value::Some(value) => write_to(text, value)?,
        Value::List(list) => write_items(text, list.iter())?,
        Value::Tuple(items) => write_items(text, items.iter().cloned())?,
        Value::Map(entries) => {
            text.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                let Value::Text(key) = key else {
                    let kind = key.kind_name();
                    return Err(Fault::wrong_type(format!("{kind} cannot be a key in JSON")));
                };
                text.push_str(if index > 0 { "," } else { "" });
                text.push_str(&quoted(key)?);
                text.push(':');
                write_to(text, value)?;
            }
            text.push('}');
        }
        Value::Float(float) => {
            return Err(Fault::wrong_type(format!("the float {float} cannot be written in JSON")));
        }
        other => {
            let kind = other.kind_name();
            return Err(Fault::wrong_type(format!("{kind} cannot be written in JSON")));
        }
    }
    Ok(())
}

fn write_items(text: &mut String, items: impl Iterator<Item = Value>) -> Result<(), Fault> {
    text.push('[');
    for (index, item) in items.enumerate() {
        text.push_str(if index > 0 { "," } else { "" });
        write_to(text, &item)?;
    }
    text.push(']');
    Ok(())
}

fn quoted(text: &str) -> Result<String, Fault> {
    serde_json::to_string(text).map_err(|error| Fault::wrong_type(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        for (text, value) in [
            ("1", Value::Int(1)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("18446744073709551615", u64::MAX.into()),
            ("340282366920938463463374607431768211455", u128::MAX.into()),
            ("-0", Value::Float(-0.0)),
            ("0.0", Value::Float(0.0)),
            ("2.50", Value::Float(2.5)),
            ("1e2", Value::Float(100.0)),
            ("0.1", Value::Float(0.1)),
            ("5e-324", Value::Float(5e-324)),
            ("1.7976931348623157E+308", Value::Float(f64::MAX)),
            ("1e400", Decimal::new("1e400").expect("it is one").into()),
            ("0.1000000000000000055", Decimal::new("0.1000000000000000055").expect("it").into()),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", "-", "NaN", "inf", "+1", ".5", "1.2.3", "0x1", "1e", "--1", "é"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn json_is_read_and_written() {
        let text = r#"{"a":[1,-2.5,true,null,[]],"é\"":{},"b":"\u0041\n"}"#;
        let value = read(text, 3).expect("it is JSON");
        assert_eq!(value["a"][1], Value::Float(-2.5));
        assert_eq!(value["é\""], Value::Map(vec![]));
        assert_eq!(value["b"], "A\n".into());
        assert_eq!(read(&write(&value).expect("JSON can hold it"), 3).expect("it is"), value);
        read(text, 1).expect_err("it is deeper");
        for text in ["", "[1", "[1,]", "{\"a\"}", "{a:1}", "1 2", "tru", "\"a", "[1 2]", "{,}"] {
            assert!(read(text, 9).is_err(), "{text}");
        }
        for value in [Value::Float(f64::NAN), Value::Map(vec![(1.into(), 2.into())])] {
            write(&value).expect_err("JSON cannot hold it");
        }
    }
}
