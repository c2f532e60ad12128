//! Days of the calendar.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::common::error::{Error, Result};
use crate::common::value::Value;
use crate::common::value::fault::{malformed, wrong_type};
use crate::common::value::special::{DATE, PlainForm, Special, plain_struct};
use crate::common::value::time::text::TextReader;

/// A day of the Gregorian calendar, from the year 1 to the year 9999: Python's
/// `datetime.date`.
///
/// As text it is `YYYY-MM-DD`, as ISO 8601 and Python's `isoformat` write it.
///
/// ```
/// use oad::value::Date;
///
/// let day: Date = "2024-02-29".parse()?;
/// assert_eq!((day.year(), day.month(), day.day()), (2024, 2, 29));
/// assert_eq!(day.to_string(), "2024-02-29");
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// Creates a date; months and days count from 1.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the calendar has no such
    /// day between the years 1 and 9999.
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
            let date = format!("{year:04}-{month:02}-{day:02}");
            return Err(wrong_type(format!("`{date}` is not a day of the years 1 to 9999")));
        }
        Ok(Date { year, month, day })
    }

    /// Returns the year.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// Returns the month, from 1.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// Returns the day of the month, from 1.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }

    /// Counts the days since 1970-01-01; negative before it.
    pub(super) fn days_since_epoch(self) -> i64 {
        // The year starts in March here, so that a leap day is the last of its year.
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leap_days + day_of_year - DAYS_TO_EPOCH
    }

    /// Returns the day so many days after 1970-01-01.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is not in the years 1
    /// to 9999.
    pub(super) fn from_days_since_epoch(days: i64) -> Result<Self> {
        let out_of_range = || wrong_type("the day is not in the years 1 to 9999");
        let days = days.checked_add(DAYS_TO_EPOCH).ok_or_else(out_of_range)?;
        let (era, day_of_era) = (days.div_euclid(DAYS_IN_ERA), days.rem_euclid(DAYS_IN_ERA));
        let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let year = u16::try_from(year).map_err(|_| out_of_range())?;
        let [month, day] =
            [month, day].map(|part| u8::try_from(part).expect("a month and a day are small"));
        Date::new(year, month, day).map_err(|_| out_of_range())
    }
}

/// The days from 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;
/// The days in 400 years, after which the calendar repeats.
const DAYS_IN_ERA: i64 = 146_097;

/// Writes `YYYY-MM-DD`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Date({self})")
    }
}

/// Reads `YYYY-MM-DD`.
impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut reader = TextReader::new(text);
        match reader.date().filter(|_| reader.is_empty()) {
            Some((year, month, day)) => Date::new(year, month, day),
            None => Err(malformed(text, "a date", "YYYY-MM-DD")),
        }
    }
}

#[derive(Deserialize)]
#[serde(remote = "Date")]
struct PlainDate {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The plain form.
    pub(in crate::common::value) fn plain_value(&self) -> Value {
        let Date { year, month, day } = *self;
        plain_struct([("year", year.into()), ("month", month.into()), ("day", day.into())])
    }
}

impl Special for Date {
    const NAME: &'static str = DATE;
    const WHAT: &'static str = "a date";

    fn plain(&self) -> PlainForm<'_> {
        PlainForm::Flat(self.plain_value())
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Date { year, month, day } = PlainDate::deserialize(deserializer)?;
        Date::new(year, month, day).map_err(D::Error::custom)
    }
}
