//! Dates, times, spans and arrays to and from their messages. Their own types check what
//! a message contains.

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Array, ArraySource, Bytes, Date, DateTime, Time, TimeDelta, Zone};
use crate::common::wire::pb;

pub(super) fn date_to_pb(date: Date) -> pb::Date {
    pb::Date { year: date.year().into(), month: date.month().into(), day: date.day().into() }
}

pub(super) fn date_from_pb(date: &pb::Date) -> Result<Date> {
    Date::new(narrow(date.year)?, narrow(date.month)?, narrow(date.day)?)
}

pub(super) fn time_to_pb(time: &Time) -> pb::Time {
    let (offset_microseconds, offset_name, zone) = match time.zone() {
        None => (None, None, None),
        Some(Zone::Fixed { microseconds, name }) => (Some(*microseconds), name.clone(), None),
        Some(Zone::Named(name)) => (None, None, Some(name.clone())),
    };
    pb::Time {
        hour: time.hour().into(),
        minute: time.minute().into(),
        second: time.second().into(),
        microsecond: time.microsecond(),
        nanosecond: time.nanosecond(),
        fold: time.fold().into(),
        offset_microseconds,
        offset_name,
        zone,
    }
}

pub(super) fn time_from_pb(message: pb::Time) -> Result<Time> {
    let (hour, minute, second) =
        (narrow(message.hour)?, narrow(message.minute)?, narrow(message.second)?);
    let time = Time::new(hour, minute, second, message.microsecond)?
        .with_nanosecond(message.nanosecond)?
        .with_fold(narrow(message.fold)?)?;
    match (message.offset_microseconds, message.offset_name, message.zone) {
        (None, None, None) => Ok(time),
        (Some(microseconds), name, None) => time.in_zone(Zone::Fixed { microseconds, name }),
        (None, None, Some(name)) => time.in_zone(Zone::Named(name)),
        _ => Err(wrong_type(
            "a time has a named zone beside an offset, or the name of an offset without one",
        )),
    }
}

pub(super) fn date_time_to_pb(moment: &DateTime) -> pb::DateTime {
    let pb::Date { year, month, day } = date_to_pb(moment.date());
    let pb::Time {
        hour,
        minute,
        second,
        microsecond,
        nanosecond,
        fold,
        offset_microseconds,
        offset_name,
        zone,
    } = time_to_pb(moment.time());
    pb::DateTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        microsecond,
        nanosecond,
        fold,
        offset_microseconds,
        offset_name,
        zone,
    }
}

pub(super) fn date_time_from_pb(message: pb::DateTime) -> Result<DateTime> {
    let pb::DateTime { year, month, day, hour, minute, second, microsecond, .. } = message;
    let pb::DateTime { nanosecond, fold, offset_microseconds, offset_name, zone, .. } = message;
    let time = pb::Time {
        hour,
        minute,
        second,
        microsecond,
        nanosecond,
        fold,
        offset_microseconds,
        offset_name,
        zone,
    };
    Ok(DateTime::new(date_from_pb(&pb::Date { year, month, day })?, time_from_pb(time)?))
}

pub(super) fn time_delta_to_pb(delta: TimeDelta) -> pb::TimeDelta {
    pb::TimeDelta {
        days: delta.days().into(),
        seconds: delta.seconds().into(),
        microseconds: delta.microseconds().into(),
        nanoseconds: delta.nanoseconds().into(),
    }
}

pub(super) fn time_delta_from_pb(delta: &pb::TimeDelta) -> Result<TimeDelta> {
    let pb::TimeDelta { days, seconds, microseconds, nanoseconds } = *delta;
    let [days, seconds, microseconds] = [days, seconds, microseconds].map(i128::from);
    let microseconds = (days * 86_400 + seconds) * 1_000_000 + microseconds;
    TimeDelta::from_nanoseconds(microseconds * 1_000 + i128::from(nanoseconds))
}

pub(super) fn array_to_pb(array: &Array) -> pb::Array {
    let source = match array.source() {
        ArraySource::Array => pb::ArraySource::Array,
        ArraySource::ArrayLong => pb::ArraySource::ArrayLong,
        ArraySource::Numpy => pb::ArraySource::Numpy,
    };
    pb::Array {
        source: source.into(),
        dtype: array.dtype(),
        shape: array.shape().to_vec(),
        data: array.bytes().clone().into_inner(),
    }
}

pub(super) fn array_from_pb(message: pb::Array) -> Result<Array> {
    let source = match message.source() {
        pb::ArraySource::Array => ArraySource::Array,
        pb::ArraySource::ArrayLong => ArraySource::ArrayLong,
        pb::ArraySource::Numpy => ArraySource::Numpy,
        pb::ArraySource::Unspecified => {
            return Err(wrong_type("the source of an array is not set"));
        }
    };
    Array::new(source, &message.dtype, &message.shape, Bytes::new(message.data))
}

fn narrow<T: TryFrom<u32>>(number: u32) -> Result<T> {
    T::try_from(number)
        .map_err(|_| wrong_type(format!("{number} is not a part of a date or a time")))
}

fn wrong_type(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::WrongType, message)
}
