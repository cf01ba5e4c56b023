//! The tracker: messages in, their meaning out; conversations when they are over.

use super::channel::{Channel, ChannelId, ChannelIds, ChannelStart};
use super::event::{Carried, Conversation, MessageEvent};
use super::id_table::{IdKey, Space};
use super::meaning::Meaning;
use super::observation::{EndOfInput, Observation, TrackerEvent};
use super::options::TrackerOptions;
use super::placing::{Placement, Whose};
use super::records::Slot;
use super::registry::{Ending, ExpectedRecord, Forgotten, Prospect, Registry};
use super::remarks::Remarks;
use super::router::Delivered;
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{
    Destination, DestinationHash, Direction, FrameType, MAX_DATA_PAYLOAD_BYTES, RawFrame,
    RawMessage,
};

/// Rebuilds conversations from the messages of all channels of a capture.
///
/// Its memory is bounded in bytes. Open conversations, and those that were closed last, are kept
/// whole; of earlier ones their ids are remembered for as long as messages may be on their way.
#[derive(Debug)]
pub struct Tracker {
    channel_ids: ChannelIds,
    registry: Registry,
    remarks: Remarks,
    message_count: u64,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(options: TrackerOptions) -> Self {
        Self {
            channel_ids: ChannelIds::default(),
            registry: Registry::new(&options),
            remarks: Remarks::new(options.wording),
            message_count: 0,
        }
    }

    /// The hash under which a destination is known here.
    pub fn hash(&self, destination: Destination<'_>) -> DestinationHash {
        self.registry.destinations.hash(destination)
    }

    /// Makes a channel known.
    pub fn open_channel(&mut self, channel: Channel) -> ChannelId {
        let id = self.channel_ids.next();
        self.open_channel_as(id, channel);
        id
    }

    /// Makes a channel known under a name from elsewhere. Of one tracker, all channels are opened
    /// in this way, or all in the other.
    pub(crate) fn open_channel_as(&mut self, id: ChannelId, channel: Channel) {
        self.registry.channels.open(id, channel);
    }

    /// A channel that is open.
    pub fn channel(&self, channel: ChannelId) -> &Channel {
        self.registry.channels.get(channel)
    }

    /// Takes note that a channel began before the capture.
    pub fn note_missed_start(&mut self, channel: ChannelId) {
        self.registry.channels.get_mut(channel).start = ChannelStart::Missed;
    }

    /// Takes note that bytes of a channel are missing from the capture.
    pub fn note_gap(&mut self, channel: ChannelId) {
        self.registry.note_gap(channel);
    }

    /// Forgets a channel; conversations open on it are over, and reported in the order in which
    /// they opened.
    pub fn close_channel(&mut self, channel: ChannelId, time: Timestamp) {
        self.channel_ids.release(channel);
        self.registry
            .close_channel(channel, time, Ending::ChannelClosed, &self.remarks);
    }

    /// Forgets a channel because its memory is needed; conversations open on it are reported as
    /// they stand.
    pub fn evict_channel(&mut self, channel: ChannelId, time: Timestamp) {
        self.channel_ids.release(channel);
        self.registry
            .close_channel(channel, time, Ending::ChannelEvicted, &self.remarks);
    }

    /// Returns the meaning of a message. Other events that it caused wait in
    /// [`Tracker::next_event`].
    #[inline]
    pub fn observe<'a>(&'a mut self, seen: &Observation<'a>) -> MessageEvent<'a> {
        self.observe_expected(seen, None)
    }

