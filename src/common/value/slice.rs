//! Slices and ranges, as Python has them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::error::Result;
use crate::common::value::Value;
use crate::common::value::fault::wrong_type;
use crate::common::value::special::{RANGE, SLICE, Special};

/// Python's `slice`: what stands between the brackets of `x[start:stop:step]`. A part
/// that is left out is [`Value::Null`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// The first position.
    pub start: Value,
    /// The exclusive end.
    pub stop: Value,
    /// The distance between positions.
    pub step: Value,
}

/// Python's `range(start, stop, step)`: integers of any size, and a step that is not 0.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Range {
    start: Value,
    stop: Value,
    step: Value,
}

impl Slice {
    pub(crate) fn into_parts(self) -> [Value; 3] {
        [self.start, self.stop, self.step]
    }

    pub(super) fn parts(&self) -> [&Value; 3] {
        [&self.start, &self.stop, &self.step]
    }
}

impl From<[Value; 3]> for Slice {
    fn from([start, stop, step]: [Value; 3]) -> Self {
        Slice { start, stop, step }
    }
}

impl Special for Slice {
    const NAME: &'static str = SLICE;
    const WHAT: &'static str = "a slice";

    fn write_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts().serialize(serializer)
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[Value; 3]>::deserialize(deserializer).map(Slice::from)
    }
}

// === impl Range ===

impl Range {
    /// Creates a range.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if one of them is not an
    /// integer, or the step is 0.
    pub fn new(
        start: impl Into<Value>,
        stop: impl Into<Value>,
        step: impl Into<Value>,
    ) -> Result<Self> {
        let range = Range { start: start.into(), stop: stop.into(), step: step.into() };
        if let Some(other) =
            range.parts().into_iter().find(|part| !matches!(part, Value::Int(_) | Value::BigInt(_)))
        {
            let found = other.kind_name();
            return Err(wrong_type(format!("expected the integers of a range, found {found}")));
        }
        match range.step {
            Value::Int(0) => Err(wrong_type("the step of a range must not be 0")),
            _ => Ok(range),
        }
    }

    /// Returns the first integer, unless the range is empty.
    #[must_use]
    pub fn start(&self) -> &Value {
        &self.start
    }

    /// Returns the exclusive end.
    #[must_use]
    pub fn stop(&self) -> &Value {
        &self.stop
    }

    /// Returns the distance between two integers of it.
    #[must_use]
    pub fn step(&self) -> &Value {
        &self.step
    }

    pub(crate) fn into_parts(self) -> [Value; 3] {
        [self.start, self.stop, self.step]
    }

    pub(super) fn parts(&self) -> [&Value; 3] {
        [&self.start, &self.stop, &self.step]
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Range").field(&self.start).field(&self.stop).field(&self.step).finish()
    }
}

impl Special for Range {
    const NAME: &'static str = RANGE;
    const WHAT: &'static str = "a range";

    fn write_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts().serialize(serializer)
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [start, stop, step] = <[Value; 3]>::deserialize(deserializer)?;
        Range::new(start, stop, step).map_err(D::Error::custom)
    }
}
