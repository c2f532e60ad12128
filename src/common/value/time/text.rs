//! Reading and writing the parts that the texts of dates, times and spans have in common.

use std::fmt;

use crate::common::error::Result;
use crate::common::value::time::{Time, Zone};

/// A text that is read from its beginning, part by part.
pub(super) struct TextReader<'a>(&'a str);

impl<'a> TextReader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        TextReader(text)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Skips a part if it comes next; returns whether it did.
    pub(super) fn eat(&mut self, part: &str) -> bool {
        match self.0.strip_prefix(part) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Reads a number of so many digits.
    pub(super) fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| digits.parse().ok()).flatten()?;
        self.0 = rest;
        Some(number)
    }

    /// Reads a number of at least one digit.
    pub(super) fn number(&mut self) -> Option<u64> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        let number = digits.parse().ok()?;
        self.0 = rest;
        Some(number)
    }

    /// Reads a fraction of one to nine digits, as nanoseconds; 0 if there is none.
    pub(super) fn fraction(&mut self) -> Option<u32> {
        if !self.eat(".") {
            return Some(0);
        }
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let scale = u32::try_from(9usize.checked_sub(count)?).ok()?;
        Some(self.digits(count)? * 10u32.pow(scale))
    }

    /// Reads `YYYY-MM-DD`.
    pub(super) fn date(&mut self) -> Option<(u16, u8, u8)> {
        let year = self.digits(4)?;
        let month = self.eat("-").then(|| self.digits(2)).flatten()?;
        let day = self.eat("-").then(|| self.digits(2)).flatten()?;
        Some((u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
    }

    /// Reads `HH:MM[:SS[.fffffffff]]` and a zone; the inner error is that of parts that
    /// are out of range.
    pub(super) fn time(&mut self) -> Option<Result<Time>> {
        let [hour, minute, second] = self.clock()?;
        let fraction = self.fraction()?;
        let zone = self.zone()?;
        let time = Time::new(hour, minute, second, fraction / 1_000)
            .and_then(|time| time.with_nanosecond(fraction % 1_000));
        Some(match zone {
            Some(zone) => time.and_then(|time| time.in_zone(zone)),
            None => time,
        })
    }

    /// Reads `HH:MM[:SS]`.
    fn clock(&mut self) -> Option<[u8; 3]> {
        let hour = self.digits(2)?;
        let minute = self.eat(":").then(|| self.digits(2)).flatten()?;
        let second = if self.eat(":") { self.digits(2)? } else { 0 };
        // Two digits fit a byte.
        Some([hour, minute, second].map(|part| part as u8))
    }

    /// Reads `Z`, `±HH:MM[:SS[.ffffff]]`, `[Area/City]` or nothing.
    fn zone(&mut self) -> Option<Option<Zone>> {
        if self.is_empty() {
            return Some(None);
        }
        if self.eat("Z") {
            return Some(Some(Zone::UTC));
        }
        if self.eat("[") {
            let (name, rest) = self.0.split_once(']')?;
            self.0 = rest;
            return (!name.is_empty()).then(|| Some(Zone::Named(name.to_owned())));
        }
        let sign = if self.eat("-") { -1 } else { i64::from(self.eat("+")) };
        let [hours, minutes, seconds] = self.clock()?.map(i64::from);
        let nanoseconds = self.fraction()?;
        let is_valid = sign != 0 && minutes < 60 && seconds < 60 && nanoseconds % 1_000 == 0;
        let seconds = (hours * 60 + minutes) * 60 + seconds;
        let microseconds = sign * (seconds * 1_000_000 + i64::from(nanoseconds / 1_000));
        is_valid.then_some(Some(Zone::Fixed { microseconds, name: None }))
    }
}

/// Writes a fraction of six digits, of nine if there are nanoseconds, or nothing if it is
/// zero.
pub(super) fn write_fraction(
    f: &mut fmt::Formatter<'_>,
    microseconds: u32,
    nanoseconds: u32,
) -> fmt::Result {
    match (microseconds, nanoseconds) {
        (0, 0) => Ok(()),
        (_, 0) => write!(f, ".{microseconds:06}"),
        _ => write!(f, ".{microseconds:06}{nanoseconds:03}"),
    }
}
