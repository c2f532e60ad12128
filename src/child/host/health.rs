//! Whether an object can be called, as the health service tells it.

use std::future::pending;

use futures_util::future::BoxFuture;
use futures_util::{Stream, stream};

use crate::child::host::Host;

/// Of what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The daemon, whatever its objects are.
    Daemon,
    /// The root object; while there is none, the daemon.
    Root,
    /// The object of this number.
    Object(u64),
}

/// How it is. An object that is busy is as well as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectHealth {
    /// It takes calls.
    Serving,
    /// It takes none: the daemon ends, or what the object lives in has died.
    NotServing,
    /// There is no such object, or no longer.
    Unknown,
}

impl Host {
    pub(crate) fn health(&self, subject: Subject) -> ObjectHealth {
        self.examine(subject).0
    }

    /// Tells how it is, and then each time that this has changed, until the object is
    /// gone, whose number no other gets, or the daemon has given its last answer.
    pub(crate) fn watch_health(
        &self,
        subject: Subject,
    ) -> impl Stream<Item = ObjectHealth> + Send + 'static + use<> {
        stream::unfold((self.clone(), None), move |(host, last)| async move {
            let health = host.next_health(subject, last).await?;
            Some((health, (host, Some(health))))
        })
    }

    async fn next_health(
        &self,
        subject: Subject,
        last: Option<ObjectHealth>,
    ) -> Option<ObjectHealth> {
        if last == Some(ObjectHealth::Unknown) {
            return None;
        }
        loop {
            // The changes come first, so that none is missed after the look.
            let mut changes = self.table().changes();
            let (health, died) = self.examine(subject);
            if last != Some(health) {
                return Some(health);
            }
            let died = died.unwrap_or_else(|| Box::pin(pending()));
            let is_ending = self.ending().refuse_if_requested().is_err();
            tokio::select! {
                _ = self.ending().drained() => return None,
                _ = self.ending().requested(), if !is_ending => {}
                _ = changes.changed(), if !is_ending => {}
                () = died => {}
            }
        }
    }

    /// How it is, and what tells that an object which is well has died.
    fn examine(&self, subject: Subject) -> (ObjectHealth, Option<BoxFuture<'static, ()>>) {
        if self.ending().refuse_if_requested().is_err() {
            return (ObjectHealth::NotServing, None);
        }
        let table = self.table();
        let object = match subject {
            Subject::Daemon => return (ObjectHealth::Serving, None),
            Subject::Root => table.root().and_then(|root| table.get(root)),
            Subject::Object(number) => table.get(number),
        };
        match object.map(|object| object.dynamic()) {
            Ok(Some(dynamic)) => match dynamic.died() {
                Some(died) => (ObjectHealth::Serving, Some(died)),
                None => (ObjectHealth::NotServing, None),
            },
            Ok(None) => (ObjectHealth::Serving, None),
            Err(_) if subject == Subject::Root => (ObjectHealth::Serving, None),
            Err(_) => (ObjectHealth::Unknown, None),
        }
    }
}
