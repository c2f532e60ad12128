//! Time spans.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::common::error::{Error, Result};
use crate::common::value::Value;
use crate::common::value::fault::{malformed, wrong_type};
use crate::common::value::special::{PlainForm, Special, TIME_DELTA, plain_struct};
use crate::common::value::time::text::{TextReader, write_fraction};
use crate::common::value::time::{DAY, MICROSECOND, SECOND, check_whole_microseconds};

/// A time span, positive or negative: Python's `datetime.timedelta`.
///
/// As text it is `[D days, ]H:MM:SS[.ffffff]`, as Python's `str` writes it. Reading
/// accepts that form, and ISO 8601's `P[nW][nD]T[nH][nM][n.nS]`, with an optional sign
/// before the `P`.
///
/// ```
/// use std::time::Duration;
/// use oad::value::TimeDelta;
///
/// let span: TimeDelta = "1 day, 0:00:01.500000".parse()?;
/// assert_eq!(span, "P1DT1.5S".parse()?);
/// assert_eq!(Duration::try_from(span)?, Duration::from_millis(86_401_500));
/// assert_eq!(TimeDelta::new(0, 0, -1)?.to_string(), "-1 day, 23:59:59.999999");
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeDelta {
    days: i32,
    seconds: u32,
    microseconds: u32,
    nanoseconds: u32,
}

impl TimeDelta {
    /// Creates a time span that is the sum of the three, each of which may be any number.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the sum is not within
    /// 999,999,999 days either way, as in Python.
    pub fn new(days: i64, seconds: i64, microseconds: i64) -> Result<Self> {
        let [days, seconds, microseconds] = [days, seconds, microseconds].map(i128::from);
        TimeDelta::from_nanoseconds(days * DAY + seconds * SECOND + microseconds * MICROSECOND)
    }

    /// Creates a time span of so many nanoseconds.
    ///
    /// A span that is not a whole number of microseconds cannot be sent to Python.
    ///
    /// # Errors
    ///
    /// As for [`new`](TimeDelta::new).
    pub fn from_nanoseconds(nanoseconds: i128) -> Result<Self> {
        let of_day = nanoseconds.rem_euclid(DAY);
        let part = |part: i128| u32::try_from(part).expect("a part of a day fits 32 bits");
        match i32::try_from(nanoseconds.div_euclid(DAY)) {
            Ok(days @ -999_999_999..=999_999_999) => Ok(TimeDelta {
                days,
                seconds: part(of_day / SECOND),
                microseconds: part(of_day % SECOND / MICROSECOND),
                nanoseconds: part(of_day % MICROSECOND),
            }),
            _ => Err(wrong_type("a time span must be less than 1,000,000,000 days")),
        }
    }

    /// Returns the whole days, rounded towards the past: one microsecond back is -1 day
    /// and the rest of it forward.
    #[must_use]
    pub fn days(self) -> i32 {
        self.days
    }

    /// Returns the seconds beside the days, from 0 to 86,399.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// Returns the microseconds beside the seconds, from 0 to 999,999.
    #[must_use]
    pub fn microseconds(self) -> u32 {
        self.microseconds
    }

    /// Returns the nanoseconds beside the microseconds, from 0 to 999.
    #[must_use]
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Returns the microseconds beside the seconds, for Python.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if there are nanoseconds
    /// beside them.
    pub(crate) fn whole_microseconds(self) -> Result<u32> {
        check_whole_microseconds(self.nanoseconds).map(|()| self.microseconds)
    }

    /// Returns the whole span in nanoseconds.
    #[must_use]
    pub fn total_nanoseconds(self) -> i128 {
        i128::from(self.days) * DAY
            + i128::from(self.seconds) * SECOND
            + i128::from(self.microseconds) * MICROSECOND
            + i128::from(self.nanoseconds)
    }
}

