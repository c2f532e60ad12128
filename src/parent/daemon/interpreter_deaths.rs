//! Which interpreters of a daemon have died, and how.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;

use crate::common::error::Error;

/// How many are remembered; an object may make its interpreter die again and again.
const REMEMBERED: usize = 1000;

/// Which interpreters of a daemon have died, by their numbers, and the errors that say
/// how. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct InterpreterDeaths(Arc<watch::Sender<BTreeMap<u64, Error>>>);

impl InterpreterDeaths {
    pub(super) fn new() -> Self {
        InterpreterDeaths(Arc::new(watch::Sender::default()))
    }

    pub(super) fn note(&self, interpreter: u64, error: Error) {
        self.0.send_modify(|deaths| {
            deaths.insert(interpreter, error);
            if deaths.len() > REMEMBERED {
                deaths.pop_first();
            }
        });
    }

    /// Waits until an interpreter has died, and returns the error that says how.
    pub(super) async fn of(&self, interpreter: u64) -> Error {
        let mut deaths = self.0.subscribe();
        let died = deaths.wait_for(|deaths| deaths.contains_key(&interpreter)).await;
        match died.ok().and_then(|deaths| deaths.get(&interpreter).cloned()) {
            Some(error) => error,
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::common::error::ErrorKind;

    #[test]
    fn death_is_known_to_those_who_ask_before_and_after() {
        let deaths = InterpreterDeaths::new();
        let mut before = Box::pin(deaths.of(2));
        assert!(before.as_mut().now_or_never().is_none());
        deaths.note(1, Error::new(ErrorKind::Died, "one"));
        assert!(before.as_mut().now_or_never().is_none());
        deaths.note(2, Error::new(ErrorKind::Died, "two"));
        for asked in [before.now_or_never(), deaths.of(2).now_or_never()] {
            assert_eq!(asked.expect("it died").to_string(), "two");
        }
        (3..2000).for_each(|number| deaths.note(number, Error::new(ErrorKind::Died, "more")));
        assert!(deaths.of(1).now_or_never().is_none(), "it is too long ago");
        assert!(deaths.of(1999).now_or_never().is_some());
    }
}
