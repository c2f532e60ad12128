//! Dates, times and spans of time, as Python's `datetime` has them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::special::{DATE, DATE_TIME, Special, TIME, TIME_DELTA};

/// A day of the Gregorian calendar, from the year 1 to the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A time of day to the microsecond, with or without a zone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    fold: u8,
    zone: Option<Box<Zone>>,
}

/// A day and a time of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DateTime {
    date: Date,
    time: Time,
}

/// The zone of a time.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Zone {
    /// Always so far from UTC: Python's `datetime.timezone`.
    Fixed {
        /// How far east of UTC, in microseconds; less than a day either way.
        microseconds: i64,
        /// Its name, if it has one of its own.
        name: Option<String>,
    },
    /// A zone of the time zone database, such as `Europe/Vienna`: Python's
    /// `zoneinfo.ZoneInfo`.
    Named(String),
}

/// A span of time to the microsecond, either way: Python's `datetime.timedelta`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeDelta {
    days: i32,
    seconds: u32,
    microseconds: u32,
}

const SECOND: i128 = 1_000_000;
const DAY: i128 = 86_400 * SECOND;

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::WrongType, what)
}

// === impl Date ===

impl Date {
    /// A day; months and days count from 1.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if the calendar has no such day between the years 1 and
    /// 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self> {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        if !(1..=9999).contains(&year) || !(1..=days).contains(&day) {
            return Err(wrong(format!("there is no day {year:04}-{month:02}-{day:02}")));
        }
        Ok(Date { year, month, day })
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }
}

// === impl Time ===

impl Time {
    /// A time of day without a zone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if there is no such time; leap seconds are none.
    pub fn new(hour: u8, minute: u8, second: u8, microsecond: u32) -> Result<Self> {
        if hour > 23 || minute > 59 || second > 59 || microsecond > 999_999 {
            return Err(wrong(format!(
                "there is no time {hour:02}:{minute:02}:{second:02}.{microsecond:06}"
            )));
        }
        Ok(Time { hour, minute, second, microsecond, fold: 0, zone: None })
    }

    /// The same time in a zone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if the zone is a day or more from UTC.
    pub fn in_zone(self, zone: Zone) -> Result<Self> {
        match zone {
            Zone::Fixed { microseconds, .. } if i128::from(microseconds).abs() >= DAY => {
                Err(wrong("a zone is less than a day from UTC"))
            }
            zone => Ok(Time { zone: Some(Box::new(zone)), ..self }),
        }
    }

    /// With a fold of 1 the second of two equal times, where the clock is set back; with
    /// 0, which it is from the start, the first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if it is neither.
    pub fn with_fold(self, fold: u8) -> Result<Self> {
        match fold {
            0 | 1 => Ok(Time { fold, ..self }),
            _ => Err(wrong("the fold of a time is 0 or 1")),
        }
    }

    /// The hour, from 0 to 23.
    #[must_use]
    pub fn hour(&self) -> u8 {
        self.hour
    }

    /// The minute, from 0 to 59.
    #[must_use]
    pub fn minute(&self) -> u8 {
        self.minute
    }

    /// The second, from 0 to 59.
    #[must_use]
    pub fn second(&self) -> u8 {
        self.second
    }

    /// The microsecond, from 0 to 999,999.
    #[must_use]
    pub fn microsecond(&self) -> u32 {
        self.microsecond
    }

    /// 1 if it is the second of two equal times, where the clock is set back; else 0.
    #[must_use]
    pub fn fold(&self) -> u8 {
        self.fold
    }

    /// The zone, if it has one.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_deref()
    }
}

// === impl DateTime ===

impl DateTime {
    /// A day and a time of it.
    #[must_use]
    pub fn new(date: Date, time: Time) -> Self {
        DateTime { date, time }
    }

    /// The day.
    #[must_use]
    pub fn date(&self) -> Date {
        self.date
    }

    /// The time of the day.
    #[must_use]
    pub fn time(&self) -> &Time {
        &self.time
    }
}

// === impl TimeDelta ===

impl TimeDelta {
    /// The sum of the three, none of which needs to be in any bounds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if the sum is 1,000,000,000 days or more either way,
    /// which is more than Python's can be.
    pub fn new(days: i64, seconds: i64, microseconds: i64) -> Result<Self> {
        let sum = i128::from(days) * DAY + i128::from(seconds) * SECOND + i128::from(microseconds);
        let of_day = sum.rem_euclid(DAY);
        match i32::try_from(sum.div_euclid(DAY)) {
            Ok(days @ -999_999_999..=999_999_999) => Ok(TimeDelta {
                days,
                seconds: u32::try_from(of_day / SECOND).expect("a day has fewer seconds"),
                microseconds: u32::try_from(of_day % SECOND)
                    .expect("a second has fewer microseconds"),
            }),
            _ => Err(wrong("a span of time of a thousand million days or more")),
        }
    }

    /// The whole days, towards the past: one microsecond back is -1 day and the rest of
    /// it forward.
    #[must_use]
    pub fn days(self) -> i32 {
        self.days
    }

    /// The seconds besides the days, from 0 to 86,399.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// The microseconds besides the seconds, from 0 to 999,999.
    #[must_use]
    pub fn microseconds(self) -> u32 {
        self.microseconds
    }
}

// === impl Debug: none tells the contents ===

macro_rules! named {
    ($($type:ident),*) => {
        $(impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($type))
            }
        })*
    };
}

named!(Date, Time, DateTime, TimeDelta, Zone);

// === impl Special ===

#[derive(Serialize, Deserialize)]
#[serde(remote = "Date")]
struct PlainDate {
    year: u16,
    month: u8,
    day: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Time")]
struct PlainTime {
    hour: u8,
    minute: u8,
    second: u8,
    #[serde(default)]
    microsecond: u32,
    #[serde(default)]
    fold: u8,
    #[serde(default)]
    zone: Option<Box<Zone>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DateTime")]
struct PlainDateTime {
    date: Date,
    time: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "TimeDelta")]
struct PlainTimeDelta {
    days: i32,
    seconds: u32,
    microseconds: u32,
}

impl Date {
    fn checked(self) -> Result<Self> {
        Date::new(self.year, self.month, self.day)
    }
}

impl Time {
    fn checked(self) -> Result<Self> {
        let time = Time::new(self.hour, self.minute, self.second, self.microsecond)?
            .with_fold(self.fold)?;
        match self.zone {
            Some(zone) => time.in_zone(*zone),
            None => Ok(time),
        }
    }
}

impl DateTime {
    fn checked(self) -> Result<Self> {
        Ok(self)
    }
}

impl TimeDelta {
    fn checked(self) -> Result<Self> {
        TimeDelta::new(self.days.into(), self.seconds.into(), self.microseconds.into())
    }
}

macro_rules! special {
    ($($type:ident $plain:ident $name:ident $what:literal),*) => {
        $(impl Special for $type {
            const NAME: &'static str = $name;
            const WHAT: &'static str = $what;

            fn write_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $plain::serialize(self, serializer)
            }

            fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $plain::deserialize(deserializer)?.checked().map_err(D::Error::custom)
            }
        })*
    };
}

special!(
    Date PlainDate DATE "a date",
    Time PlainTime TIME "a time",
    DateTime PlainDateTime DATE_TIME "a date and time",
    TimeDelta PlainTimeDelta TIME_DELTA "a span of time"
);
