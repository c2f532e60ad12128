//! Times of a day.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::common::error::{Error, Result};
use crate::common::value::Value;
use crate::common::value::fault::{malformed, wrong_type};
use crate::common::value::special::{PlainForm, Special, TIME, plain_struct};
use crate::common::value::time::text::{TextReader, write_fraction};
use crate::common::value::time::{Zone, check_whole_microseconds};

/// A time of day, with or without a zone: Python's `datetime.time`.
///
/// As text it is `HH:MM:SS[.ffffff]`, followed by `+HH:MM` if its offset from UTC is
/// known, as ISO 8601 and Python's `isoformat` write it, or by `[Europe/Vienna]` if it is
/// in a zone of the time zone database, as RFC 9557 writes it. Reading also accepts
/// `HH:MM` alone, `Z` for UTC, and up to nine digits of a fraction. The fold, and the
/// name of a fixed zone, are not part of the text.
///
/// ```
/// use oad::value::{Time, Zone};
///
/// let time: Time = "06:30:00.25+01:00".parse()?;
/// assert_eq!((time.hour(), time.microsecond()), (6, 250_000));
/// assert_eq!(time.to_string(), "06:30:00.250000+01:00");
/// assert_eq!("06:30Z".parse::<Time>()?.zone(), Some(&Zone::UTC));
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    nanosecond: u32,
    fold: u8,
    zone: Option<Box<Zone>>,
}

/// What [`Time`] reads, for error messages.
pub(super) const FORMAT: &str = "HH:MM[:SS[.ffffff]][Z|+HH:MM|[zone]]";

impl Time {
    /// Creates a time of day without a zone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if there is no such time.
    /// Leap seconds do not exist here, as in Python.
    pub fn new(hour: u8, minute: u8, second: u8, microsecond: u32) -> Result<Self> {
        if hour > 23 || minute > 59 || second > 59 || microsecond > 999_999 {
            let time = format!("{hour:02}:{minute:02}:{second:02}.{microsecond:06}");
            return Err(wrong_type(format!("`{time}` is not a time of day")));
        }
        Ok(Time { hour, minute, second, microsecond, nanosecond: 0, fold: 0, zone: None })
    }

    /// Sets the nanoseconds beside the microseconds, from 0 to 999; 0 by default.
    ///
    /// A time with such nanoseconds cannot be sent to Python.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if there are more than 999.
    pub fn with_nanosecond(self, nanosecond: u32) -> Result<Self> {
        match nanosecond {
            0..=999 => Ok(Time { nanosecond, ..self }),
            _ => Err(wrong_type(format!("expected at most 999 ns, found {nanosecond}"))),
        }
    }

    /// Puts the same time in a zone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the zone is a day or more
    /// from UTC.
    pub fn in_zone(self, zone: Zone) -> Result<Self> {
        match zone.is_in_range() {
            true => Ok(Time { zone: Some(Box::new(zone)), ..self }),
            false => Err(wrong_type("the offset of a zone must be less than a day")),
        }
    }

    /// Sets the fold; 0 by default.
    ///
    /// Where the clock is set back, the same time comes twice. A fold of 0 means the
    /// first, a fold of 1 the second.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the fold is neither 0 nor
    /// 1.
    pub fn with_fold(self, fold: u8) -> Result<Self> {
        match fold {
            0 | 1 => Ok(Time { fold, ..self }),
            _ => Err(wrong_type(format!("the fold of a time must be 0 or 1, and is {fold}"))),
        }
    }

    /// Returns the hour, from 0 to 23.
    #[must_use]
    pub fn hour(&self) -> u8 {
        self.hour
    }

    /// Returns the minute, from 0 to 59.
    #[must_use]
    pub fn minute(&self) -> u8 {
        self.minute
    }

    /// Returns the second, from 0 to 59.
    #[must_use]
    pub fn second(&self) -> u8 {
        self.second
    }

    /// Returns the microsecond, from 0 to 999,999.
    #[must_use]
    pub fn microsecond(&self) -> u32 {
        self.microsecond
    }

