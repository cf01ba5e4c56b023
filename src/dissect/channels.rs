//! The channels that flows open: their names, and common properties.

use super::passage::{Event, Passage};
use crate::conversation::{Channel, ChannelId, ChannelIds, Destinations, SessionId};
use crate::time::Timestamp;
use crate::wire::{Destination, DestinationHash};

/// Gives names to channels, to sessions and to the destinations at their ends.
#[derive(Debug)]
pub(super) struct Channels {
    ids: ChannelIds,
    session_count: u32,
    destinations: Destinations,
    /// Whether a flow that seems to begin before the capture may be one that was forgotten.
    pub(super) forgets: Forgets,
    /// Messages in I2CP that are of another protocol.
    pub(super) foreign_messages: u64,
}

/// Whether a flow was forgotten for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgets {
    Nothing,
    Flows,
}

impl Channels {
    pub(super) fn new(destinations: Destinations) -> Self {
        Self {
            ids: ChannelIds::default(),
            session_count: 0,
            destinations,
            forgets: Forgets::Nothing,
            foreign_messages: 0,
        }
    }

    /// The hash under which a destination is known.
    pub(super) fn hash(&self, destination: Destination<'_>) -> DestinationHash {
        self.destinations.hash(destination)
    }

    pub(super) const fn next_session(&mut self) -> SessionId {
        let id = SessionId(self.session_count);
        self.session_count += 1;
        id
    }

    pub(super) fn open<P: Passage>(
        &mut self,
        channel: Channel,
        passage: &mut P,
    ) -> Result<ChannelId, P::Error> {
        let id = self.ids.next();
        passage.event(Event::Opened(id, Box::new(channel)))?;
        Ok(id)
    }

    pub(super) fn close<P: Passage>(
        &mut self,
        channel: ChannelId,
        time: Timestamp,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        self.ids.release(channel);
        passage.event(Event::Closed(channel, time))
    }

    /// Closes a channel because its memory is needed.
    pub(super) fn evict<P: Passage>(
        &mut self,
        channel: ChannelId,
        time: Timestamp,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        self.ids.release(channel);
        passage.event(Event::Evicted(channel, time))
    }
}
