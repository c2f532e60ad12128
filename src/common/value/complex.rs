//! Complex numbers.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer};

use crate::common::value::Value;
use crate::common::value::special::{COMPLEX, PlainForm, Special, plain_struct};

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

#[derive(Deserialize)]
#[serde(remote = "Complex")]
struct PlainComplex {
    re: f64,
    im: f64,
}

impl Complex {
    /// The plain form.
    pub(in crate::common::value) fn plain_value(&self) -> Value {
        plain_struct([("re", self.re.into()), ("im", self.im.into())])
    }
}

impl Special for Complex {
    const NAME: &'static str = COMPLEX;
    const WHAT: &'static str = "a complex number";

    fn plain(&self) -> PlainForm<'_> {
        PlainForm::Flat(self.plain_value())
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PlainComplex::deserialize(deserializer)
    }
}
