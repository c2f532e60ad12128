//! Slices and ranges, as Python has them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;
use crate::common::value::special::{RANGE, SLICE, Special};

/// What stands between the brackets of Python's `x[start:stop:step]`; [`Value::Null`]
/// where nothing is said.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Slice {
    /// Where it starts.
    pub start: Value,
    /// Before what it stops.
    pub stop: Value,
    /// How far each step goes.
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

/// Tells no contents.
impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slice({:?}, {:?}, {:?})", self.start, self.stop, self.step)
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
    /// A range.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if one of them is no integer, or the step is 0.
    pub fn new(
        start: impl Into<Value>,
        stop: impl Into<Value>,
        step: impl Into<Value>,
    ) -> Result<Self> {
        let range = Range { start: start.into(), stop: stop.into(), step: step.into() };
        if let Some(other) =
            range.parts().into_iter().find(|part| !matches!(part, Value::Int(_) | Value::BigInt(_)))
        {
            return Err(wrong(format!(
                "a range is made of integers, not of {}",
                other.kind_name()
            )));
        }
        match range.step {
            Value::Int(0) => Err(wrong("the step of a range is not 0")),
            _ => Ok(range),
        }
    }

    /// The first integer, if there is any.
    #[must_use]
    pub fn start(&self) -> &Value {
        &self.start
    }

    /// Before what it stops.
    #[must_use]
    pub fn stop(&self) -> &Value {
        &self.stop
    }

    /// How far each step goes.
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

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::WrongType, what)
}

/// Tells no contents.
impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Range")
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
