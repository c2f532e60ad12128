//! What a call in an interpreter holds.

use crate::child::host::progress::{Progress, RunMode};
use crate::child::object::HeldCall;

/// What a call in an interpreter holds: the object's turn, and the token that the
/// shutdown waits for.
pub(super) struct InterpreterCall<G, T> {
    pub(super) turn: Option<G>,
    pub(super) progress: Option<Progress>,
    pub(super) _token: T,
}

impl<G: Send, T: Send> HeldCall for InterpreterCall<G, T> {
    fn note_begun(&mut self) {
        self.progress.as_ref().inspect(|progress| progress.note(RunMode::External));
    }

    fn give_up_turn(&mut self) {
        self.turn = None;
    }
}
