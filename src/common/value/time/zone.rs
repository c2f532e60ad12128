//! The zones of times.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::common::value::time::{DAY, MICROSECOND};

/// The zone of a time.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Zone {
    /// A constant offset from UTC: Python's `datetime.timezone`.
    Fixed {
        /// The offset to the east of UTC, in microseconds; less than a day either way.
        microseconds: i64,
        /// The zone's own name, if it has one.
        name: Option<String>,
    },
    /// A zone of the time zone database, such as `Europe/Vienna`: Python's
    /// `zoneinfo.ZoneInfo`.
    Named(String),
}

impl Zone {
    /// UTC, as Python's `datetime.timezone.utc`.
    pub const UTC: Zone = Zone::Fixed { microseconds: 0, name: None };

    /// Whether the offset, if there is one, is less than a day either way.
    pub(super) fn is_in_range(&self) -> bool {
        match self {
            Zone::Fixed { microseconds, .. } => {
                (i128::from(*microseconds) * MICROSECOND).abs() < DAY
            }
            Zone::Named(_) => true,
        }
    }

    /// The offset to the east of UTC in microseconds, as far as it is known without the
    /// time zone database.
    pub(super) fn offset(&self) -> Option<i64> {
        match self {
            Zone::Fixed { microseconds, .. } => Some(*microseconds),
            Zone::Named(name) if name == "UTC" || name == "Etc/UTC" => Some(0),
            Zone::Named(_) => None,
        }
    }

    /// The offset in seconds, if it is known and whole.
    #[cfg(any(feature = "chrono", feature = "jiff"))]
    pub(in crate::common::value) fn offset_seconds(&self) -> Option<i32> {
        let microseconds = self.offset().filter(|offset| offset % 1_000_000 == 0)?;
        i32::try_from(microseconds / 1_000_000).ok()
    }
}

/// Writes `+HH:MM[:SS[.ffffff]]`, as Python's `isoformat` does, or the name of a zone of
/// the time zone database.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = match self {
            Zone::Fixed { microseconds, .. } => *microseconds,
            Zone::Named(name) => return f.write_str(name),
        };
        let sign = if microseconds < 0 { '-' } else { '+' };
        let rest = microseconds.unsigned_abs();
        let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
        write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
        if seconds % 60 != 0 || fraction != 0 {
            write!(f, ":{:02}", seconds % 60)?;
        }
        if fraction != 0 {
            write!(f, ".{fraction:06}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}
