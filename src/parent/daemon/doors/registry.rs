//! Which doors there are, and who uses them.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::common::agent::interpreter_died;
use crate::common::definition::InterpreterFacts;
use crate::common::error::{Death, Error};
use crate::common::handshake::ParentMessage;
use crate::parent::client::Limits;
use crate::parent::daemon::doors::Doors;
use crate::parent::door::{AgentDoor, DoorClient, DoorKind, DoorSettings, open_door};

/// Tells a daemon something.
type Tell = Arc<dyn Fn(ParentMessage) + Send + Sync>;

pub(in crate::parent::daemon) struct DoorsShared {
    daemon: Uuid,
    limits: Limits,
    /// The runtime that reads the answers.
    runtime: Runtime,
    keeper: Runtime,
    /// Tells the daemon something; it does not wait.
    tell: Tell,
    /// By the interpreter's number. An entry goes when its interpreter has ended.
    entries: Mutex<HashMap<u64, DoorEntry>>,
    /// In a copy of this process made by `fork`, the lock may be held by a thread that
    /// does not exist there.
    owner: u32,
}

#[derive(Default)]
struct DoorEntry {
    state: DoorState,
    /// How many doors the proxies have. From the first to the last, the daemon holds the
    /// interpreter.
    users: usize,
    /// Those who wait for the daemon's answer.
    waiting: Vec<oneshot::Sender<DoorUser>>,
}

#[derive(Default)]
enum DoorState {
    /// Nobody has asked for it, or the sockets have not arrived.
    #[default]
    Absent,
    /// They have arrived, and nobody has used them yet.
    Arrived([OwnedFd; 2], DoorKind),
    Open(Arc<DoorClient>),
}

/// Counts as a user of an interpreter.
struct DoorUser {
    doors: Doors,
    interpreter: u64,
}

impl Doors {
    pub(in crate::parent::daemon) fn new(
        daemon: Uuid,
        limits: Limits,
        runtime: Runtime,
        tell: impl Fn(ParentMessage) + Send + Sync + 'static,
    ) -> Self {
        let keeper = Runtime::current();
        let entries = Mutex::default();
        let (tell, owner) = (Arc::new(tell), std::process::id());
        Doors(Arc::new(DoorsShared { daemon, limits, runtime, keeper, tell, entries, owner }))
    }

    /// Returns the door to an interpreter; `None` if it does not run any more. An object
    /// in it must be kept until this returns.
    pub(in crate::parent::daemon) async fn open(
        &self,
        interpreter: u64,
        facts: &InterpreterFacts,
    ) -> Option<AgentDoor> {
        let waiting = {
            let mut entries = self.entries();
            let entry = entries.entry(interpreter).or_default();
            if entry.users > 0 {
                let user = self.user(entry, interpreter);
                drop(entries);
                return self.door(user, facts);
            }
            if entry.waiting.is_empty() {
                self.tell(ParentMessage::OpenDoor { interpreter });
            }
            let (sender, receiver) = oneshot::channel();
            entry.waiting.push(sender);
            receiver
        };
        let user = waiting.await.ok()?;
        self.door(user, facts)
    }

    fn door(&self, user: DoorUser, facts: &InterpreterFacts) -> Option<AgentDoor> {
        // If there is none, the lock is released before the user is dropped.
        let client = self.client(user.interpreter, facts)?;
        Some(AgentDoor::new(client, user))
    }

    /// Opens the door on its first use.
    fn client(&self, interpreter: u64, facts: &InterpreterFacts) -> Option<Arc<DoorClient>> {
        let mut entries = self.entries();
        let state = &mut entries.get_mut(&interpreter)?.state;
        let client = match std::mem::take(state) {
            DoorState::Absent => return None,
            DoorState::Open(client) => client,
            DoorState::Arrived(sockets, kind) => {
                let shared = &*self.0;
                let tell = Arc::clone(&shared.tell);
                let kill =
                    move |reason| tell(ParentMessage::KillInterpreter { interpreter, reason });
                let settings = DoorSettings {
                    daemon: shared.daemon,
                    interpreter,
                    facts: facts.clone(),
                    kind,
                    limits: shared.limits,
                    runtime: shared.runtime.clone(),
                    keeper: shared.keeper.clone(),
                    kill: Box::new(kill),
                };
                // Without descriptors for it, the session is used.
                open_door(settings, sockets).ok()?
            }
        };
        *state = DoorState::Open(Arc::clone(&client));
        Some(client)
    }

