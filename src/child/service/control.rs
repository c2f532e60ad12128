//! `oad.v1.Control`: information about the daemon, its logs, and its shutdown.

use std::future::ready;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tonic::{Request, Response, Status};

use crate::child::host::Host;
use crate::child::service::Logs;
use crate::common::wire::pb::control_server::Control;
use crate::common::wire::{handle_to_pb, pb};

/// Serves `oad.v1.Control`.
#[derive(Clone, Debug)]
pub(crate) struct ControlService {
    host: Host,
    grace: Duration,
    parent_pid: u32,
    logs: Logs,
}

impl ControlService {
    pub(crate) fn new(host: Host, grace: Duration, parent_pid: u32, logs: Logs) -> Self {
        ControlService { host, grace, parent_pid, logs }
    }
}

#[tonic::async_trait]
impl Control for ControlService {
    type LogsStream = BoxStream<'static, Result<pb::LogsResponse, Status>>;

    async fn info(
        &self,
        _: Request<pb::InfoRequest>,
    ) -> Result<Response<pb::InfoResponse>, Status> {
        let objects = self.host.objects().await.into_iter();
        let objects = objects.map(|(handle, root)| pb::ObjectInfo {
            r#type: handle.type_name().to_owned(),
            handle: Some(handle_to_pb(&handle)),
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

    async fn logs(
        &self,
        request: Request<pb::LogsRequest>,
    ) -> Result<Response<Self::LogsStream>, Status> {
        let level = match request.into_inner().level() {
            pb::LogLevel::Unspecified => pb::LogLevel::Info,
            level => level,
        };
        let mut dropped = 0;
        let events = self.logs.subscribe(level).filter_map(move |record| {
            let event = match record {
                Ok(record) if record.level <= i32::from(level) => Some(Ok(pb::LogsResponse {
                    lost: std::mem::take(&mut dropped),
                    ..(*record).clone()
                })),
                Ok(_) => None,
                Err(BroadcastStreamRecvError::Lagged(count)) => {
                    dropped += count;
                    None
                }
            };
            ready(event)
        });
        let host = self.host.clone();
        let end = async move {
            host.ending().drained().await;
        };
        Ok(Response::new(events.take_until(Box::pin(end)).boxed()))
    }

    async fn shutdown(
        &self,
        request: Request<pb::ShutdownRequest>,
    ) -> Result<Response<pb::ShutdownResponse>, Status> {
        let grace = match request.into_inner().grace {
            None => self.grace,
            Some(grace) => Duration::try_from(grace)
                .map_err(|_| Status::invalid_argument("`grace` must not be negative"))?
                // The parent enforces the grace that the daemon was started with, so a
                // longer one has no effect.
                .min(self.grace),
        };
        let calls = self.host.calls() as u64;
        // The response still reaches the client: the server waits until its connections
        // are idle.
        self.host.ending().request(grace);
        Ok(Response::new(pb::ShutdownResponse { calls }))
    }
}
