//! Who hears of what passes.

use std::io;

use crate::conversation::Conversation;
use crate::dissect::Sink;

/// Hears of everything that passes.
pub trait Watcher: Sink<Error = io::Error> {
    /// Something passed: output that was collected may be handed on.
    ///
    /// # Errors
    /// It cannot be written.
    fn hand_on(&mut self) -> io::Result<()>;

    /// Somebody wants to see how things stand.
    ///
    /// # Errors
    /// It cannot be written.
    fn show_so_far(&mut self, open: &[Conversation]) -> io::Result<()>;
}