    /// Hands out a door that the daemon has passed.
    pub(in crate::parent::daemon) fn arrived(
        &self,
        interpreter: u64,
        (kill_when_stuck, has_threads): (Option<Duration>, bool),
        sockets: Option<[OwnedFd; 2]>,
    ) {
        let mut entries = self.entries();
        let entry = entries.entry(interpreter).or_default();
        if let Some(sockets) = sockets {
            entry.state = DoorState::Arrived(sockets, DoorKind { kill_when_stuck, has_threads });
        }
        let users: Vec<_> = std::mem::take(&mut entry.waiting)
            .into_iter()
            .map(|waiting| (waiting, self.user(entry, interpreter)))
            .collect();
        drop(entries);
        for (waiting, user) in users {
            // One that does not wait any more is no user.
            drop(waiting.send(user));
        }
    }

    /// Forgets an interpreter that has ended, and fails its calls. How it ended is known,
    /// unless that was before its door was asked for.
    pub(in crate::parent::daemon) fn ended(&self, interpreter: u64, how: Option<(&str, Death)>) {
        let Some(entry) = self.entries().remove(&interpreter) else { return };
        if let (DoorState::Open(client), Some((program, death))) = (entry.state, how) {
            let error = interpreter_died(program, death);
            self.0.keeper.spawn(async move { client.end(&error).await });
        }
    }

    /// How many calls that went through the doors have not been answered.
    pub(in crate::parent::daemon) fn in_flight(&self) -> usize {
        self.clients().iter().map(|client| client.in_flight()).sum()
    }

    /// The same for one of them.
    pub(in crate::parent::daemon) fn in_flight_of(&self, interpreter: u64) -> usize {
        match self.entries().get(&interpreter).map(|entry| &entry.state) {
            Some(DoorState::Open(client)) => client.in_flight(),
            _ => 0,
        }
    }

    /// Refuses new calls, because the daemon ends, and tells it when the others have been
    /// answered.
    pub(in crate::parent::daemon) fn drain(&self) {
        let doors = self.clone();
        self.0.keeper.spawn(async move {
            for client in doors.clients() {
                client.drained().await;
            }
            doors.tell(ParentMessage::Drained);
        });
    }

    /// Refuses every new call with `error`.
    pub(in crate::parent::daemon) fn refuse(&self, error: &Error) {
        self.clients().iter().for_each(|client| client.refuse(error));
    }

    /// Fails every call, because the daemon has ended.
    pub(in crate::parent::daemon) async fn fail(&self, error: &Error) {
        let clients = self.clients();
        self.entries().clear();
        for client in clients {
            client.end(error).await;
        }
    }

    fn user(&self, entry: &mut DoorEntry, interpreter: u64) -> DoorUser {
        entry.users += 1;
        DoorUser { doors: self.clone(), interpreter }
    }

    fn clients(&self) -> Vec<Arc<DoorClient>> {
        let client = |entry: &DoorEntry| match &entry.state {
            DoorState::Open(client) => Some(Arc::clone(client)),
            _ => None,
        };
        self.entries().values().filter_map(client).collect()
    }

    fn tell(&self, message: ParentMessage) {
        (self.0.tell)(message);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<u64, DoorEntry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DoorUser {
    fn drop(&mut self) {
        if self.doors.0.owner != std::process::id() {
            return;
        }
        let mut entries = self.doors.entries();
        let Some(entry) = entries.get_mut(&self.interpreter) else { return };
        let Some(users) = entry.users.checked_sub(1) else { return };
        entry.users = users;
        if users == 0 {
            // Under the lock, so that a later use is reported later.
            self.doors.tell(ParentMessage::CloseDoor { interpreter: self.interpreter });
        }
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").field("daemon", &self.0.daemon).finish_non_exhaustive()
    }
}
