//! Whether an object can be called, for the health service.

use std::future::pending;

use futures_util::future::BoxFuture;
use futures_util::{Stream, stream};

use crate::child::host::Host;
use crate::child::object::{ForeignHealth, python};

/// The subject of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HealthSubject {
    /// The daemon, regardless of its objects.
    Daemon,
    /// The root object, or the daemon while it has none.
    Root,
    /// The object with this id.
    Object(u64),
}

/// The health of a subject. A busy object still counts as serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectHealth {
    /// It accepts calls.
    Serving,
    /// It accepts no calls: the daemon is shutting down, or the object's interpreter has
    /// died.
    NotServing,
    /// The object does not exist, or no longer does.
    Unknown,
}

impl Host {
    pub(crate) async fn health(&self, subject: HealthSubject) -> ObjectHealth {
        self.check_health(subject).await.0
    }

    /// Returns the health now and after every change. The stream ends when the object is
    /// gone, because ids are not reused, or when the daemon has drained.
    pub(crate) fn watch_health(
        &self,
        subject: HealthSubject,
    ) -> impl Stream<Item = ObjectHealth> + Send + 'static + use<> {
        stream::unfold((self.clone(), None), move |(host, last)| async move {
            let health = host.next_health(subject, last).await?;
            Some((health, (host, Some(health))))
        })
    }

    async fn next_health(
        &self,
        subject: HealthSubject,
        last: Option<ObjectHealth>,
    ) -> Option<ObjectHealth> {
        if last == Some(ObjectHealth::Unknown) {
            return None;
        }
        loop {
            // Subscribe before looking, so that no change in between is missed.
            let mut changes = self.0.table().changes();
            let (health, died) = self.check_health(subject).await;
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

    /// Returns the health, and for a healthy object in an interpreter a future that
    /// completes when that interpreter dies, or when it is worth looking again.
    async fn check_health(
        &self,
        subject: HealthSubject,
    ) -> (ObjectHealth, Option<BoxFuture<'static, ()>>) {
        let (HealthSubject::Object(id), (ObjectHealth::Unknown, _), Some(python)) =
            (subject, self.known_health(subject), python())
        else {
            return self.known_health(subject);
        };
        match python.health(self.daemon(), id).await {
            ForeignHealth::Serving(changed) => (ObjectHealth::Serving, Some(changed)),
            ForeignHealth::Died => (ObjectHealth::NotServing, None),
            ForeignHealth::Unknown => (ObjectHealth::Unknown, None),
        }
    }

    /// The same for what the host itself knows.
    fn known_health(
        &self,
        subject: HealthSubject,
    ) -> (ObjectHealth, Option<BoxFuture<'static, ()>>) {
        if self.ending().refuse_if_requested().is_err() {
            return (ObjectHealth::NotServing, None);
        }
        let table = self.0.table();
        let object = match subject {
            HealthSubject::Daemon => return (ObjectHealth::Serving, None),
            HealthSubject::Root => table.root().and_then(|root| table.get(root)),
            HealthSubject::Object(number) => table.get(number),
        };
        match object.map(|object| object.dynamic()) {
            Ok(Some(dynamic)) => match dynamic.died() {
                Some(died) => (ObjectHealth::Serving, Some(died)),
                None => (ObjectHealth::NotServing, None),
            },
            Ok(None) => (ObjectHealth::Serving, None),
            Err(_) if subject == HealthSubject::Root => (ObjectHealth::Serving, None),
            Err(_) => (ObjectHealth::Unknown, None),
        }
    }
}
