//! `grpc.health.v1.Health`: whether the daemon and each of its objects accept calls.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health as HealthRpcs;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::child::host::{HealthSubject, Host, ObjectHealth};
use crate::common::error::Excerpt;
use crate::common::wire::pb::objects_server::SERVICE_NAME;

/// Serves `grpc.health.v1.Health`. The empty name and `oad.v1.Objects` mean the root
/// object, `oad.v1.Objects/3` means the object with id 3, and the name of one of the
/// user's own services means the daemon.
#[derive(Clone, Debug)]
pub(crate) struct HealthService {
    host: Host,
    /// The names of the user's own services.
    services: Arc<[&'static str]>,
}

impl HealthService {
    pub(crate) fn new(host: Host, services: Arc<[&'static str]>) -> Self {
        HealthService { host, services }
    }

    async fn subject(&self, service: &str) -> Result<(HealthSubject, ObjectHealth), Status> {
        let object = service.strip_prefix(SERVICE_NAME).and_then(|rest| rest.strip_prefix('/'));
        let subject = match object {
            None if service.is_empty() || service == SERVICE_NAME => HealthSubject::Root,
            None if self.services.contains(&service) => HealthSubject::Daemon,
            None => {
                let name = service.escape_debug().to_string();
                let message = format!("the daemon has no service {}", Excerpt(&name));
                return Err(Status::not_found(message));
            }
            Some(number) => HealthSubject::Object(number.parse().map_err(|_| no_such_object())?),
        };
        match self.host.health(subject).await {
            ObjectHealth::Unknown => Err(no_such_object()),
            health => Ok((subject, health)),
        }
    }
}

#[tonic::async_trait]
impl HealthRpcs for HealthService {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let (_, health) = self.subject(&request.get_ref().service).await?;
        Ok(Response::new(response(health)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (subject, _) = self.subject(&request.get_ref().service).await?;
        let changes = self.host.watch_health(subject).map(|health| Ok(response(health)));
        Ok(Response::new(changes.boxed()))
    }
}

fn response(health: ObjectHealth) -> HealthCheckResponse {
    let status = match health {
        ObjectHealth::Serving => ServingStatus::Serving,
        ObjectHealth::NotServing => ServingStatus::NotServing,
        ObjectHealth::Unknown => ServingStatus::ServiceUnknown,
    };
    HealthCheckResponse { status: status.into() }
}

fn no_such_object() -> Status {
    Status::not_found("the daemon has no object with this id")
}
