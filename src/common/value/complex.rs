//! Complex numbers.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::value::special::{COMPLEX, Special};

/// A complex number: Python's `complex`. Two are equal if all their bits are.
#[derive(Clone, Copy, Debug)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl Complex {
    fn bits(self) -> (u64, u64) {
        (self.re.to_bits(), self.im.to_bits())
    }
}

impl PartialEq for Complex {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Complex {}

impl Hash for Complex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Complex")]
struct PlainComplex {
    re: f64,
    im: f64,
}

impl Special for Complex {
    const NAME: &'static str = COMPLEX;
    const WHAT: &'static str = "a complex number";

    fn write_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PlainComplex::serialize(self, serializer)
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PlainComplex::deserialize(deserializer)
    }
}
