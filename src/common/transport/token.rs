//! The secret of a daemon to which any local user can connect.

use std::fmt;
use std::io;

use http::HeaderValue;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// The number of random bytes in a token: 256 bits.
const BYTES: usize = 32;

/// The authentication scheme of RFC 6750.
const SCHEME: &[u8] = b"Bearer ";

/// The secret of a daemon to which any local user can connect: 256 random bits in
/// hexadecimal.
///
/// Its parent generates it and sends it on the lifeline. It is never in an argument, the
/// environment, a log or a `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Token(String);

impl Token {
    /// # Errors
    ///
    /// Any error of getrandom(2).
    pub(crate) fn generate() -> io::Result<Self> {
        let mut random = [0_u8; BYTES];
        // Up to 256 bytes the kernel returns all or nothing (getrandom(2)).
        while getrandom(&mut random, GetRandomFlags::empty())? != BYTES {}
        Ok(Token(random.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The value of a client's `authorization` metadata, marked as sensitive so that it
    /// is neither printed nor indexed.
    pub(crate) fn to_header(&self) -> HeaderValue {
        let header = format!("{}{}", String::from_utf8_lossy(SCHEME), self.0);
        let mut header =
            HeaderValue::from_str(&header).expect("hexadecimal digits are fit for a header");
        header.set_sensitive(true);
        header
    }

    /// Whether the `authorization` metadata of a request has this token. The time it
    /// takes reveals at most the length.
    pub(crate) fn is_in(&self, header: &[u8]) -> bool {
        // The scheme's case does not matter (RFC 9110, section 11.1).
        let Some((scheme, secret)) = header.split_at_checked(SCHEME.len()) else { return false };
        scheme.eq_ignore_ascii_case(SCHEME) && secret.ct_eq(self.0.as_bytes()).into()
    }

    /// The secret itself, to be shown on request.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
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
