//! The parent's one connection.

use std::io;

use tokio::net::{TcpStream, UnixStream};

use crate::common::transport::{Endpoint, IoStream};

/// Connects to the daemon `pid` and to no other process: before a byte is sent, the
/// kernel is asked which process listens at the path. It does not know that of a port, so
/// there only the address is checked.
pub(crate) async fn connect(endpoint: &Endpoint, pid: u32) -> io::Result<IoStream> {
    match endpoint {
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            let found = stream.peer_cred()?.pid().unwrap_or(0);
            if u32::try_from(found) != Ok(pid) {
                return Err(io::Error::other(format!(
                    "process {found} listens there instead of daemon {pid}"
                )));
            }
            Ok(IoStream::Unix(stream))
        }
        Endpoint::Tcp(address) if !address.ip().is_loopback() => Err(io::Error::other(
            "the address is not 127.0.0.1, and the token must not leave this machine",
        )),
        Endpoint::Tcp(address) => IoStream::from_tcp(TcpStream::connect(address).await?),
        Endpoint::InProcess => Err(io::Error::other("a daemon within this process has no address")),
    }
}
