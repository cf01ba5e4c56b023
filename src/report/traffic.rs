//! Messages and bytes of an interval of time, by sender.

use crate::wire::Direction;

/// The messages of an interval: the client's, and the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Messages.
    pub(super) messages: [u64; 2],
    /// Their bytes, as far as whoever counts them adds them.
    pub(super) bytes: [u64; 2],
}

impl Traffic {
    /// Counts a message with so many bytes. One of unknown direction is the client's.
    pub(super) fn count(&mut self, direction: Option<Direction>, bytes: u64) {
        let sender = usize::from(direction == Some(Direction::ServerToClient));
        self.messages[sender] += 1;
        self.bytes[sender] += bytes;
    }

    /// Adds the messages of another interval.
    pub(super) fn add(&mut self, other: &Self) {
        for sender in 0..2 {
            self.messages[sender] += other.messages[sender];
            self.bytes[sender] += other.bytes[sender];
        }
    }
}
