//! The user's own gRPC services, served beside oad's.

use std::convert::Infallible;
use std::fmt;

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tower::Service;

/// The user's own gRPC services that a daemon serves beside oad's.
///
/// Pass it to [`init_with`](crate::init_with). The default is empty.
#[must_use]
#[derive(Default)]
pub struct Services {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    descriptors: Vec<&'static [u8]>,
}

impl Services {
    /// Adds a generated tonic server and its file descriptor set, as returned by
    /// `tonic::include_file_descriptor_set!`.
    ///
    /// The descriptors make the service visible to the daemon's health and reflection
    /// services.
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

    /// Returns the routes, to which oad adds its own, the service names and the
    /// descriptor sets.
    pub(super) fn into_parts(self) -> (RoutesBuilder, Vec<&'static str>, Vec<&'static [u8]>) {
        (self.routes, self.names, self.descriptors)
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("names", &self.names).finish_non_exhaustive()
    }
}
