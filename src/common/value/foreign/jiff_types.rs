//! The dates, times and spans of `jiff`.
//!
//! A time zone travels by its name, if it has one, and otherwise as a fixed offset. A
//! date and time that does not exist in its zone, because the clock is set forward there,
//! is refused; where the clock is set back, the fold says which of the two is meant.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use crate::common::error::{Error, Result};
use crate::common::value::fault::wrong_type;
use crate::common::value::foreign::as_value_by_try_from;
use crate::common::value::{Date, DateTime, Time, TimeDelta, Zone};

as_value_by_try_from! {
    civil::Date => Date,
    civil::Time => Time,
    civil::DateTime => DateTime,
    Timestamp => DateTime,
    ZonedDateTime => DateTime,
    SignedDuration => TimeDelta,
}

fn refused(error: jiff::Error) -> Error {
    wrong_type("the value is beyond the range of `jiff`").because(error)
}

impl TryFrom<civil::Date> for Date {
    type Error = Error;

    fn try_from(date: civil::Date) -> Result<Self> {
        let year = u16::try_from(date.year())
            .map_err(|_| wrong_type(format!("`{date}` is not a day of the years 1 to 9999")))?;
        Date::new(year, date.month() as u8, date.day() as u8)
    }
}

impl TryFrom<Date> for civil::Date {
    type Error = Error;

    fn try_from(date: Date) -> Result<Self> {
        civil::Date::new(date.year() as i16, date.month() as i8, date.day() as i8).map_err(refused)
    }
}

impl TryFrom<civil::Time> for Time {
    type Error = Error;

