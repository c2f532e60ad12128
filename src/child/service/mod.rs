//! The RPCs of a daemon: they turn messages into calls of the host, and results into
//! messages.
//!
//! Below is the host; above is the server, which listens. Deliberately absent: order and
//! locks, which belong to the host.

mod assemblies;
mod authentication;
mod client_memory;
mod control;
mod health;
mod lane;
mod logs;
mod monitor;
mod objects;
mod operation;
mod reply_channel;
mod responses;
mod running_operation;
mod session;
mod unsent_handles;

pub(crate) use authentication::authentication;
pub(crate) use client_memory::MemoryLayer;
pub(crate) use control::ControlService;
pub(crate) use health::HealthService;
pub(crate) use lane::{ReservedThreads, serve_lanes};
pub(crate) use logs::Logs;
pub(crate) use objects::ObjectsService;
pub(crate) use unsent_handles::hold_until_sent;

use std::future::Future;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::child::host::Progress;
use crate::common::definition::CallArgs;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::{keywords_from_pb, pb, too_large, values_from_pb};

/// Waits for a result up to the timeout of the request.
async fn with_timeout<T: Send + 'static>(
    timeout: Option<prost_types::Duration>,
    progress: Option<Progress>,
    call: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let Some(timeout) = timeout else { return call.await };
    // A negative timeout has already passed.
    let timeout = Duration::try_from(timeout).unwrap_or_default();
    if let Ok(result) = tokio::time::timeout(timeout, on_own_task(call)).await {
        return result;
    }
    let error = Error::new(ErrorKind::Timeout, format!("no response within {timeout:?}"));
    Err(progress.iter().fold(error, |error, progress| error.advise(progress.advice())))
}

/// Runs a call on its own task and cancels it when the returned future is dropped. A sync
/// method blocks its task until it returns, and with it everything on that task, such as
/// the timer that should end the wait.
async fn on_own_task<T: Send + 'static>(
    call: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let ended =
        |_| Err(Error::new(ErrorKind::Closed, "the daemon shut down before the call completed"));
    AbortOnDropHandle::new(tokio::spawn(call)).await.unwrap_or_else(ended)
}

/// # Errors
///
/// [`ErrorKind::TooLarge`] if the message is larger than the limit.
fn check_size(message: &impl prost::Message, limit: usize) -> Result<()> {
    match message.encoded_len() {
        len if len > limit => Err(too_large(len, limit)),
        _ => Ok(()),
    }
}

/// The arguments of a request. The keyword arguments that a client sends as a map come
/// before those that it sends in order.
fn in_order(
    arguments: Vec<pb::Value>,
    mut keywords: Vec<pb::Keyword>,
    ordered: Vec<pb::Keyword>,
) -> pb::Arguments {
    keywords.extend(ordered);
    pb::Arguments { arguments, keywords }
}

/// # Errors
///
/// [`ErrorKind::BadArguments`] for a malformed value or a keyword that is given twice,
/// [`ErrorKind::TooDeep`] for a value nested deeper than the limit.
fn decode_arguments(arguments: pb::Arguments, depth_limit: usize) -> Result<CallArgs> {
    let (values, keywords) =
        (values_from_pb(arguments.arguments)?, keywords_from_pb(arguments.keywords)?);
    values
        .iter()
        .chain(keywords.iter().map(|(_, value)| value))
        .try_for_each(|value| value.check_depth(depth_limit))?;
    Ok((values, keywords))
}

// They are clients that tonic has generated.
#[cfg(all(test, feature = "tonic"))]
mod tests;