    /// Returns the nanoseconds beside the microseconds, from 0 to 999.
    #[must_use]
    pub fn nanosecond(&self) -> u32 {
        self.nanosecond
    }

    /// Returns the microsecond, for Python.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if there are nanoseconds
    /// beside it.
    pub(crate) fn whole_microsecond(&self) -> Result<u32> {
        check_whole_microseconds(self.nanosecond).map(|()| self.microsecond)
    }

    /// Returns the fold: 1 for the second of two equal times, where the clock is set
    /// back; otherwise 0.
    #[must_use]
    pub fn fold(&self) -> u8 {
        self.fold
    }

    /// Returns the zone, if there is one.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_deref()
    }

    /// The nanoseconds since midnight.
    pub(super) fn nanoseconds_since_midnight(&self) -> i128 {
        let seconds =
            (i128::from(self.hour) * 60 + i128::from(self.minute)) * 60 + i128::from(self.second);
        (seconds * 1_000_000 + i128::from(self.microsecond)) * 1_000 + i128::from(self.nanosecond)
    }

    /// The time so many nanoseconds after midnight; they must be less than a day.
    pub(super) fn from_nanoseconds_since_midnight(nanoseconds: i128) -> Result<Self> {
        let out_of_range = |_| wrong_type("the time is not within a day");
        let part = |part: i128| u32::try_from(part).map_err(out_of_range);
        let small = |part: i128| u8::try_from(part).map_err(out_of_range);
        let seconds = nanoseconds.div_euclid(1_000_000_000);
        let (hour, minute) = (small(seconds / 3600)?, small(seconds / 60 % 60)?);
        let microsecond = part(nanoseconds.rem_euclid(1_000_000_000) / 1_000)?;
        Time::new(hour, minute, small(seconds % 60)?, microsecond)?
            .with_nanosecond(part(nanoseconds.rem_euclid(1_000))?)
    }
}

/// Writes `HH:MM:SS[.ffffff][+HH:MM]`, as described at [`Time`].
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        write_fraction(f, self.microsecond, self.nanosecond)?;
        match self.zone() {
            Some(zone @ Zone::Fixed { .. }) => write!(f, "{zone}"),
            Some(zone @ Zone::Named(_)) => write!(f, "[{zone}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({self})")
    }
}

/// Reads what is described at [`Time`].
impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut reader = TextReader::new(text);
        match reader.time().filter(|_| reader.is_empty()) {
            Some(time) => time,
            None => Err(malformed(text, "a time", FORMAT)),
        }
    }
}

#[derive(Deserialize)]
#[serde(remote = "Time")]
struct PlainTime {
    hour: u8,
    minute: u8,
    second: u8,
    #[serde(default)]
    microsecond: u32,
    #[serde(default)]
    nanosecond: u32,
    #[serde(default)]
    fold: u8,
    #[serde(default)]
    zone: Option<Box<Zone>>,
}

impl Time {
    /// The plain form.
    pub(in crate::common::value) fn plain_value(&self) -> Value {
        plain_struct([
            ("hour", self.hour.into()),
            ("minute", self.minute.into()),
            ("second", self.second.into()),
            ("microsecond", self.microsecond.into()),
            ("nanosecond", self.nanosecond.into()),
            ("fold", self.fold.into()),
            ("zone", self.zone().map(Zone::plain).into()),
        ])
    }
}

impl Special for Time {
    const NAME: &'static str = TIME;
    const WHAT: &'static str = "a time";

    fn plain(&self) -> PlainForm<'_> {
        PlainForm::Flat(self.plain_value())
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let plain = PlainTime::deserialize(deserializer)?;
        let Time { hour, minute, second, microsecond, nanosecond, fold, zone } = plain;
        let time = Time::new(hour, minute, second, microsecond)
            .and_then(|time| time.with_nanosecond(nanosecond))
            .and_then(|time| time.with_fold(fold));
        let time = match zone {
            Some(zone) => time.and_then(|time| time.in_zone(*zone)),
            None => time,
        };
        time.map_err(D::Error::custom)
    }
}
