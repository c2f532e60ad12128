//! Authentication for daemons that listen on a port, where any local user can connect.

use tonic::service::InterceptorLayer;
use tonic::{Request, Status};

use crate::common::transport::{Peer, Token};

/// The metadata key of the token.
const AUTHORIZATION: &str = "authorization";

const REFUSAL: &str = "missing or wrong token: send `authorization: Bearer <token>`; \
                       `Daemon::grpcurl` in the parent returns a command line with the token";

/// Returns a layer that rejects requests without the token. It applies to every service,
/// including the user's own and unknown paths. Without a token it accepts every request,
/// because only this user can open a Unix socket.
pub(crate) fn authentication(
    token: Option<Token>,
) -> InterceptorLayer<
    impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone + Send + Sync + 'static,
> {
    InterceptorLayer::new(move |mut request: Request<()>| {
        let Some(token) = &token else { return Ok(request) };
        // Removed, so that no service can see or leak the token.
        match request.metadata_mut().remove(AUTHORIZATION) {
            Some(header) if token.is_in(header.as_encoded_bytes()) => {
                // Until now, the connection was about to be closed.
                if let Some(peer) = request.extensions().get::<Peer>() {
                    peer.admission.prove();
                }
                Ok(request)
            }
            _ => Err(Status::unauthenticated(REFUSAL)),
        }
    })
}
