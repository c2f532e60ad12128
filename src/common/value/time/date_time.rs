//! Days with a time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::error::{Error, Result};
use crate::common::value::fault::{malformed, wrong_type};
use crate::common::value::special::{DATE_TIME, Special};
use crate::common::value::time::text::TextReader;
use crate::common::value::time::{DAY, Date, MICROSECOND, Time, Zone, time_of_day};

/// A day and a time of it: Python's `datetime.datetime`.
///
/// As text it is the date, `T` and the time, as ISO 8601 and Python's `isoformat` write
/// it; see [`Date`] and [`Time`]. Reading accepts a space instead of the `T`.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use oad::value::DateTime;
///
/// let moment: DateTime = "2024-02-29 12:00:00+00:00".parse()?;
/// assert_eq!(moment.to_string(), "2024-02-29T12:00:00+00:00");
/// assert_eq!(DateTime::try_from(UNIX_EPOCH + Duration::from_secs(1_709_208_000))?, moment);
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DateTime {
    date: Date,
    time: Time,
}

impl DateTime {
    /// Creates a date and time.
    #[must_use]
    pub fn new(date: Date, time: Time) -> Self {
        DateTime { date, time }
    }

    /// Returns the day.
    #[must_use]
    pub fn date(&self) -> Date {
        self.date
    }

    /// Returns the time of the day.
    #[must_use]
    pub fn time(&self) -> &Time {
        &self.time
    }

    /// Counts the nanoseconds since 1970-01-01T00:00:00 in its own zone.
    pub(super) fn local_nanoseconds(&self) -> i128 {
        i128::from(self.date.days_since_epoch()) * DAY + self.time.nanoseconds_since_midnight()
    }

    /// Counts the nanoseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if its offset from UTC is
    /// not known.
    pub(in crate::common::value) fn utc_nanoseconds(&self) -> Result<i128> {
        let zone = self.time.zone().ok_or_else(|| {
            wrong_type("expected a point in time, found a date and time without a zone")
                .advise("put it in a zone: in Python, `.astimezone()`")
        })?;
        let offset = zone.offset().ok_or_else(|| {
            wrong_type(format!("the offset of the zone `{zone}` from UTC is not known here"))
                .advise("convert it to UTC: in Python, `.astimezone(datetime.timezone.utc)`")
        })?;
        Ok(self.local_nanoseconds() - i128::from(offset) * MICROSECOND)
    }

    /// The date and time, without a zone, so many nanoseconds after 1970-01-01T00:00:00.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is not in the years 1
    /// to 9999.
    pub(super) fn from_local_nanoseconds(nanoseconds: i128) -> Result<Self> {
        let days = i64::try_from(nanoseconds.div_euclid(DAY)).unwrap_or(i64::MAX);
        let date = Date::from_days_since_epoch(days)?;
        let time = Time::from_nanoseconds_since_midnight(nanoseconds.rem_euclid(DAY))?;
        Ok(DateTime { date, time })
    }

    /// The date and time in UTC so many nanoseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// The same.
    pub(in crate::common::value) fn from_utc_nanoseconds(nanoseconds: i128) -> Result<Self> {
        let DateTime { date, time } = DateTime::from_local_nanoseconds(nanoseconds)?;
        Ok(DateTime { date, time: time.in_zone(Zone::UTC)? })
    }
}

/// Writes the date, `T` and the time.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.date, self.time)
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DateTime({self})")
    }
}

/// Reads the date, `T` or a space, and the time.
impl FromStr for DateTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut reader = TextReader::new(text);
        let date = reader.date();
        let time = date.filter(|_| reader.eat("T") || reader.eat(" ")).and_then(|_| reader.time());
        match (date, time) {
            (Some((year, month, day)), Some(time)) if reader.is_empty() => {
                Ok(DateTime { date: Date::new(year, month, day)?, time: time? })
            }
            _ => {
                let format = format!("YYYY-MM-DDT{}", time_of_day::FORMAT);
                Err(malformed(text, "a date and time", &format))
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DateTime")]
struct PlainDateTime {
    date: Date,
    time: Time,
}

impl Special for DateTime {
    const NAME: &'static str = DATE_TIME;
    const WHAT: &'static str = "a date and time";

    fn write_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PlainDateTime::serialize(self, serializer)
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PlainDateTime::deserialize(deserializer)
    }
}