    fn try_from(time: civil::Time) -> Result<Self> {
        let nanosecond = time.subsec_nanosecond() as u32;
        Time::new(time.hour() as u8, time.minute() as u8, time.second() as u8, nanosecond / 1_000)?
            .with_nanosecond(nanosecond % 1_000)
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has a zone.
impl TryFrom<Time> for civil::Time {
    type Error = Error;

    fn try_from(time: Time) -> Result<Self> {
        match time.zone() {
            None => civil_time(&time),
            Some(zone) => {
                Err(wrong_type(format!("expected a time without a zone, found one in `{zone}`")))
            }
        }
    }
}

/// The time without its zone.
fn civil_time(time: &Time) -> Result<civil::Time> {
    let nanosecond = time.microsecond() * 1_000 + time.nanosecond();
    let [hour, minute, second] = [time.hour(), time.minute(), time.second()].map(|part| part as i8);
    civil::Time::new(hour, minute, second, nanosecond as i32).map_err(refused)
}

impl TryFrom<civil::DateTime> for DateTime {
    type Error = Error;

    fn try_from(moment: civil::DateTime) -> Result<Self> {
        Ok(DateTime::new(moment.date().try_into()?, moment.time().try_into()?))
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has a zone.
impl TryFrom<DateTime> for civil::DateTime {
    type Error = Error;

    fn try_from(moment: DateTime) -> Result<Self> {
        let time = moment.time().clone().try_into()?;
        Ok(civil::DateTime::from_parts(moment.date().try_into()?, time))
    }
}

/// The point in time in UTC.
impl TryFrom<Timestamp> for DateTime {
    type Error = Error;

    fn try_from(timestamp: Timestamp) -> Result<Self> {
        DateTime::from_utc_nanoseconds(timestamp.as_nanosecond())
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has no zone, or does not
/// exist in its zone.
impl TryFrom<DateTime> for Timestamp {
    type Error = Error;

    fn try_from(moment: DateTime) -> Result<Self> {
        match moment.utc_nanoseconds() {
            Ok(nanoseconds) => Timestamp::from_nanosecond(nanoseconds).map_err(refused),
            // A zone of the time zone database, which jiff knows; or none.
            Err(_) => Ok(ZonedDateTime::try_from(moment)?.timestamp()),
        }
    }
}

impl TryFrom<ZonedDateTime> for DateTime {
    type Error = Error;

    fn try_from(zoned: ZonedDateTime) -> Result<Self> {
        let (zone, local) = (zoned.time_zone(), zoned.datetime());
        let mut time = Time::try_from(local.time())?;
        let zone = match zone.iana_name() {
            _ if *zone == TimeZone::UTC => Zone::UTC,
            Some(name) => {
                let offset = zone.to_ambiguous_zoned_datetime(local).offset();
                if matches!(offset, AmbiguousOffset::Fold { after, .. } if after == zoned.offset())
                {
                    time = time.with_fold(1)?;
                }
                Zone::Named(name.to_owned())
            }
            None => {
                let offset = zone.to_fixed_offset().map_err(|error| {
                    wrong_type("the time zone has neither a name nor a fixed offset").because(error)
                })?;
                Zone::Fixed { microseconds: i64::from(offset.seconds()) * 1_000_000, name: None }
            }
        };
        Ok(DateTime::new(local.date().try_into()?, time.in_zone(zone)?))
    }
}

/// The name of a fixed zone is not kept.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it has no zone, jiff does not
/// find the zone, or there is no such time in it.
impl TryFrom<DateTime> for ZonedDateTime {
    type Error = Error;

    fn try_from(moment: DateTime) -> Result<Self> {
        let zone = match moment.time().zone() {
            Some(Zone::Named(name)) => TimeZone::get(name).map_err(|error| {
                wrong_type(format!("`jiff` does not know the time zone `{name}`")).because(error)
            })?,
            Some(zone) if *zone == Zone::UTC => TimeZone::UTC,
            Some(zone) => {
                let seconds = zone.offset_seconds();
                let seconds = seconds
                    .ok_or_else(|| wrong_type("expected an offset from UTC in whole seconds"))?;
                TimeZone::fixed(Offset::from_seconds(seconds).map_err(refused)?)
            }
            None => {
                return Err(wrong_type(
                    "expected a point in time, found a date and time without a zone",
                ));
            }
        };
        let local =
            civil::DateTime::from_parts(moment.date().try_into()?, civil_time(moment.time())?);
        let zoned = zone.to_ambiguous_zoned_datetime(local);
        let zoned = match zoned.offset() {
            AmbiguousOffset::Unambiguous { .. } => zoned.unambiguous(),
            AmbiguousOffset::Fold { .. } if moment.time().fold() == 0 => zoned.earlier(),
            AmbiguousOffset::Fold { .. } => zoned.later(),
            AmbiguousOffset::Gap { .. } => {
                return Err(wrong_type(format!(
                    "`{moment}` does not exist: the clock is set forward there"
                )));
            }
        };
        zoned.map_err(refused)
    }
}

impl TryFrom<SignedDuration> for TimeDelta {
    type Error = Error;

    fn try_from(duration: SignedDuration) -> Result<Self> {
        TimeDelta::from_nanoseconds(duration.as_nanos())
    }
}

impl TryFrom<TimeDelta> for SignedDuration {
    type Error = Error;

    fn try_from(delta: TimeDelta) -> Result<Self> {
        Ok(SignedDuration::from_nanos_i128(delta.total_nanoseconds()))
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
    fn jiff_types_survive() {
        for text in ["0001-01-01", "9999-12-31", "2024-02-29"] {
            survives::<civil::Date>(parsed(text), parsed(text));
        }
        for text in ["00:00:00", "23:59:59.999999999"] {
            survives::<civil::Time>(parsed(text), parsed(text));
            let moment = format!("1969-12-31T{text}");
            survives::<civil::DateTime>(parsed(&moment), parsed(&moment));
            survives::<Timestamp>(parsed(&format!("{moment}Z")), parsed(&format!("{moment}Z")));
            let west = format!("{moment}-01:30");
            survives::<ZonedDateTime>(parsed(&format!("{west}[-01:30]")), parsed(&west));
        }
        for nanoseconds in [0, -1, 1_500_000_000, -86_400_000_000_001] {
            let delta = TimeDelta::from_nanoseconds(nanoseconds.into()).expect("it is short");
            survives(SignedDuration::from_nanos(nanoseconds), delta);
        }
    }

    #[test]
    fn zones_survive_by_name_on_both_sides_of_a_fold() {
        if TimeZone::get("Europe/Vienna").is_err() {
            // There is no time zone database on this machine.
            return;
        }
        let summer =
            "2024-10-27T02:30:00+02:00[Europe/Vienna]".parse::<ZonedDateTime>().expect("it is one");
        let winter =
            "2024-10-27T02:30:00+01:00[Europe/Vienna]".parse::<ZonedDateTime>().expect("it is one");
        let first: DateTime = parsed("2024-10-27T02:30[Europe/Vienna]");
        let time = first.time().clone().with_fold(1).expect("it is 1");
        let second = DateTime::new(first.date(), time);
        survives(summer.clone(), first.clone());
        survives(winter, second);
        assert_eq!(Timestamp::try_from(first).expect("it is one"), summer.timestamp());
        let gap: DateTime = parsed("2024-03-31T02:30[Europe/Vienna]");
        let error = ZonedDateTime::try_from(gap).expect_err("the clock was set forward");
        assert!(error.to_string().contains("does not exist"), "{error}");
    }

    #[test]
    fn values_that_would_change_are_refused() {
        Date::try_from(civil::date(-1, 1, 1)).expect_err("it is long ago");
        TimeDelta::try_from(SignedDuration::MAX).expect_err("it is too long");
        civil::Time::try_from(parsed::<Time>("12:00Z")).expect_err("it has a zone");
        ZonedDateTime::try_from(parsed::<DateTime>("2024-02-29T12:00"))
            .expect_err("it has no zone");
        Timestamp::try_from(parsed::<DateTime>("2024-02-29T12:00")).expect_err("it has no zone");
        let odd = parsed::<DateTime>("2024-02-29T12:00+01:00:00.5");
        ZonedDateTime::try_from(odd).expect_err("half a second");
    }
}
