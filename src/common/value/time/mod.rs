//! Dates, times and time spans, as Python's `datetime` has them, to the nanosecond.
//!
//! The nanoseconds below a microsecond exist for Rust's types, such as
//! [`Duration`](std::time::Duration). Python has nothing that could hold them, so a value
//! with such nanoseconds travels between Rust objects, and is an error where it is sent
//! to Python.

mod date;
mod date_time;
mod std_types;
mod text;
mod time_delta;
mod time_of_day;
mod zone;

pub use date::Date;
pub use date_time::DateTime;
pub(super) use std_types::{from_std_struct, into_std_struct};
pub use time_delta::TimeDelta;
pub use time_of_day::Time;
pub use zone::Zone;

use crate::common::error::Result;
use crate::common::value::fault::wrong_type;

const MICROSECOND: i128 = 1_000;
const SECOND: i128 = 1_000_000 * MICROSECOND;
const DAY: i128 = 86_400 * SECOND;

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if there are nanoseconds, for
/// which Python has no place.
fn check_whole_microseconds(nanoseconds: u32) -> Result<()> {
    match nanoseconds {
        0 => Ok(()),
        more => Err(wrong_type(format!(
            "Python's times hold whole microseconds, and this one has {more} ns more"
        ))
        .advise("round it to microseconds")),
    }
}

#[cfg(test)]
mod tests;
