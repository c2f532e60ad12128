//! Services of the user's own beside oad's.

use std::convert::Infallible;
use std::fmt;

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tower::Service;

/// The services of a daemon; what is added here is served beside oad's own. See
/// [`init_with`](crate::init_with).
#[must_use]
#[derive(Default)]
pub struct Services {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    descriptors: Vec<&'static [u8]>,
}

impl Services {
    /// Adds a generated tonic server, and its descriptors, so that the daemon's health
    /// and reflection know it: what `tonic::include_file_descriptor_set!` gives.
    pub fn add_service<S>(mut self, service: S, descriptor_set: &'static [u8]) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self.descriptors.push(descriptor_set);
        self
    }

    /// Takes them apart: the routes, to which oad adds its own, the names and the
    /// descriptors.
    pub(super) fn into_parts(self) -> (RoutesBuilder, Vec<&'static str>, Vec<&'static [u8]>) {
        (self.routes, self.names, self.descriptors)
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("names", &self.names).finish_non_exhaustive()
    }
}
