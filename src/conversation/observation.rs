//! The tracker's input, and its events besides messages.

use super::channel::ChannelId;
use super::event::Conversation;
use super::finding::Finding;
use crate::net::{Encapsulation, Side};
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction, RawMessage};

/// One message as it passed on a channel.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Number of the packet that completed it.
    pub packet: u64,
    /// Capture time of that packet.
    pub time: Timestamp,
    /// Microseconds since the first packet of the capture.
    pub elapsed_us: i64,
    /// The packet's encapsulation.
    pub encapsulation: Encapsulation,
    /// Its channel.
    pub channel: ChannelId,
    /// Its sender.
    pub from: Side,
    /// The message.
    pub message: RawMessage<'a>,
    /// Bytes that the snap length cut from its end.
    pub cut_bytes: u32,
    /// On I2CP, the hash of the destination that a SendMessage is addressed to.
    pub addressee: Option<DestinationHash>,
}

impl Observation<'_> {
    /// Its direction in a conversation with this client.
    #[inline]
    pub(super) fn direction(&self, client_side: Side) -> Direction {
        if client_side == self.from {
            Direction::ClientToServer
        } else {
            Direction::ServerToClient
        }
    }
}

/// Something that happened apart from a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackerEvent {
    /// A finding that no new message brought about.
    Finding(Finding),
    /// A conversation is over.
    Ended(Box<Conversation>),
}

/// The reason why the observation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfInput {
    /// The capture is at its end: open conversations will not be closed in it.
    Complete,
    /// The observer was stopped; the traffic goes on.
    Stopped,
}
