//! The RPCs of a daemon: they turn messages into calls of the host, and its answers into
//! messages.
//!
//! The last step of the way down before the host. Deliberately absent: order and locks,
//! which are the host's, and listening, which is the server's.

mod authentication;
mod control;
mod health;
mod logs;
mod objects;
mod operation;
mod reply_channel;
mod running_operation;
mod session;

pub(crate) use authentication::authentication;
pub(crate) use control::ControlService;
pub(crate) use health::HealthService;
pub(crate) use logs::Logs;
pub(crate) use objects::ObjectsService;

use std::future::Future;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::child::host::Progress;
use crate::common::definition::CallArgs;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::{keywords_from_pb, pb, too_large, values_from_pb};

/// Waits for an answer for as long as the caller does.
async fn within<T: Send + 'static>(
    timeout: Option<prost_types::Duration>,
    progress: Option<Progress>,
    answer: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let Some(timeout) = timeout else { return answer.await };
    // A negative time is over already.
    let timeout = Duration::try_from(timeout).unwrap_or_default();
    if let Ok(answer) = tokio::time::timeout(timeout, on_own_task(answer)).await {
        return answer;
    }
    let late = Error::new(ErrorKind::Timeout, format!("there was no answer within {timeout:?}"));
    Err(progress.iter().fold(late, |late, progress| late.advise(progress.advice())))
}

/// Runs a call on a task of its own, which is cancelled when this is dropped. A sync
/// method holds its task until it returns, and with it all that shares the task, such as
/// a timer that should end the wait.
async fn on_own_task<T: Send + 'static>(
    answer: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let ended = |_| Err(Error::new(ErrorKind::Closed, "the daemon ended before the call did"));
    AbortOnDropHandle::new(tokio::spawn(answer)).await.unwrap_or_else(ended)
}

/// # Errors
///
/// [`ErrorKind::TooLarge`] for what is larger than the limit.
fn check_size(message: &impl prost::Message, limit: usize) -> Result<()> {
    match message.encoded_len() {
        len if len > limit => Err(too_large(len, limit)),
        _ => Ok(()),
    }
}

/// # Errors
///
/// [`ErrorKind::BadArguments`] for what is no value, [`ErrorKind::TooDeep`] for what is
/// nested deeper than the limit.
fn given(arguments: pb::Arguments, depth_limit: usize) -> Result<CallArgs> {
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