    /// The same of a message that is expected to be about a certain conversation.
    #[inline]
    pub(crate) fn observe_expected<'a>(
        &'a mut self,
        seen: &Observation<'a>,
        expected: Option<ExpectedRecord>,
    ) -> MessageEvent<'a> {
        self.message_count += 1;
        self.remarks.begin(self.message_count, seen.packet);
        self.registry.expire(seen.time, &self.remarks);
        let place = Placement::place(&mut self.registry, &mut self.remarks, seen, expected);
        let mut delivered = None;
        match place.conversation {
            Whose::Tracked(slot) => {
                if self.channel(seen.channel).session().is_some() {
                    delivered = self.registry.compare_views(seen, slot, &mut self.remarks);
                }
                self.note(seen.time, slot, place.meaning);
            }
            Whose::Reported { id, .. } => self.remarks.attribute_to(id),
            Whose::Nobodys => {}
        }
        self.event(seen, place, delivered)
    }

    /// Takes data of an open conversation that only count, as most messages of a busy capture do.
    /// `None`, and nothing has changed, where there may be more to it; then it is to be
    /// [observed](Self::observe).
    #[inline]
    pub(crate) fn carry_on(
        &mut self,
        channel: ChannelId,
        from: Side,
        time: Timestamp,
        frame: &RawFrame<'_>,
        expected: Option<ExpectedRecord>,
    ) -> Option<Carried> {
        let direction = match frame.frame_type {
            FrameType::CLIENT_DATA => Direction::ClientToServer,
            FrameType::SERVER_DATA => Direction::ServerToClient,
            _ => return None,
        };
        // A full one may be a leftover stall's, and zero ids are findings.
        if frame.payload.len() >= MAX_DATA_PAYLOAD_BYTES || frame.id.is_zero() {
            return None;
        }
        let key = IdKey {
            channel,
            owner: from.opposite(),
            space: Space::of_receiver(direction),
            id: frame.id,
        };
        let slot = self.registry.find_running(key, time, expected)?;
        self.message_count += 1;
        self.registry.records.live_mut(slot).end = time;
        self.registry
            .records
            .carry(time, frame.payload, slot, direction);
        Some(Carried {
            number: self.message_count,
            direction,
            payload_bytes: frame.payload.len() as u64,
        })
    }

    /// The part that is common to all messages of a conversation.
    fn note(&mut self, time: Timestamp, slot: Slot, meaning: Meaning) {
        let live = self.registry.records.live_mut(slot);
        // A message for a conversation that is over does not lengthen its life.
        let is_late =
            matches!(meaning, Meaning::Ignored | Meaning::Meaningless) && live.phase().is_closed();
        if !is_late {
            live.end = time;
        }
        let findings = self.remarks.findings().len();
        if findings > 0 {
            self.remarks.attribute_to(live.id());
            let details = self.registry.records.details_mut(slot);
            let findings = u32::try_from(findings).unwrap_or(u32::MAX);
            details.finding_count = details.finding_count.saturating_add(findings);
        }
    }

    /// The addresses at which a message will look, by its beginning; see [`Tracker::look_up`].
    #[inline]
    pub(crate) fn prospect(
        &self,
        channel: ChannelId,
        from: Side,
        message: &RawMessage<'_>,
    ) -> Option<Prospect> {
        self.registry
            .look_ahead()
            .prospect(channel, from, message.frame()?)
    }

    /// The record that a message will probably need.
    #[inline]
    pub(crate) fn look_up(&self, prospect: Prospect) -> Option<ExpectedRecord> {
        self.registry.look_ahead().look_up(prospect)
    }

    /// Prefetches for a message. The returned value is of no other use.
    #[inline]
    pub(crate) fn touch(&self, prospect: Prospect, record: ExpectedRecord) -> u64 {
        self.registry.look_ahead().touch(prospect, record)
    }

    /// Prefetches the place at which a message will look for a conversation that was reported, and
    /// then the tombstone there.
    #[inline]
    pub(crate) fn touch_late(&self, prospect: Prospect) -> u64 {
        self.registry.look_ahead().touch_late(prospect)
    }

    /// See [`touch_late`](Self::touch_late).
    #[inline]
    pub(crate) fn touch_found_late(&self, prospect: Prospect) -> u64 {
        self.registry.look_ahead().touch_found_late(prospect)
    }

    /// Prefetches for reporting conversations when `closes` others are closed.
    pub(crate) fn touch_reported(&self, closes: usize) -> u64 {
        self.registry.look_ahead().touch_reported(closes)
    }

    /// Whether [`next_event`](Self::next_event) has something.
    #[inline]
    pub(crate) fn has_events(&self) -> bool {
        self.registry.has_events()
    }

    /// The next thing that happened apart from messages, in order.
    #[inline]
    pub fn next_event(&mut self) -> Option<TrackerEvent> {
        self.registry.next_event(&self.remarks)
    }

    /// The observation is over at `time`: every conversation that is still tracked is
    /// reported, in the order in which they opened, as [`Tracker::next_event`] is asked.
    pub fn finish(&mut self, time: Timestamp, end: EndOfInput) {
        self.registry.end_all(time, end);
    }

    /// Counts a message that is not observed; its number.
    pub(crate) const fn pass_over(&mut self) -> u64 {
        self.message_count += 1;
        self.message_count
    }

    /// Messages observed so far, and those passed over.
    pub const fn message_count(&self) -> u64 {
        self.message_count
    }

    /// Conversations found so far.
    pub const fn conversation_count(&self) -> u64 {
        self.registry.conversation_count()
    }

    /// Counts of conversations forgotten for want of memory so far.
    pub const fn forgotten(&self) -> Forgotten {
        self.registry.forgotten()
    }

    /// Bytes that conversations are reckoned to take, reported ones included.
    pub fn bytes(&self) -> usize {
        self.registry.bytes()
    }

    /// The conversations that are tracked now, as they stand, in the order in
    /// which they opened; each is reported again when it is over.
    pub fn tracked(&self) -> Vec<Conversation> {
        self.registry.tracked()
    }

    /// Conversations that are tracked now.
    pub fn tracked_count(&self) -> usize {
        self.registry.records.len()
    }

    #[inline]
    fn event<'a>(
        &'a self,
        seen: &Observation<'a>,
        place: Placement,
        delivered: Option<Delivered>,
    ) -> MessageEvent<'a> {
        let records = &self.registry.records;
        let channel = self.channel(seen.channel);
        let (conversation, client_side) = match place.conversation {
            Whose::Nobodys => (None, None),
            Whose::Tracked(slot) => {
                let live = records.live(slot);
                (Some(live.id()), Some(live.client_side))
            }
            Whose::Reported { id, client_side } => (Some(id), Some(client_side)),
        };
        MessageEvent {
            number: self.message_count,
            packet: seen.packet,
            time: seen.time,
            elapsed_us: seen.elapsed_us,
            encapsulation: seen.encapsulation,
            carrier: channel.carrier,
            source: channel.address(seen.from),
            target: channel.address(seen.from.opposite()),
            direction: direction_of(seen, client_side, channel),
            message: seen.message,
            conversation,
            meaning: place.meaning,
            session: channel.session(),
            router_ns: delivered.map(|delivered| delivered.router_ns),
            sent_as: delivered.map(|delivered| delivered.sent_as),
            destination_hash: match place {
                Placement {
                    conversation: Whose::Tracked(slot),
                    meaning: Meaning::Opens,
                } => records.details(slot).client_hash(),
                _ => None,
            },
            findings: self.remarks.findings(),
        }
    }
}

fn direction_of(
    seen: &Observation<'_>,
    client_side: Option<Side>,
    channel: &Channel,
) -> Option<Direction> {
    seen.message
        .frame()
        .and_then(|frame| frame.frame_type.direction())
        .or_else(|| client_side.map(|client_side| seen.direction(client_side)))
        .or_else(|| channel.role_of(seen.from))
}

#[cfg(test)]
mod tests;
