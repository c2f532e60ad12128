//! The number of a stream among values.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::value::special::STREAM;

/// The number of a stream in the call that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamNumber(pub(crate) u64);

impl Serialize for StreamNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(STREAM, &self.0)
    }
}

impl<'de> Deserialize<'de> for StreamNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(STREAM, StreamNumberVisitor)
    }
}

struct StreamNumberVisitor;

impl<'de> Visitor<'de> for StreamNumberVisitor {
    type Value = StreamNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stream")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<StreamNumber, D::Error> {
        u64::deserialize(deserializer).map(StreamNumber)
    }
}
