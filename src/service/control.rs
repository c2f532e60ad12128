//! `oad.v1.Control`: what the daemon is, and its end.

use std::time::Duration;

use tonic::{Request, Response, Status};

use crate::host::Host;
use crate::wire::pb::control_server::Control;
use crate::wire::{handle_to_pb, pb};

/// Serves `oad.v1.Control`.
#[derive(Clone, Debug)]
pub(crate) struct ControlService {
    host: Host,
    grace: Duration,
    parent_pid: u32,
}

impl ControlService {
    pub(crate) fn new(host: Host, grace: Duration, parent_pid: u32) -> Self {
        ControlService { host, grace, parent_pid }
    }
}

#[tonic::async_trait]
impl Control for ControlService {
    async fn info(&self, _: Request<pb::InfoRequest>) -> Result<Response<pb::InfoResponse>, Status> {
        let objects = self.host.objects().into_iter().map(|(handle, description, root)| pb::ObjectInfo {
            handle: Some(handle_to_pb(handle)),
            r#type: description.name.to_owned(),
            root,
        });
        Ok(Response::new(pb::InfoResponse {
            daemon: self.host.daemon().to_string(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            parent_pid: self.parent_pid,
            objects: objects.collect(),
            calls: self.host.calls() as u64,
        }))
    }

    async fn shutdown(&self, request: Request<pb::ShutdownRequest>) -> Result<Response<pb::ShutdownResponse>, Status> {
        let grace = match request.into_inner().grace {
            None => self.grace,
            Some(grace) => Duration::try_from(grace)
                .map_err(|_| Status::invalid_argument("a grace cannot be negative"))?
                // A longer one could not be kept: the parent holds to the grace it was made with.
                .min(self.grace),
        };
        let calls = self.host.calls() as u64;
        // The answer is given before the daemon ends: the server waits for its connections to be idle.
        self.host.ending().request(grace);
        Ok(Response::new(pb::ShutdownResponse { calls }))
    }
}