/// Writes `[D days, ]H:MM:SS[.ffffff]`, as Python's `str` does.
impl fmt::Display for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.days {
            0 => {}
            1 | -1 => write!(f, "{} day, ", self.days)?,
            days => write!(f, "{days} days, ")?,
        }
        let seconds = self.seconds;
        write!(f, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        write_fraction(f, self.microseconds, self.nanoseconds)
    }
}

impl fmt::Debug for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeDelta({self})")
    }
}

/// Reads what is described at [`TimeDelta`].
impl FromStr for TimeDelta {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match python_form(text).or_else(|| iso_form(text)) {
            Some(nanoseconds) => TimeDelta::from_nanoseconds(nanoseconds),
            None => {
                Err(malformed(text, "a time span", "[D days, ]H:MM:SS[.ffffff]` or `PnDTnHnMnS"))
            }
        }
    }
}

/// The nanoseconds of `[D day[s], ]H:MM:SS[.ffffff]`.
fn python_form(text: &str) -> Option<i128> {
    let (days, clock) = match text.split_once(" day") {
        Some((days, clock)) => {
            let clock = clock.strip_prefix("s, ").or_else(|| clock.strip_prefix(", "))?;
            (days.parse::<i64>().ok()?, clock)
        }
        None => (0, text),
    };
    let mut reader = TextReader::new(clock);
    let hours = reader.number()?;
    let minutes = reader.eat(":").then(|| reader.digits(2)).flatten()?;
    let seconds = reader.eat(":").then(|| reader.digits(2)).flatten()?;
    let fraction = reader.fraction()?;
    if !reader.is_empty() || minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = i128::from(hours) * 3600 + i128::from(minutes * 60 + seconds);
    Some(i128::from(days) * DAY + seconds * SECOND + i128::from(fraction))
}

/// The nanoseconds of `[±]P[nW][nD][T[nH][nM][n[.f]S]]`.
fn iso_form(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut reader = TextReader::new(text.strip_prefix('P')?);
    let (mut sum, mut in_clock) = (0i128, false);
    let mut units: &[(&str, i128)] = &DATE_UNITS;
    while !reader.is_empty() {
        if !in_clock && reader.eat("T") {
            (units, in_clock) = (&CLOCK_UNITS, true);
            // A `T` stands before at least one part.
        }
        let (count, fraction) = (reader.number()?, reader.fraction()?);
        let index = units.iter().position(|(name, _)| reader.eat(name))?;
        let (name, unit) = units[index];
        if fraction != 0 && name != "S" {
            return None;
        }
        units = &units[index + 1..];
        sum = sum.checked_add(i128::from(count) * unit + i128::from(fraction))?;
    }
    (text != "P").then_some(sign * sum)
}

const DATE_UNITS: [(&str, i128); 2] = [("W", 7 * DAY), ("D", DAY)];
const CLOCK_UNITS: [(&str, i128); 3] = [("H", 3600 * SECOND), ("M", 60 * SECOND), ("S", SECOND)];

#[derive(Deserialize)]
#[serde(remote = "TimeDelta")]
struct PlainTimeDelta {
    days: i32,
    seconds: u32,
    microseconds: u32,
    #[serde(default)]
    nanoseconds: u32,
}

impl TimeDelta {
    /// The plain form.
    pub(in crate::common::value) fn plain_value(&self) -> Value {
        plain_struct([
            ("days", self.days.into()),
            ("seconds", self.seconds.into()),
            ("microseconds", self.microseconds.into()),
            ("nanoseconds", self.nanoseconds.into()),
        ])
    }
}

impl Special for TimeDelta {
    const NAME: &'static str = TIME_DELTA;
    const WHAT: &'static str = "a time span";

    fn plain(&self) -> PlainForm<'_> {
        PlainForm::Flat(self.plain_value())
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanoseconds = PlainTimeDelta::deserialize(deserializer)?.total_nanoseconds();
        TimeDelta::from_nanoseconds(nanoseconds).map_err(D::Error::custom)
    }
}
