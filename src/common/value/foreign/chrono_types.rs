//! The dates, times and spans of `chrono`.
//!
//! A [`DateTime`] of chrono is a point in time, and so has a zone here; a zone of the
//! time zone database is not read, because chrono does not know them. Leap seconds are
//! refused.

use chrono::{
    DateTime as ChronoDateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime,
    TimeDelta as ChronoDelta, Timelike as _, Utc,
};

use crate::common::error::{Error, Result};
use crate::common::value::fault::wrong_type;
use crate::common::value::foreign::as_value_by_try_from;
use crate::common::value::{Date, DateTime, Time, TimeDelta, Zone};

as_value_by_try_from! {
    NaiveDate => Date,
    NaiveTime => Time,
    NaiveDateTime => DateTime,
    ChronoDateTime<Utc> => DateTime,
    ChronoDateTime<FixedOffset> => DateTime,
    ChronoDelta => TimeDelta,
}

const NANOSECONDS: i128 = 1_000_000_000;

fn out_of_range(what: &str) -> Error {
    wrong_type(format!("{what} is beyond the range of `chrono`"))
}

impl TryFrom<NaiveDate> for Date {
    type Error = Error;

    fn try_from(date: NaiveDate) -> Result<Self> {
        let year = u16::try_from(date.year())
            .map_err(|_| wrong_type(format!("`{date}` is not a day of the years 1 to 9999")))?;
        Date::new(year, date.month() as u8, date.day() as u8)
    }
}

impl TryFrom<Date> for NaiveDate {
    type Error = Error;

    fn try_from(date: Date) -> Result<Self> {
        NaiveDate::from_ymd_opt(date.year().into(), date.month().into(), date.day().into())
            .ok_or_else(|| out_of_range("the date"))
    }
}

impl TryFrom<NaiveTime> for Time {
    type Error = Error;

