//! The private names by which other crates pass through serde what it does not know.
//!
//! `serde_json` with its feature `arbitrary_precision`, which any crate of a program may
//! switch on for all of them, passes a number as a struct of one field of text, and its
//! `RawValue` in the same way. `toml` does so with its dates and times. None of these
//! names means anything in Python, so each is turned into the value that it stands for,
//! and back where that crate's types are read.

use crate::common::error::Result;
use crate::common::value::fault::Fault;
use crate::common::value::json;
use crate::common::value::{Date, DateTime, Time, Value, Zone};

const NUMBER: &str = "$serde_json::private::Number";
pub(super) const RAW_VALUE: &str = "$serde_json::private::RawValue";
/// The struct of a date or time, and its only field.
pub(super) const TOML: &str = "$__toml_private_Datetime";
const TOML_FIELD: &str = "$__toml_private_datetime";

/// Whether a struct of this name is a value of another crate.
pub(super) fn is_private_name(name: &str) -> bool {
    [NUMBER, RAW_VALUE, TOML].contains(&name)
}

/// The value, nested at most `levels` deep, that the entries of such a struct stand for;
/// the entries if they are none of a value of another crate.
pub(super) fn from_private_entries(
    entries: Vec<(Value, Value)>,
    levels: usize,
) -> Result<Result<Value, Fault>, Vec<(Value, Value)>> {
    let [(Value::Text(name), Value::Text(text))] = entries.as_slice() else { return Err(entries) };
    Ok(match name.as_str() {
        NUMBER => json::number(text)
            .ok_or_else(|| Fault::wrong_type("a number of `serde_json` is not written as one")),
        RAW_VALUE => json::read(text, levels),
        TOML_FIELD => date_or_time(text),
        _ => return Err(entries),
    })
}

fn date_or_time(text: &str) -> Result<Value, Fault> {
    Ok(match (text.contains('-') && !text.starts_with('-'), text.contains(':')) {
        (true, true) => text.parse::<DateTime>()?.into(),
        (true, false) => text.parse::<Date>()?.into(),
        _ => text.parse::<Time>()?.into(),
    })
}

/// The entries that `toml`'s date or time reads from a value; `None` if the struct that
/// is asked for is another.
pub(super) fn into_private_struct(value: &Value, name: &str) -> Option<Vec<(Value, Value)>> {
    if name != TOML {
        return None;
    }
    let text = match value {
        Value::Text(text) => text.clone(),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
        // It writes UTC as `Z`.
        Value::DateTime(moment) if moment.time().zone() == Some(&Zone::UTC) => {
            moment.to_string().replace("+00:00", "Z")
        }
        Value::DateTime(moment) => moment.to_string(),
        _ => return None,
    };
    Some(vec![(TOML_FIELD.into(), text.into())])
}

/// Whether a type is one of `toml`'s, which asks for any value and knows the struct of a
/// date or time. Other types that ask for any value do not, and nothing but the type's
/// name tells them apart. A name that is not recognized only means that the date or time
/// is refused.
pub(super) fn is_of_toml<T>() -> bool {
    std::any::type_name::<T>().starts_with("toml::")
}

/// The entries that `serde_json`'s `RawValue` reads from a value.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if JSON cannot hold it.
pub(super) fn raw_value_entries(value: &Value) -> Result<Vec<(Value, Value)>, Fault> {
    Ok(vec![(RAW_VALUE.into(), json::write(value)?.into())])
}
