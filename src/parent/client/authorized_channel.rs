//! The HTTP/2 connection, with the daemon's token on every request.

use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use crate::common::transport::Token;

/// The HTTP/2 connection. If the daemon has a token, every request carries it. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizedChannel {
    channel: Channel,
    header: Option<HeaderValue>,
}

impl AuthorizedChannel {
    pub(super) fn new(channel: Channel, token: Option<&Token>) -> Self {
        AuthorizedChannel { channel, header: token.map(Token::to_header) }
    }
}

impl Service<Request<Body>> for AuthorizedChannel {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = <Channel as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(header) = &self.header {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        self.channel.call(request)
    }
}