    fn try_from(time: NaiveTime) -> Result<Self> {
        let nanosecond = time.nanosecond();
        if nanosecond >= 1_000_000_000 {
            return Err(wrong_type(format!("`{time}` is a leap second")));
        }
        Time::new(time.hour() as u8, time.minute() as u8, time.second() as u8, nanosecond / 1_000)?
            .with_nanosecond(nanosecond % 1_000)
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has a zone.
impl TryFrom<Time> for NaiveTime {
    type Error = Error;

    fn try_from(time: Time) -> Result<Self> {
        if let Some(zone) = time.zone() {
            return Err(wrong_type(format!(
                "expected a time without a zone, found one in `{zone}`"
            )));
        }
        let nanosecond = time.microsecond() * 1_000 + time.nanosecond();
        let [hour, minute, second] = [time.hour(), time.minute(), time.second()].map(u32::from);
        NaiveTime::from_hms_nano_opt(hour, minute, second, nanosecond)
            .ok_or_else(|| out_of_range("the time"))
    }
}

impl TryFrom<NaiveDateTime> for DateTime {
    type Error = Error;

    fn try_from(moment: NaiveDateTime) -> Result<Self> {
        Ok(DateTime::new(moment.date().try_into()?, moment.time().try_into()?))
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has a zone.
impl TryFrom<DateTime> for NaiveDateTime {
    type Error = Error;

    fn try_from(moment: DateTime) -> Result<Self> {
        Ok(NaiveDateTime::new(moment.date().try_into()?, moment.time().clone().try_into()?))
    }
}

impl TryFrom<ChronoDateTime<Utc>> for DateTime {
    type Error = Error;

    fn try_from(moment: ChronoDateTime<Utc>) -> Result<Self> {
        in_zone(moment.naive_utc(), Zone::UTC)
    }
}

impl TryFrom<ChronoDateTime<FixedOffset>> for DateTime {
    type Error = Error;

    fn try_from(moment: ChronoDateTime<FixedOffset>) -> Result<Self> {
        let microseconds = i64::from(moment.offset().local_minus_utc()) * 1_000_000;
        in_zone(moment.naive_local(), Zone::Fixed { microseconds, name: None })
    }
}

fn in_zone(moment: NaiveDateTime, zone: Zone) -> Result<DateTime> {
    Ok(DateTime::new(moment.date().try_into()?, Time::try_from(moment.time())?.in_zone(zone)?))
}

/// The same point in time, whatever the offset.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has no zone, or one of the
/// time zone database.
impl TryFrom<DateTime> for ChronoDateTime<Utc> {
    type Error = Error;

    fn try_from(moment: DateTime) -> Result<Self> {
        let nanoseconds = moment.utc_nanoseconds()?;
        let seconds = i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).ok();
        let nanosecond = nanoseconds.rem_euclid(NANOSECONDS) as u32;
        seconds
            .and_then(|seconds| ChronoDateTime::from_timestamp(seconds, nanosecond))
            .ok_or_else(|| out_of_range("the point in time"))
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has no zone, one of the
/// time zone database, or an offset that is not in whole seconds.
impl TryFrom<DateTime> for ChronoDateTime<FixedOffset> {
    type Error = Error;

    fn try_from(moment: DateTime) -> Result<Self> {
        let offset =
            moment.time().zone().and_then(Zone::offset_seconds).and_then(FixedOffset::east_opt);
        let utc = ChronoDateTime::<Utc>::try_from(moment)?;
        let offset =
            offset.ok_or_else(|| wrong_type("expected an offset from UTC in whole seconds"))?;
        Ok(utc.with_timezone(&offset))
    }
}

impl TryFrom<ChronoDelta> for TimeDelta {
    type Error = Error;

    fn try_from(delta: ChronoDelta) -> Result<Self> {
        let seconds = i128::from(delta.num_seconds()) * NANOSECONDS;
        TimeDelta::from_nanoseconds(seconds + i128::from(delta.subsec_nanos()))
    }
}

impl TryFrom<TimeDelta> for ChronoDelta {
    type Error = Error;

    fn try_from(delta: TimeDelta) -> Result<Self> {
        let nanoseconds = delta.total_nanoseconds();
        let seconds = i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).ok();
        let nanosecond = nanoseconds.rem_euclid(NANOSECONDS) as u32;
        seconds
            .and_then(|seconds| ChronoDelta::new(seconds, nanosecond))
            .ok_or_else(|| out_of_range("the time span"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::foreign::survives;

    #[track_caller]
    fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().expect("it can be read")
    }

    #[test]
    fn chrono_types_survive() {
        for text in ["0001-01-01", "9999-12-31", "2024-02-29"] {
            survives::<NaiveDate>(parsed(text), parsed(text));
        }
        for text in ["00:00:00", "23:59:59.999999999"] {
            survives::<NaiveTime>(parsed(text), parsed(text));
            let moment = format!("1969-12-31T{text}");
            survives::<NaiveDateTime>(parsed(&moment), parsed(&moment));
            let utc = format!("{moment}+00:00");
            survives::<ChronoDateTime<Utc>>(parsed(&utc), parsed(&utc));
            let west = format!("{moment}-01:30");
            survives::<ChronoDateTime<FixedOffset>>(parsed(&west), parsed(&west));
        }
        for nanoseconds in [0, -1, 1_500_000_000, -86_400_000_000_001] {
            let delta = TimeDelta::from_nanoseconds(nanoseconds.into()).expect("it is short");
            survives(ChronoDelta::nanoseconds(nanoseconds), delta);
        }
        let east: DateTime = parsed("2024-02-29T01:00:00+02:00");
        let utc = ChronoDateTime::<Utc>::try_from(east).expect("it is a point in time");
        assert_eq!(utc, parsed::<ChronoDateTime<Utc>>("2024-02-28T23:00:00Z"));
    }

    #[test]
    fn values_that_would_change_are_refused() {
        Date::try_from(NaiveDate::MIN).expect_err("it is long ago");
        let leap = NaiveTime::from_hms_nano_opt(23, 59, 59, 1_500_000_000).expect("it is one");
        Time::try_from(leap).expect_err("it is a leap second");
        NaiveTime::try_from(parsed::<Time>("12:00Z")).expect_err("it has a zone");
        for text in ["2024-02-29T12:00", "2024-02-29T12:00[Europe/Vienna]"] {
            ChronoDateTime::<Utc>::try_from(parsed::<DateTime>(text)).expect_err(text);
        }
        let odd = parsed::<DateTime>("2024-02-29T12:00+01:00:00.5");
        ChronoDateTime::<FixedOffset>::try_from(odd).expect_err("half a second");
    }
}
