//! The passage from the flows to tracking, in the order of the capture: messages, each with its
//! place, and events of channels and flows. Nothing ever comes back but that it is enough, so that
//! the two may work on different threads.

use super::FlowReport;
use crate::conversation::{Channel, ChannelId, Finding};
use crate::net::{Arrival, Side};
use crate::time::Timestamp;
use crate::wire::{DestinationHash, RawMessage};

/// Takes messages and events.
pub(super) trait Passage {
    /// The reason why nothing more is taken.
    type Error;

    /// The next message, which `arrival` completed.
    fn message(&mut self, arrival: Arrival, passed: Passed<'_>) -> Result<(), Self::Error>;

    /// An event beside messages.
    fn event(&mut self, event: Event) -> Result<(), Self::Error>;

    /// Something odd beside messages.
    fn finding(&mut self, finding: Finding) -> Result<(), Self::Error> {
        self.event(Event::Finding(Box::new(finding)))
    }
}

/// A message and where it passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed<'a> {
    pub(super) channel: ChannelId,
    pub(super) from: Side,
    pub(super) message: RawMessage<'a>,
    /// Bytes that the snap length cut from its end.
    pub(super) cut_bytes: u32,
    /// On I2CP, to whom the application sends it.
    pub(super) addressee: Option<DestinationHash>,
    pub(super) sender: Sender,
}

/// Evidence on the sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// Nothing speaks against the destination that it names, if it names one.
    AsNamed,
    /// Its connection has proven another destination than the one that it names.
    Unproven,
}

impl<'a> Passed<'a> {
    /// A whole message that names no addressee.
    #[inline]
    pub(super) fn new(channel: ChannelId, from: Side, bytes: &'a [u8]) -> Self {
        Self {
            channel,
            from,
            message: RawMessage::parse(bytes),
            cut_bytes: 0,
            addressee: None,
            sender: Sender::AsNamed,
        }
    }
}

/// An event beside messages.
#[derive(Debug)]
pub(super) enum Event {
    /// The first packet came.
    Began(Timestamp),
    /// A flow turned out to carry ministreaming.
    Flow(FlowReport),
    Opened(ChannelId, Box<Channel>),
    /// A channel began before the capture.
    MissedStart(ChannelId),
    /// Bytes of a channel are missing from the capture.
    Gap(ChannelId),
    Closed(ChannelId, Timestamp),
    /// The memory of a channel is needed.
    Evicted(ChannelId, Timestamp),
    Finding(Box<Finding>),
}
