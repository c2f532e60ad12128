//! Text with lone surrogates, which Python's strings may contain and Rust's may not.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::common::error::Result;
use crate::common::value::fault::wrong_type;
use crate::common::value::special::{RAW_TEXT, Special};
use crate::common::value::{Bytes, Value};

/// Text that is not valid Unicode: at least one of its code points is a lone surrogate,
/// as in a file name that Python could not decode. [`Value::text_from_wtf8`] creates it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawText(Vec<u8>);

impl RawText {
    /// Returns the text as UTF-8 in which a surrogate is written like any other code
    /// point, as by Python's `encode('utf-8', 'surrogatepass')`.
    #[must_use]
    pub fn as_wtf8(&self) -> &[u8] {
        &self.0
    }

    /// Returns the same bytes without a copy.
    #[must_use]
    pub fn into_wtf8(self) -> Vec<u8> {
        self.0
    }

    /// Returns the text with `U+FFFD` for each surrogate, for people to read.
    #[must_use]
    pub fn to_string_lossy(&self) -> String {
        self.with_surrogates(|_| char::REPLACEMENT_CHARACTER.to_string())
    }

    /// Returns the text with each surrogate as Python's `backslashreplace` writes it,
    /// such as `\ud800`, for people to read.
    #[must_use]
    pub fn to_string_escaped(&self) -> String {
        self.with_surrogates(|surrogate| format!("\\u{surrogate:04x}"))
    }

    fn with_surrogates(&self, shown: impl Fn(u32) -> String) -> String {
        let mut text = String::new();
        let mut rest = self.0.as_slice();
        while let Err(error) = std::str::from_utf8(rest) {
            let (valid, invalid) = rest.split_at(error.valid_up_to());
            let (surrogate, after) = invalid.split_at(SURROGATE);
            text.push_str(&String::from_utf8_lossy(valid));
            let code =
                surrogate.iter().skip(1).fold(0xd, |code, byte| code << 6 | u32::from(byte & 0x3f));
            text.push_str(&shown(code));
            rest = after;
        }
        text.push_str(&String::from_utf8_lossy(rest));
        text
    }
}

/// The bytes of a surrogate.
const SURROGATE: usize = 3;

impl Value {
    /// Reads text: [`Value::Text`] if the bytes are UTF-8, [`Value::RawText`] if they are
    /// UTF-8 except for surrogates.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if they are neither.
    pub fn text_from_wtf8(bytes: Vec<u8>) -> Result<Value> {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => return Ok(Value::Text(text)),
            Err(error) => error.into_bytes(),
        };
        let mut rest = bytes.as_slice();
        while let Err(error) = std::str::from_utf8(rest) {
            match &rest[error.valid_up_to()..] {
                [0xed, 0xa0..=0xbf, 0x80..=0xbf, after @ ..] => rest = after,
                _ => {
                    return Err(wrong_type("expected UTF-8, found bytes that are not"));
                }
            }
        }
        Ok(Value::RawText(RawText(bytes)))
    }
}

impl Special for RawText {
    const NAME: &'static str = RAW_TEXT;
    const WHAT: &'static str = "text with lone surrogates";

    fn write_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::text_from_wtf8(Bytes::deserialize(deserializer)?.into_vec()) {
            Ok(Value::RawText(text)) => Ok(text),
            Ok(_) => {
                Err(D::Error::custom("expected text with lone surrogates, found text without"))
            }
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}
