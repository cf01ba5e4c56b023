//! Observers of the messages that pass.

use std::io;

use crate::conversation::Conversation;
use crate::dissect::Sink;

/// An observer of all that passes.
pub trait Watcher: Sink<Error = io::Error> {
    /// Something passed: output that was collected may be handed on.
    ///
    /// # Errors
    /// It cannot be written.
    fn hand_on(&mut self) -> io::Result<()>;

    /// The user wants to see the state so far.
    ///
    /// # Errors
    /// It cannot be written.
    fn show_so_far(&mut self, open: &[Conversation]) -> io::Result<()>;
}
