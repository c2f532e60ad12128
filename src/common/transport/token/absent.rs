//! The token of a daemon on localhost, without the feature `localhost`.

use std::fmt;
use std::io;

use http::HeaderValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Token;

const MISSING: &str = "this program was built without oad's feature `localhost`";

impl Token {
    pub(crate) fn generate() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, MISSING))
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        match self.0 {}
    }

    pub(crate) fn is_in(&self, _: &[u8]) -> bool {
        match self.0 {}
    }

    pub(crate) fn reveal(&self) -> &str {
        match self.0 {}
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match self.0 {}
    }
}

/// A parent that was built with the feature may ask for it.
impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(MISSING))
    }
}

impl PartialEq for Token {
    fn eq(&self, _: &Self) -> bool {
        match self.0 {}
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}
