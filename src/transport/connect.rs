//! The parent's one connection.

use std::io;

use rustix::net::sockopt::socket_peercred;
use tokio::net::UnixStream;

use crate::transport::Endpoint;

/// Connects to the daemon `pid`, and to nobody else: who owns the path by now is asked of the kernel before a byte is sent.
pub(crate) async fn connect(endpoint: &Endpoint, pid: u32) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(endpoint.path()).await?;
    let peer = socket_peercred(&stream)?;
    let found = peer.pid.as_raw_nonzero().get();
    if u32::try_from(found) != Ok(pid) {
        return Err(io::Error::other(format!("process {found} listens there, not the daemon {pid}")));
    }
    Ok(stream)
}
