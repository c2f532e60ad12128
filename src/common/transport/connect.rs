//! The parent's one connection.

use std::io;

use rustix::net::sockopt::socket_peercred;
use tokio::net::{TcpStream, UnixStream};

use crate::common::transport::{Endpoint, IoStream};

/// Connects to the daemon `pid`, and to nobody else: who owns a path by now is asked of
/// the kernel before a byte is sent. It cannot say who owns a port, so that there only
/// the machine is checked.
pub(crate) async fn connect(endpoint: &Endpoint, pid: u32) -> io::Result<IoStream> {
    match endpoint {
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            let peer = socket_peercred(&stream)?;
            let found = peer.pid.as_raw_nonzero().get();
            if u32::try_from(found) != Ok(pid) {
                return Err(io::Error::other(format!(
                    "process {found} listens there, not the daemon {pid}"
                )));
            }
            Ok(IoStream::Unix(stream))
        }
        Endpoint::Tcp(address) if !address.ip().is_loopback() => {
            Err(io::Error::other("that is not this machine, and the token is not for any other"))
        }
        Endpoint::Tcp(address) => IoStream::from_tcp(TcpStream::connect(address).await?),
        Endpoint::InProcess => Err(io::Error::other("there is nothing to connect to")),
    }
}
