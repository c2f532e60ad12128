//! Dates, times and spans, as text and as the standard library's types.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::common::value::{Value, from_value, to_value};

#[track_caller]
fn is_written_as<T: std::str::FromStr<Err = crate::Error> + ToString>(text: &str, written: &str) {
    let read: T = text.parse().expect("it can be read");
    assert_eq!(read.to_string(), written);
}

#[test]
fn times_are_written_as_isoformat_writes_them() {
    is_written_as::<Date>("0001-01-01", "0001-01-01");
    for text in [
        "23:59:59",
        "00:00:00.000001",
        "00:00:00.000000001",
        "12:00:00+00:00",
        "12:00:00-23:59:59.999999",
        "12:00:00+01:02:03",
        "12:00:00[Europe/Vienna]",
    ] {
        is_written_as::<Time>(text, text);
        let moment = format!("2024-02-29T{text}");
        is_written_as::<DateTime>(&moment, &moment);
    }
    is_written_as::<Time>("07:05", "07:05:00");
    is_written_as::<Time>("07:05Z", "07:05:00+00:00");
    is_written_as::<Time>("07:05:00.5-01:00", "07:05:00.500000-01:00");
    is_written_as::<DateTime>("2024-02-29 07:05", "2024-02-29T07:05:00");
}

#[test]
fn spans_are_written_as_str_writes_them() {
    for text in [
        "0:00:00",
        "1 day, 0:00:00",
        "-1 day, 23:59:59.999999",
        "-999999999 days, 0:00:00",
        "999999999 days, 23:59:59.999999",
        "0:00:00.000000001",
    ] {
        is_written_as::<TimeDelta>(text, text);
    }
    for (text, written) in [
        ("P1D", "1 day, 0:00:00"),
        ("PT36H", "1 day, 12:00:00"),
        ("P1W2DT3H4M5.25S", "9 days, 3:04:05.250000"),
        ("-PT0.000001S", "-1 day, 23:59:59.999999"),
        ("PT0S", "0:00:00"),
    ] {
        is_written_as::<TimeDelta>(text, written);
    }
}

#[test]
fn malformed_texts_are_refused_with_the_form() {
    for text in ["", "2024-1-01", "2024-01-01 ", "24-01-01", "é024-01-01", "2024-02-30"] {
        text.parse::<Date>().expect_err(text);
    }
    for text in [
        "",
        "7:05",
        "07:05:",
        "07:05:00.",
        "07:05:00.0000000001",
        "07:05+1",
        "07:05+01:60",
        "07:05[]",
        "07:05+01:00[Europe/Vienna]",
        "24:00",
        "07:05+24:00",
        "07:05:60",
        "07:0é",
    ] {
        text.parse::<Time>().expect_err(text);
        format!("2024-01-01T{text}").parse::<DateTime>().expect_err(text);
    }
    for text in [
        "",
        "P",
        "-P",
        "PT",
        "P1DT",
        "P1Y",
        "P1M",
        "P1.5D",
        "PT1S1M",
        "1:00",
        "1:60:00",
        "1 day",
        "days, 0:00:00",
        "1000000000 days, 0:00:00",
        "P99999999999999999999D",
    ] {
        text.parse::<TimeDelta>().expect_err(text);
    }
    let error = "noon".parse::<Time>().expect_err("it is a word");
    assert_eq!(
        error.to_string(),
        "`noon` is not a time: expected `HH:MM[:SS[.ffffff]][Z|+HH:MM|[zone]]`"
    );
}

#[test]
fn durations_and_system_times_are_spans_and_points_in_time() {
    let duration = Duration::new(90_061, 1_000);
    let value = to_value(&duration).expect("it serializes");
    assert_eq!(value, TimeDelta::new(1, 3661, 1).expect("it is short").into());
    assert_eq!(from_value::<Duration>(value).expect("it is not negative"), duration);

    let time = UNIX_EPOCH + Duration::new(1_709_208_000, 500_000_000);
    let value = to_value(&time).expect("it serializes");
    let moment: DateTime = "2024-02-29T12:00:00.5Z".parse().expect("it is one");
    assert_eq!(value, moment.into());
    assert_eq!(from_value::<SystemTime>(value).expect("it is a point in time"), time);
    let east: DateTime = "2024-02-29T13:00:00.5+01:00".parse().expect("it is one");
    assert_eq!(from_value::<SystemTime>(east.into()).expect("it is a point in time"), time);
}

#[test]
fn every_duration_survives_and_python_is_told_of_nanoseconds() {
    for duration in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let value = to_value(&duration).expect("it serializes");
        assert_eq!(from_value::<Duration>(value).expect("it is one"), duration);
    }
    let odd = TimeDelta::try_from(Duration::from_nanos(1_001)).expect("it is short");
    assert_eq!((odd.microseconds(), odd.nanoseconds()), (1, 1));
    assert_eq!(
        odd.whole_microseconds().expect_err("it has a nanosecond").to_string(),
        "Python's times hold whole microseconds, and this one has 1 ns more; \
         round it to microseconds"
    );
}

#[test]
fn a_duration_is_not_read_from_what_would_have_to_be_changed() {
    let refusal = |value: Value| from_value::<Duration>(value).expect_err("it is refused");
    let back = TimeDelta::new(0, -1, 0).expect("it is short");
    assert_eq!(
        refusal(back.into()).to_string(),
        "expected a `Duration`, found a negative time span"
    );
    let refusal = |text: &str| {
        let moment: DateTime = text.parse().expect("it is one");
        from_value::<SystemTime>(moment.into()).expect_err("it is refused").to_string()
    };
    assert!(refusal("2024-02-29T12:00").contains("without a zone"));
    assert!(refusal("2024-02-29T12:00[Europe/Vienna]").contains("`Europe/Vienna`"));
    assert!(refusal("1969-12-31T23:59:59Z").contains("from 1970 on"));
}

mod look_alikes {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "Duration")]
    struct Other {
        secs: u64,
        nanos: u32,
        sign: bool,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "Duration")]
    struct Same {
        secs: i64,
        nanos: i64,
    }

    #[test]
    fn structs_of_the_same_name_are_not_captured() {
        let other = Other { secs: 1, nanos: 2, sign: true };
        let value = to_value(&other).expect("it serializes");
        assert!(matches!(&value, Value::Map(entries) if entries.len() == 3));
        assert_eq!(from_value::<Other>(value).expect("it reads back"), other);
        for (secs, nanos) in [(1, 2), (-1, 0), (1, -1), (1, 5_000_000_000)] {
            let same = Same { secs, nanos };
            let value = to_value(&same).expect("it serializes");
            assert_eq!(from_value::<Same>(value).expect("it reads back"), same);
        }
    }
}

proptest! {
    #[test]
    fn days_are_counted_both_ways(year in 1..=9999u16, month in 1..=12u8, day in 1..=28u8) {
        let date = Date::new(year, month, day).expect("there was one");
        let days = date.days_since_epoch();
        prop_assert_eq!(Date::from_days_since_epoch(days).expect("it is in range"), date);
        let next = Date::from_days_since_epoch(days + 1);
        prop_assert!(next.is_err() || next.expect("it is in range") > date);
    }
}

#[test]
fn days_are_counted_from_1970() {
    for (text, days) in [("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016)] {
        let date: Date = text.parse().expect("it is a day");
        assert_eq!(date.days_since_epoch(), days);
    }
    for days in [i64::MIN, -719_163, 2_932_897, i64::MAX] {
        Date::from_days_since_epoch(days).expect_err("it is out of range");
    }
}
