//! The standard library's [`Duration`] and [`SystemTime`] as spans and points in time.
//!
//! Their own `Serialize` writes a struct of seconds and nanoseconds, and serde passes on
//! no more than its name and its fields. So a struct of exactly that name and exactly
//! those fields, within their ranges, is taken for one of them. A type of the user's that
//! looks the same travels the same way, and is read back as what it was.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::error::{Error, Result};
use crate::common::value::Value;
use crate::common::value::fault::wrong_type;
use crate::common::value::time::{DateTime, SECOND, TimeDelta};

const DURATION: (&str, [&str; 2]) = ("Duration", ["secs", "nanos"]);
const SYSTEM_TIME: (&str, [&str; 2]) = ("SystemTime", ["secs_since_epoch", "nanos_since_epoch"]);

/// Turns the fields of a serialized [`Duration`] or [`SystemTime`] into a time span or a
/// point in time; `None` for any other struct, and for what is beyond their range.
pub(in crate::common::value) fn from_std_struct(
    name: &str,
    fields: &[(Value, Value)],
) -> Option<Value> {
    if name != DURATION.0 && name != SYSTEM_TIME.0 {
        return None;
    }
    let [(Value::Text(first), seconds), (Value::Text(second), Value::Int(nanoseconds))] = fields
    else {
        return None;
    };
    let seconds = match seconds {
        Value::Int(seconds) => u64::try_from(*seconds).ok()?,
        Value::BigInt(seconds) => u64::try_from(seconds.clone()).ok()?,
        _ => return None,
    };
    let nanoseconds = u32::try_from(*nanoseconds).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let duration = Duration::new(seconds, nanoseconds);
    match (name, [first.as_str(), second.as_str()]) {
        DURATION => TimeDelta::try_from(duration).ok().map(Value::TimeDelta),
        SYSTEM_TIME => DateTime::try_from(UNIX_EPOCH.checked_add(duration)?).ok().map(Value::from),
        _ => None,
    }
}

/// Turns a time span or a point in time into the fields that [`Duration`] or
/// [`SystemTime`] reads; `None` if it is neither of them that is asked for, or the value
/// is of another kind.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is negative, before 1970,
/// or not a point in time.
pub(in crate::common::value) fn into_std_struct(
    value: &Value,
    name: &str,
    fields: &[&str],
) -> Option<Result<Vec<(Value, Value)>>> {
    let duration = match value {
        Value::TimeDelta(delta) if (name, fields) == (DURATION.0, &DURATION.1) => {
            Duration::try_from(*delta)
        }
        Value::DateTime(moment) if (name, fields) == (SYSTEM_TIME.0, &SYSTEM_TIME.1) => {
            SystemTime::try_from(moment).and_then(since_epoch)
        }
        _ => return None,
    };
    Some(duration.map(|duration| {
        let values = [duration.as_secs().into(), duration.subsec_nanos().into()];
        fields.iter().map(|field| Value::from(*field)).zip(values).collect()
    }))
}

fn since_epoch(time: SystemTime) -> Result<Duration> {
    time.duration_since(UNIX_EPOCH)
        .map_err(|_| wrong_type("expected a `SystemTime` from 1970 on, found an earlier time"))
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is 1,000,000,000 days or
/// longer.
impl TryFrom<Duration> for TimeDelta {
    type Error = Error;

    fn try_from(duration: Duration) -> Result<Self> {
        let seconds = i128::from(duration.as_secs()) * SECOND;
        TimeDelta::from_nanoseconds(seconds + i128::from(duration.subsec_nanos()))
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is negative.
impl TryFrom<TimeDelta> for Duration {
    type Error = Error;

    fn try_from(delta: TimeDelta) -> Result<Self> {
        let negative = |_| wrong_type("expected a `Duration`, found a negative time span");
        let nanoseconds = u128::try_from(delta.total_nanoseconds()).map_err(negative)?;
        let seconds = u64::try_from(nanoseconds / 1_000_000_000)
            .expect("a thousand million days are fewer seconds");
        Ok(Duration::new(seconds, (nanoseconds % 1_000_000_000) as u32))
    }
}

/// The point in time, in UTC.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is not in the years 1 to
/// 9999.
impl TryFrom<SystemTime> for DateTime {
    type Error = Error;

    fn try_from(time: SystemTime) -> Result<Self> {
        let nanoseconds = |duration: Duration| {
            i128::from(duration.as_secs()) * SECOND + i128::from(duration.subsec_nanos())
        };
        DateTime::from_utc_nanoseconds(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => nanoseconds(after),
            Err(before) => -nanoseconds(before.duration()),
        })
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is not a point in time: it
/// has no zone, or a named one other than `UTC`, whose offset is not known here.
impl TryFrom<&DateTime> for SystemTime {
    type Error = Error;

    fn try_from(moment: &DateTime) -> Result<Self> {
        let nanoseconds = moment.utc_nanoseconds()?;
        let distance = TimeDelta::from_nanoseconds(nanoseconds.abs())?;
        let distance = Duration::try_from(distance)?;
        let time = match nanoseconds < 0 {
            true => UNIX_EPOCH.checked_sub(distance),
            false => UNIX_EPOCH.checked_add(distance),
        };
        time.ok_or_else(|| wrong_type(format!("`{moment}` is beyond the range of `SystemTime`")))
    }
}
