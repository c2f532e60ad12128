//! The secret that a client of a daemon on localhost must send.

#[cfg(not(feature = "localhost"))]
mod absent;
#[cfg(feature = "localhost")]
mod secret;

/// The secret that a client of a daemon on localhost must send: 256 random bits in
/// hexadecimal.
///
/// The parent generates it and sends it on the lifeline. It is not in arguments, in the
/// environment, in logs or in `Debug` output.
///
/// Without the feature `localhost` no value of this type exists.
#[derive(Clone)]
pub(crate) struct Token(
    #[cfg(feature = "localhost")] String,
    #[cfg(not(feature = "localhost"))] std::convert::Infallible,
);
