//! The first bytes of a lane: they tell it from HTTP/2, and bring the token where there
//! is one.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The first bytes of a lane; as long as those of HTTP/2, so that a daemon can look at
/// both at once.
pub(crate) const PREFACE: &[u8; 24] = b"oad.v1.Session lane 1\r\n\n";

/// Opens a lane: the preface, then the token with its length in front. On a Unix socket
/// the token is empty.
pub(crate) async fn send_preface(
    stream: &mut (impl AsyncWrite + Unpin),
    token: &[u8],
) -> io::Result<()> {
    let length = u8::try_from(token.len()).expect("a token is short");
    let mut bytes = PREFACE.to_vec();
    bytes.push(length);
    bytes.extend_from_slice(token);
    stream.write_all(&bytes).await
}

/// Reads what [`send_preface`] has sent, and returns the token.
pub(crate) async fn accept_preface(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    if preface != *PREFACE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not the preface of a lane"));
    }
    let mut token = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut token).await?;
    Ok(token)
}
