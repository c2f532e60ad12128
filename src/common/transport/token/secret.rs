//! The token of a daemon on localhost, with the feature `localhost`.

use std::fmt;
use std::io;

use http::HeaderValue;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq as _;

use super::Token;

/// How many random bytes a token is made of: 256 bits.
const BYTES: usize = 32;

/// What a client must say first, as of RFC 6750.
const SCHEME: &[u8] = b"Bearer ";

impl Token {
    /// # Errors
    ///
    /// Whatever keeps the kernel from giving randomness.
    pub(crate) fn generate() -> io::Result<Self> {
        let mut random = [0_u8; BYTES];
        // Up to 256 bytes the kernel gives all or nothing (getrandom(2)).
        while getrandom(&mut random, GetRandomFlags::empty())? != BYTES {}
        Ok(Token(random.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// What a client says in its `authorization` metadata, marked so that nobody prints
    /// or keeps it.
    pub(crate) fn to_header(&self) -> HeaderValue {
        let header = format!("{}{}", String::from_utf8_lossy(SCHEME), self.0);
        let mut header =
            HeaderValue::from_str(&header).expect("hexadecimal digits are fit for a header");
        header.set_sensitive(true);
        header
    }

    /// Whether the `authorization` metadata of a request is that of this token. How long
    /// it takes tells at most the length.
    pub(crate) fn is_in(&self, header: &[u8]) -> bool {
        // The scheme's case does not matter (RFC 9110, section 11.1).
        let Some((scheme, secret)) = header.split_at_checked(SCHEME.len()) else { return false };
        scheme.eq_ignore_ascii_case(SCHEME) && secret.ct_eq(self.0.as_bytes()).into()
    }

    /// The secret itself, for whoever is to be shown it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Token)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_all_different() {
        let tokens: Vec<Token> =
            (0..100).map(|_| Token::generate().expect("the kernel gives randomness")).collect();
        for (at, token) in tokens.iter().enumerate() {
            assert_eq!(token.reveal().len(), 64);
            assert!(tokens[..at].iter().all(|other| other != token));
        }
    }

    #[test]
    fn only_the_whole_token_after_its_scheme_is_taken() {
        let token = Token::generate().expect("the kernel gives randomness");
        let secret = token.reveal();
        assert!(token.is_in(token.to_header().as_bytes()));
        assert!(token.is_in(format!("bearer {secret}").as_bytes()));
        let other = Token::generate().expect("the kernel gives randomness");
        for wrong in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            secret.to_owned(),
            format!("Bearer{secret}"),
            format!("Basic: {secret}"),
            format!("Bearer {}", &secret[..63]),
            format!("Bearer {secret}0"),
            format!("Bearer  {secret}"),
            format!("Bearer {}", other.reveal()),
        ] {
            assert!(!token.is_in(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn nothing_prints_it() {
        let token = Token::generate().expect("the kernel gives randomness");
        for printed in [format!("{token:?}"), format!("{:?}", token.to_header())] {
            assert!(!printed.contains(token.reveal()), "{printed}");
        }
    }
}
