//! A call of a sync method whose turn has come, without a future: nothing of it has to
//! wait.
//!
//! Most calls are such. What a future costs (its place on the heap, the moves of its
//! large state, its entry in the table of running operations) is as much as all else that
//! the daemon does for a small call.

use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::child::host::run::ObjectGuard;
use crate::child::host::scope::Scope;
use crate::child::host::{HandleGuard, Host, MethodResult, SessionId};
use crate::child::object::{Arguments, panic, try_in_place_permit};
use crate::common::definition::CallArgs;
use crate::common::error::Result;
use crate::common::value::Handle;

/// A call of a sync method that holds its object.
pub(crate) struct ReadyCall {
    object: ObjectGuard,
    index: usize,
    arguments: Result<Arguments>,
    handles: HandleGuard,
    _token: TaskTrackerToken,
    /// Bounds the threads that calls may keep.
    _permit: SemaphorePermit<'static>,
}

impl ReadyCall {
    /// Runs the method on this thread, which it may block.
    pub(crate) fn run(self) -> Result<MethodResult> {
        let ReadyCall { object, index, arguments, handles, _token, _permit } = self;
        let arguments = arguments?;
        let value = panic::catch(move || object.run_sync(index, arguments)).flatten()?;
        Ok(MethodResult { value, handles })
    }
}

impl Host {
    /// Prepares a call of a method that is sync, returns no stream, and whose object
    /// nobody waits for, while threads are not scarce. Gives the arguments back if that
    /// is not so; then the call takes its turn, which also finds out what is wrong with
    /// it.
    pub(crate) fn call_at_once(
        &self,
        session: SessionId,
        handle: Option<&Handle>,
        method: &str,
        call_args: CallArgs,
    ) -> Result<ReadyCall, CallArgs> {
        // Taken first: a shutdown that is not seen below then waits for this call.
        let token = self.0.calls.token();
        let Some(_permit) = try_in_place_permit() else { return Err(call_args) };
        let Some((object, index, method)) = self.lock_for(handle, method) else {
            return Err(call_args);
        };
        let scope = Scope::new(Arc::clone(&self.0), Some(session), None);
        let handles = HandleGuard::of(&scope);
        let (values, keywords) = call_args;
        let arguments = Arguments::bind(method, values, keywords, scope);
        Ok(ReadyCall { object, index, arguments, handles, _token: token, _permit })
    }
}
