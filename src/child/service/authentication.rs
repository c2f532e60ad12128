//! Who is let in where everybody on the machine can connect.

use tonic::service::InterceptorLayer;
use tonic::{Request, Status};

use crate::common::transport::Token;

/// The metadata that holds the token.
const AUTHORIZATION: &str = "authorization";

const REFUSAL: &str = "this daemon answers only who has its token, as `authorization: Bearer <token>`; its parent has it, and \
                       `Daemon::grpcurl` prints a command line with it";

/// Stands in front of every service of a daemon, the user's own and paths that nobody
/// serves included, and lets through only what has the token. Without a token all is let
/// through: a Unix socket is this user's alone.
pub(crate) fn authentication(
    token: Option<Token>,
) -> InterceptorLayer<
    impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone + Send + Sync + 'static,
> {
    InterceptorLayer::new(move |mut request: Request<()>| {
        let Some(token) = &token else { return Ok(request) };
        // Taken out, so that no service finds it, and tells it on.
        match request.metadata_mut().remove(AUTHORIZATION) {
            Some(header) if token.is_in(header.as_encoded_bytes()) => Ok(request),
            _ => Err(Status::unauthenticated(REFUSAL)),
        }
    })
}
