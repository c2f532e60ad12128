//! The part of a daemon that owns its objects and keeps the order of their calls.
//!
//! `&self` calls overlap, `&mut self` calls go one at a time, and both take their places in the order in which [`Host::call`] was called. Below are
//! the objects; above is the service, which knows the wire. Deliberately absent: ids of calls, cancellation and deadlines. A
//! call is a future here, and whoever holds it may drop it.

mod ending;
mod panic;
mod run;
mod table;

pub(crate) use ending::Ending;
pub(crate) use panic::note_locations as note_panic_locations;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::definition::Definition;
use crate::error::{Error, ErrorKind, Result};
use crate::host::table::Table;
use crate::object::{Arguments, Construction, Description, make};
use crate::value::{Handle, Value};

/// What a call is given: in order, and by name.
pub(crate) type Given = (Vec<Value>, Vec<(String, Value)>);

/// Owns the objects of a daemon. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    daemon: Uuid,
    depth_limit: usize,
    table: Mutex<Table>,
    /// Counts the calls that wait or run, also those whose caller has gone.
    calls: TaskTracker,
    ending: Ending,
}

impl Host {
    pub(crate) fn new(daemon: Uuid, depth_limit: usize) -> Self {
        let table = Mutex::new(Table::default());
        Host(Arc::new(Inner { daemon, depth_limit, table, calls: TaskTracker::new(), ending: Ending::new() }))
    }

    pub(crate) fn daemon(&self) -> Uuid {
        self.0.daemon
    }

    pub(crate) fn ending(&self) -> &Ending {
        &self.0.ending
    }

    /// Makes an object; the first of the daemon becomes its root.
    ///
    /// # Errors
    ///
    /// What [`make`] says, or the constructor's own exception.
    pub(crate) fn create(
        &self,
        definition: Definition,
        given: impl Future<Output = Result<Given>> + Send + 'static,
    ) -> impl Future<Output = Result<Handle>> + Send + 'static {
        let (host, token) = (self.clone(), self.0.calls.token());
        async move {
            host.0.ending.refuse_if_requested()?;
            let (arguments, keywords) = given.await?;
            let depth_limit = host.0.depth_limit;
            let making = move || make(&definition, arguments, keywords, depth_limit);
            let object = match run::blocking(token, making).await? {
                Construction::Now(object) => object?,
                Construction::Later(future) => run::unwinding(future).await?,
            };
            // An ending that began meanwhile has emptied the table, or will not look at it again.
            host.0.ending.refuse_if_requested()?;
            Ok(Handle::new(host.0.daemon, host.table().insert(object)))
        }
    }

    /// Calls a method. The call has its place in the object's queue when this returns; the future runs it.
    pub(crate) fn call(
        &self,
        handle: Option<Handle>,
        method: &str,
        given: impl Future<Output = Result<Given>> + Send + 'static,
    ) -> impl Future<Output = Result<Value>> + Send + 'static {
        let queued = self.enqueue(handle, method);
        let (host, token) = (self.clone(), self.0.calls.token());
        async move {
            let (turn, method) = queued?;
            let (arguments, keywords) = given.await?;
            let arguments = Arguments::bind(method, arguments, keywords, host.0.depth_limit)?;
            run::method(turn, method, arguments, token).await
        }
    }

    fn enqueue(&self, handle: Option<Handle>, method: &str) -> Result<(run::Turn, &'static crate::object::Method)> {
        self.0.ending.refuse_if_requested()?;
        let mut table = self.table();
        let id = self.locate(&table, handle)?;
        let object = table.get(id)?;
        let description = object.description();
        let Some((index, method)) = description.method(method) else {
            let names: Vec<&str> = description.methods.iter().map(|method| method.name).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message = format!("`{}` has no method `{}`; it has: {known}", description.name, method.escape_debug());
            return Err(Error::new(ErrorKind::NoSuchMethod, message));
        };
        let turn = run::Turn::enqueue(object, index, method);
        if method.receiver == crate::object::Receiver::Consuming {
            // Whoever comes after this call finds no object any more.
            table.remove(id);
        }
        Ok((turn, method))
    }

    /// Tells what an object can do.
    pub(crate) fn describe(&self, handle: Option<Handle>) -> Result<&'static Description> {
        let table = self.table();
        let id = self.locate(&table, handle)?;
        Ok(table.get(id)?.description())
    }

    /// Frees an object when it has been released as often as it was received; a count of 0 means at once.
    pub(crate) fn release(&self, handle: Handle, count: u64) -> Result<()> {
        let released = {
            let mut table = self.table();
            let id = self.locate(&table, Some(handle))?;
            table.release(id, count)?
        };
        // Its drop is the object's own code, which may take its time, and may panic.
        if let Some(object) = released {
            self.0.calls.spawn_blocking(move || panic::catch(|| drop(object)));
        }
        Ok(())
    }

    /// Every object that lives: its handle, its description, and whether it is the root.
    pub(crate) fn objects(&self) -> Vec<(Handle, &'static Description, bool)> {
        let handle = |id| Handle::new(self.0.daemon, id);
        self.table().iter().map(|(id, description, is_root)| (handle(id), description, is_root)).collect()
    }

    /// How many calls wait or run.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.len()
    }

    /// Waits until no call waits or runs.
    pub(crate) async fn drained(&self) {
        self.0.calls.close();
        self.0.calls.wait().await;
    }

    /// Drops every object, one after the other; one that a stuck call holds is left to the end of the process.
    pub(crate) fn drop_objects(&self) {
        let objects = std::mem::take(&mut *self.table()).into_objects();
        for object in objects {
            // An object whose drop panics must not keep the others from theirs; the panic is on stderr.
            let _ = panic::catch(|| drop(object));
        }
    }

    fn locate(&self, table: &Table, handle: Option<Handle>) -> Result<u64> {
        match handle {
            None => table.root(),
            Some(handle) if handle.daemon() == self.0.daemon || handle.daemon().is_nil() => Ok(handle.id()),
            Some(_) => Err(table::no_such_object()),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
