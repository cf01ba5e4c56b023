//! The tracked conversations: how they begin, are found by their ids, end and are reported, and the
//! remains of them that are remembered then.
//!
//! The registry joins its parts, each of which has one concern, in a file of its own: `names` has
//! the ids, `assumed` those that nothing announced yet, `memory` the bytes, `postponed` the ends
//! that are put off, `events` those waiting to be polled. `stalls` and `losses` judge a
//! conversation's silence and its end, `look_ahead` prefetches.

mod assumed;
mod describe;
mod ending;
mod events;
mod look_ahead;
mod losses;
mod memory;
mod names;
mod postponed;
mod stalls;

use assumed::{Assumed, Disorder};
use describe::describe;
pub(super) use ending::Ending;
use events::{Events, LateFinding};
use look_ahead::LookAhead;
pub(crate) use look_ahead::Prospect;
use losses::{ROUTER_GRACE_NS, ViewEnd};
#[cfg(test)]
pub(super) use memory::CONVERSATION_BYTES;
pub use memory::Forgotten;
use memory::{Evictions, Memory};
pub(crate) use names::ExpectedRecord;
use names::Names;
use postponed::Postponed;
use stalls::Silence;

use super::channel::{ChannelId, ChannelStart, Channels};
use super::deadlines::{Deadlines, Due};
use super::event::Conversation;
use super::finding::FindingCode;
use super::id::ConversationId;
use super::id_table::{IdKey, KeyHasher, Space};
use super::observation::{EndOfInput, Observation, TrackerEvent};
use super::options::{Destinations, TrackerOptions};
use super::records::{NewRecord, Records, Slot, Span};
use super::remarks::Remarks;
use super::router::Delivered;
use super::stall;
use super::state::{Occurrence, Phase, Stimulus};
use super::tombstone::{Tombstone, Tombstones};
use super::views::Views;
use crate::net::Side;
use crate::time::{SECOND_NS, Timestamp};
use crate::wire::{ClientId, DestinationHash, Direction, RawFrame, ServerId, StreamId};

/// A SYN that waits for less when the capture ends may yet be answered: the
/// reference's accept timeout.
const ACCEPT_LIMIT_NS: i64 = 5 * SECOND_NS;

/// The conversations that are tracked, and all by which they are found.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) destinations: Destinations,
    pub(super) channels: Channels,
    pub(super) records: Records,
    names: Names,
    assumed: Assumed,
    views: Views,
    deadlines: Deadlines,
    tombstones: Tombstones,
    postponed: Postponed,
    events: Events,
    memory: Memory,
    evictions: Evictions,
    conversation_count: u64,
}

impl Registry {
    pub(super) fn new(options: &TrackerOptions) -> Self {
        let hasher = KeyHasher::default();
        let tombstone_limit = options.tombstone_bytes.min(options.memory_bytes / 2);
        Self {
            destinations: options.destinations,
            channels: Channels::new(),
            records: Records::new(),
            names: Names::new(hasher.clone()),
            assumed: Assumed::default(),
            views: Views::default(),
            deadlines: Deadlines::new(options),
            tombstones: Tombstones::new(hasher, tombstone_limit),
            postponed: Postponed::default(),
            events: Events::default(),
            memory: Memory::new(options, options.memory_bytes - tombstone_limit),
            evictions: Evictions::default(),
            conversation_count: 0,
        }
    }

    /// Takes note that bytes of a channel, or of a message on it, are missing from the capture.
    pub(super) fn note_gap(&mut self, channel: ChannelId) {
        self.channels.get_mut(channel).has_gaps = true;
    }

    /// Buckets that look-ups of ids have read so far.
    #[cfg(test)]
    pub(super) fn reads(&self) -> u64 {
        self.names.ids.reads()
    }

    pub(super) const fn conversation_count(&self) -> u64 {
        self.conversation_count
    }

    /// Bytes that everything here is reckoned to take.
    pub(super) fn bytes(&self) -> usize {
        self.memory.taken + self.shared_bytes() + self.tombstones.bytes()
    }

    /// Those that belong to several conversations.
    fn shared_bytes(&self) -> usize {
        self.views.bytes() + self.names.ids.namesake_bytes()
    }

    /// Whether so many bytes more are too many.
    fn is_short_of(&self, bytes: usize) -> bool {
        self.memory.is_short_of(self.shared_bytes() + bytes)
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        Forgotten {
            conversations: self.evictions.conversations,
            closed_conversations: self.tombstones.evicted(),
            conversations_since: self.evictions.since,
            closed_conversations_since: self.tombstones.evicted_since(),
        }
    }

    /// Whether an id that nobody announced may be one that was forgotten.
    pub(super) fn forgets(&self) -> bool {
        self.evictions.has_channels || self.forgotten() != Forgotten::default()
    }

    /// The tables that can be prefetched from.
    #[inline]
    pub(super) const fn look_ahead(&self) -> LookAhead<'_> {
        LookAhead {
            ids: &self.names.ids,
            records: &self.records,
            channels: &self.channels,
            deadlines: &self.deadlines,
            tombstones: &self.tombstones,
        }
    }

    const fn disorder(&self) -> Disorder<'_> {
        Disorder {
            ids: &self.names.ids,
            records: &self.records,
            channels: &self.channels,
            deadlines: &self.deadlines,
        }
    }

    /// Begins a conversation whose SYN, or whose first message without one, is `seen`.
    pub(super) fn open(
        &mut self,
        seen: &Observation<'_>,
        client_side: Side,
        phase: Phase,
        remarks: &Remarks,
    ) -> Slot {
        let price = self.memory.price(self.channels.get(seen.channel));
        if self.is_short_of(price) && self.records.len() > 0 {
            self.evict_silent(seen.time, remarks);
        }
        self.memory.taken += price;
        self.conversation_count += 1;
        let channel = self.channels.get_mut(seen.channel);
        let slot = self.records.insert(&NewRecord {
            number: self.conversation_count,
            channel: seen.channel.slot,
            // A channel has no more of them than there are slots.
            channel_position: channel.slots.as_slice().len() as u32,
            client_side,
            phase,
            time: seen.time,
            elapsed_us: seen.elapsed_us,
            message: remarks.message(),
        });
        channel.slots.push(slot);
        if phase == Phase::SynSent {
            self.deadlines
                .wait_for_answer(slot, seen.time, &self.records);
        }
        slot
    }

    /// Of the conversations with the id of a SYN, the one that it opens and that was
    /// answered a moment ago.
    pub(super) fn answered_before(&self, namesakes: &[Slot], now: Timestamp) -> Option<Slot> {
        self.disorder().answered_before(namesakes, now)
    }

    /// The SYN of a conversation that was answered a moment ago.
    pub(super) fn open_late(
        &mut self,
        slot: Slot,
        from: Side,
        client_hash: Option<DestinationHash>,
    ) {
        self.assumed
            .open_late(slot, from, client_hash, &mut self.records, &self.channels);
    }

    /// Makes the client's id of a conversation known.
    pub(super) fn name_client(
        &mut self,
        channel: ChannelId,
        slot: Slot,
        id: ClientId,
        now: Timestamp,
        remarks: &Remarks,
    ) {
        let live = self.records.live_mut(slot);
        live.set_client_id(id);
        let key = IdKey {
            channel,
            owner: live.client_side,
            space: Space::Client,
            id: id.0,
        };
        self.insert_id(key, slot, now, remarks);
    }

    /// Makes the server's id of a conversation known.
    pub(super) fn name_server(
        &mut self,
        channel: ChannelId,
        slot: Slot,
        id: ServerId,
        now: Timestamp,
        remarks: &Remarks,
    ) {
        let live = self.records.live_mut(slot);
        live.set_server_id(id);
        let key = IdKey {
            channel,
            owner: live.client_side.opposite(),
            space: Space::Server,
            id: id.0,
        };
        self.insert_id(key, slot, now, remarks);
    }

    fn insert_id(&mut self, key: IdKey, slot: Slot, now: Timestamp, remarks: &Remarks) {
        if let Some(oldest) = self.names.ids.insert(key, slot, &mut self.records) {
            self.evictions.count(now);
            self.end(oldest, now, Ending::Evicted, remarks);
        }
    }

    /// The conversations that an id stands for, in the order in which they opened.
    pub(super) fn namesakes(&self, key: IdKey) -> Vec<Slot> {
        self.names.ids.all(key, &self.records)
    }

    /// The one that opened last.
    pub(super) fn latest(&self, key: IdKey) -> Option<Slot> {
        self.names.ids.latest(key, &self.records)
    }

    /// The conversation that a message to `addressee` with this id is about; perhaps it
    /// is the `expected` one.
    #[inline]
    pub(super) fn find(
        &mut self,
        key: IdKey,
        stimulus: Stimulus,
        addressee: Option<DestinationHash>,
        expected: Option<ExpectedRecord>,
    ) -> Option<Slot> {
        self.names
            .find(key, stimulus, addressee, expected, &self.records)
    }

    /// The open conversation that data with this id go on with, if they have no other effect and
    /// nothing else is due at `time`. Perhaps it is the `expected` one.
    #[inline]
    pub(super) fn find_running(
        &mut self,
        key: IdKey,
        time: Timestamp,
        expected: Option<ExpectedRecord>,
    ) -> Option<Slot> {
        if self.deadlines.is_due(time) || self.is_short_of(0) {
            return None;
        }
        let found = self.names.find_any(key, expected, &self.records)?;
        // On I2CP each message is compared with its other view.
        let runs = self.records.live(found).is_running()
            && self.channels.get(key.channel).session().is_none();
        runs.then_some(found)
    }

    /// The conversation that is over, was reported, and had this id last.
    pub(super) fn find_reported(
        &mut self,
        key: IdKey,
        addressee: Option<DestinationHash>,
        now: Timestamp,
    ) -> Option<Tombstone> {
        self.tombstones
            .find(key, now)
            .filter(|tombstone| tombstone.may_be_with(addressee))
            .cloned()
    }

    /// The conversation without a known client whose server id an ACK announces
    /// only now: of a connection that began before the capture, one direction may
    /// be readable before the other.
    pub(super) fn find_announced(
        &self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
    ) -> Option<Slot> {
        let key = server_key(seen, frame.announced_id()?);
        self.names.find_headless(key, seen.addressee, &self.records)
    }

    /// The conversation that has the id which a server gives to this one.
    pub(super) fn user_of_server_id(
        &self,
        seen: &Observation<'_>,
        slot: Slot,
        server_id: ServerId,
    ) -> Option<Slot> {
        let far_hash = self.records.details(slot).far_hash();
        // Behind a router, two peers of one session may choose the same id.
        self.namesakes(server_key(seen, server_id))
            .into_iter()
            .find(|other| {
                seen.from == Side::Initiator || self.records.details(*other).far_hash() == far_hash
            })
    }

    /// A server has accepted with this id; nanoseconds since the SYN, if it was seen.
    pub(super) fn accept(
        &mut self,
        time: Timestamp,
        slot: Slot,
        server_id: ServerId,
    ) -> Option<i64> {
        self.assumed.clear(slot, &mut self.records);
        if self.records.live(slot).server_id() != Some(server_id) {
            self.names
                .forget_server(slot, &mut self.records, &self.channels);
        }
        let handshake_ns = self.records.since_syn(time, slot);
        self.records.details_mut(slot).handshake = Span::new(handshake_ns);
        handshake_ns
    }

    /// Takes note that an id was taken for this conversation's before anything announced it.
    pub(super) fn set_assumed(&mut self, slot: Slot, message: u64) {
        self.assumed.set(slot, message, &mut self.records);
    }

    /// Takes an id that nobody announced for that of the oldest conversation which waits
    /// for its ACK, if the ACK can be late or in a gap.
    pub(super) fn assume_announced(
        &mut self,
        seen: &Observation<'_>,
        id: StreamId,
        direction: Direction,
        remarks: &Remarks,
    ) -> Option<Slot> {
        let channel = self.channels.get(seen.channel);
        // Before the capture ids were announced to conversations that nobody saw open.
        if direction != Direction::ClientToServer || channel.start == ChannelStart::Missed {
            return None;
        }
        let slot = self
            .disorder()
            .waiting_for_ack(seen.channel, seen.from, seen.time)?;
        self.set_assumed(slot, remarks.message());
        let channel = self.channels.get(seen.channel);
        if channel.has_gaps {
            self.records
                .live_mut(slot)
                .undergo(Occurrence::AckInGap, channel);
        }
        self.name_server(seen.channel, slot, ServerId(id), seen.time, remarks);
        Some(slot)
    }

    /// An answer shows whether messages were assumed to be this conversation's rightly. If not,
    /// they go to another one, and this one gets those assumed to be the other's.
    #[inline]
    pub(super) fn check_assumed(
        &mut self,
        seen: &Observation<'_>,
        slot: Slot,
        announced: Option<ServerId>,
        remarks: &Remarks,
    ) {
        if !self.assumed.is_empty() {
            self.exchange_assumed(seen, slot, announced, remarks);
        }
    }

    fn exchange_assumed(
        &mut self,
        seen: &Observation<'_>,
        slot: Slot,
        announced: Option<ServerId>,
        remarks: &Remarks,
    ) {
        let other = self
            .disorder()
            .counterpart(seen.channel, slot, announced, seen.time);
        let Some(other) = other else {
            return;
        };
        let server_ids = [slot, other].map(|slot| {
            self.names
                .forget_server(slot, &mut self.records, &self.channels)
        });
        let assumed_by = self.assumed.exchange([slot, other], &mut self.records);
        for (slot, (message, server_id)) in [other, slot]
            .into_iter()
            // Crosswise: each gets the mark and the id of the other.
            .zip(assumed_by.into_iter().zip(server_ids))
        {
            if let Some(id) = server_id {
                self.name_server(seen.channel, slot, id, seen.time, remarks);
            }
            if let Some(message) = message {
                self.set_assumed(slot, message.get());
            }
        }
        for slot in [slot, other] {
            match self.records.live(slot).phase() {
                phase if phase.is_closed() => {
                    self.deadlines.linger(slot, seen.time, &self.records);
                }
                Phase::SynSent => {
                    self.deadlines
                        .wait_for_answer(slot, seen.time, &self.records);
                }
                _ => {}
            }
        }
        self.report_crowded_out(&[slot, other], seen.time, remarks);
    }

    /// Whether the server's close of a conversation, if it comes next, may be a refusal.
    pub(super) fn may_be_refused(&self, slot: Slot) -> bool {
        let live = self.records.live(slot);
        live.tallies[Direction::ServerToClient as usize].message_count == 0
            && !self.channels.at(live.channel).1.has_gaps
    }

    /// Data come that may be, or become, a stall.
    #[cold]
    pub(super) fn go_on(
        &mut self,
        slot: Slot,
        by: Direction,
        now: Timestamp,
        payload: &[u8],
        remarks: &mut Remarks,
    ) {
        Silence::of(slot, &mut self.records, &self.channels).go_on(by, now, payload, remarks);
    }

    /// One side closes, perhaps because of missing bytes.
    pub(super) fn close_in_silence(
        &mut self,
        slot: Slot,
        by: Direction,
        now: Timestamp,
        remarks: &mut Remarks,
    ) {
        Silence::of(slot, &mut self.records, &self.channels).close(by, now, remarks);
    }

    /// Keeps a conversation that was closed for late messages, and reports those
    /// that it crowds out.
    pub(super) fn linger(&mut self, slot: Slot, now: Timestamp, remarks: &Remarks) {
        self.deadlines.linger(slot, now, &self.records);
        self.report_crowded_out(&[slot], now, remarks);
    }

    /// Reports the conversations that closed ones crowd out. `latest` are among those and stay: a
    /// message of theirs is being placed.
    fn report_crowded_out(&mut self, latest: &[Slot], now: Timestamp, remarks: &Remarks) {
        while let Some(over) = self.deadlines.crowded_out(latest, &self.records) {
            self.end(over, now, Ending::Over, remarks);
        }
    }

    /// Sees to everything whose time is over.
    #[inline]
    pub(super) fn expire(&mut self, now: Timestamp, remarks: &Remarks) {
        // The bytes of router views grow without a new conversation.
        if self.is_short_of(0) && self.records.len() > 1 {
            self.evict_silent(now, remarks);
        }
        if self.deadlines.is_due(now) {
            self.expire_due(now, remarks);
        }
    }

    fn expire_due(&mut self, now: Timestamp, remarks: &Remarks) {
        while let Some(due) = self.deadlines.next(now, &self.records) {
            match due {
                Due::NoAnswer(slot) => {
                    self.give_up_answer(slot, now, Occurrence::AnswerOverdue, remarks);
                    self.deadlines
                        .wait_for_late_answer(slot, now, &self.records);
                }
                Due::Over(slot) => self.end(slot, now, Ending::Over, remarks),
            }
        }
        self.close_waiting(now, remarks);
    }

    /// The hash by which a SYN that carries no destination is found again.
    pub(super) fn fingerprint(&self, payload: &[u8]) -> u64 {
        self.views.fingerprint(payload)
    }

    /// Links a conversation that a SYN opened with its other view at a router.
    pub(super) fn meet_other_view(&mut self, seen: &Observation<'_>, slot: Slot) {
        self.views
            .meet(seen, slot, &mut self.records, &self.channels);
    }

    /// On I2CP, compares a message with its copy on the other view; returns the
    /// nanoseconds that it spent in the router.
    pub(super) fn compare_views(
        &mut self,
        seen: &Observation<'_>,
        slot: Slot,
        remarks: &mut Remarks,
    ) -> Option<Delivered> {
        self.views.compare(seen, slot, &mut self.records, remarks)
    }

    /// Forgets a channel; conversations open on it are over, and reported in the order in which
    /// they opened.
    pub(super) fn close_channel(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
        ending: Ending,
        remarks: &Remarks,
    ) {
        self.channels.end_session(channel);
        self.evictions.has_channels |= ending == Ending::ChannelEvicted;
        if ending == Ending::ChannelClosed && self.puts_off_end(channel, now, remarks) {
            return;
        }
        self.end_channel(channel, now, ending, remarks);
    }

    /// Whether a channel that has ended is kept for a while: the last messages of its session may
    /// still come out of the router.
    fn puts_off_end(&mut self, channel: ChannelId, now: Timestamp, remarks: &Remarks) -> bool {
        let since = now.plus_nanos(-ROUTER_GRACE_NS);
        let mut slots = self.channels.get(channel).slots.as_slice().iter();
        let waits = slots.any(|slot| self.views.has_sent(*slot, since, &self.records));
        if waits {
            let until = now.plus_nanos(ROUTER_GRACE_NS);
            self.postponed
                .keep_channel(channel, now, until, &mut self.records, &mut self.channels);
            self.deadlines.wake_at(until);
            self.close_waiting(now, remarks);
        }
        waits
    }

    /// Forgets the channels whose sessions ended a while ago.
    fn close_waiting(&mut self, now: Timestamp, remarks: &Remarks) {
        while let Some(channel) = self.postponed.next_channel(now) {
            self.end_channel(channel, now, Ending::ChannelClosed, remarks);
        }
        if let Some(until) = self.postponed.next_time() {
            self.deadlines.wake_at(until);
        }
    }

    fn end_channel(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
        ending: Ending,
        remarks: &Remarks,
    ) {
        let slots = self.channels.get(channel).slots.as_slice().to_vec();
        for slot in self.records.in_order(slots) {
            if ending == Ending::ChannelEvicted && !self.records.live(slot).phase().is_closed() {
                self.evictions.count(now);
            }
            self.end(slot, now, ending, remarks);
        }
        self.channels.forget(channel);
    }

    /// From now on all tracked conversations are reported, in the order in which they opened: one
    /// each time the last report has been taken.
    pub(super) fn end_all(&mut self, now: Timestamp, end: EndOfInput) {
        self.postponed
            .end_input(self.records.slots_in_order(), now, end);
    }

    /// Whether [`next_event`](Self::next_event) has something.
    #[inline]
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty() || self.postponed.has_conversations()
    }

    /// The next thing that happened apart from messages.
    pub(super) fn next_event(&mut self, remarks: &Remarks) -> Option<TrackerEvent> {
        loop {
            if let Some(event) = self.events.next() {
                return Some(event);
            }
            let (slot, now, end) = self.postponed.next_conversation()?;
            self.end(slot, now, Ending::Input(end), remarks);
        }
    }

    /// All tracked conversations as they stand, in the order in which they opened.
    pub(super) fn tracked(&self) -> Vec<Conversation> {
        let slots = self.records.slots_in_order().into_iter();
        slots
            .map(|slot| describe(slot, &self.records, &self.channels))
            .collect()
    }

    /// Reports the tenth of the conversations that was silent for the longest time.
    fn evict_silent(&mut self, now: Timestamp, remarks: &Remarks) {
        let records = &self.records;
        let mut by_silence: Vec<(Timestamp, ConversationId, Slot)> = records
            .slots()
            .map(|slot| (records.live(slot).end, records.live(slot).id(), slot))
            .collect();
        // A tenth at a time: as many openings pay for the look at all of them.
        let count = by_silence.len() / 10 + 1;
        if count < by_silence.len() {
            by_silence.select_nth_unstable(count);
            by_silence.truncate(count);
        }
        // Reports come in this order, and the selection leaves none.
        by_silence.sort_unstable();
        for (_, _, slot) in by_silence {
            // A closed one leaves its tombstone and nothing is lost.
            if !self.records.live(slot).phase().is_closed() {
                self.evictions.count(now);
            }
            self.end(slot, now, Ending::Evicted, remarks);
        }
    }

    /// A SYN has no answer any more, or none in time.
    fn give_up_answer(
        &mut self,
        slot: Slot,
        now: Timestamp,
        occurrence: Occurrence,
        remarks: &Remarks,
    ) {
        let live = self.records.live_mut(slot);
        let id = live.id();
        let change = live.undergo(occurrence, self.channels.at(live.channel).1);
        let Some((code, level)) = change.finding else {
            return;
        };
        let waited_us = now.micros_since(self.records.details(slot).start).max(0);
        let finding = LateFinding {
            level,
            ..LateFinding::new(slot, code)
        };
        self.events.find(finding, &mut self.records, remarks, || {
            let text = format!(
                "SYN of {id} not answered within {}.{:03} s",
                waited_us / 1_000_000,
                waited_us / 1_000 % 1_000
            );
            (text, Vec::new())
        });
    }

    /// Reports a conversation and tracks it no more.
    pub(super) fn end(&mut self, slot: Slot, now: Timestamp, ending: Ending, remarks: &Remarks) {
        let live = self.records.live(slot);
        let phase = live.phase();
        let (ended, ending) = match self.channels.ended(live.channel) {
            // Its end was put off, for messages in the router.
            Some(at) => (at, Ending::ChannelClosed),
            None => (now, ending),
        };
        match (phase, ending) {
            (Phase::SynSent, Ending::ChannelClosed | Ending::Input(EndOfInput::Complete)) => {
                let waited_ns = ended.nanos_since(self.records.details(slot).start);
                let occurrence = if waited_ns < ACCEPT_LIMIT_NS {
                    Occurrence::CutShort
                } else {
                    Occurrence::AnswerOverdue
                };
                self.give_up_answer(slot, ended, occurrence, remarks);
            }
            (Phase::Open, Ending::ChannelClosed | Ending::Input(EndOfInput::Complete)) => {
                self.find_no_close(slot, ended, ending, remarks);
            }
            _ => {}
        }
        // Findings first: the description counts them.
        self.find_never_announced(slot, remarks);
        self.find_losses(slot, now, ending, remarks);
        self.forget_ids(slot);
        let conversation = describe(slot, &self.records, &self.channels);
        self.events.end(conversation);
        let (id, channel) = self.channels.at(self.records.live(slot).channel);
        self.memory.taken -= self.memory.price(channel);
        // Of a channel that is gone nothing comes late.
        if phase.is_closed() && matches!(ending, Ending::Over | Ending::Evicted) {
            self.bury(slot, id, now);
        }
        self.remove_from_channel(slot);
        self.records.remove(slot);
    }

    /// A conversation was open when its carrier or the capture ended.
    fn find_no_close(&mut self, slot: Slot, now: Timestamp, ending: Ending, remarks: &Remarks) {
        let id = self.records.live(slot).id();
        let finding = LateFinding::new(slot, FindingCode::NoClose);
        self.events.find(finding, &mut self.records, remarks, || {
            let what = match ending {
                Ending::ChannelClosed => "its carrier",
                _ => "the capture",
            };
            (format!("{id} is open when {what} ends"), Vec::new())
        });
        let silence = Silence::of(slot, &mut self.records, &self.channels);
        if let Some(words) = silence.stall(now, stall::LONG_NS) {
            let finding = LateFinding::new(slot, FindingCode::LeftoverStall);
            self.events.find(finding, &mut self.records, remarks, words);
        }
    }

    fn find_never_announced(&mut self, slot: Slot, remarks: &Remarks) {
        let never_announced = self.assumed.end(slot, &mut self.records, &self.channels);
        if let Some(id) = never_announced {
            self.events
                .find(id.finding(), &mut self.records, remarks, || id.words());
        }
    }

    fn find_losses(&mut self, slot: Slot, time: Timestamp, ending: Ending, remarks: &Remarks) {
        let end = ViewEnd { slot, time, ending };
        for loss in end.losses(&mut self.views, &mut self.records, &self.channels) {
            self.events
                .find(loss.finding(), &mut self.records, remarks, || loss.words());
        }
    }

    fn bury(&mut self, slot: Slot, channel: ChannelId, now: Timestamp) {
        let live = self.records.live(slot);
        let until = self.deadlines.last_late(live.end);
        let far = self.records.details(slot).far_hash();
        let tombstone = Tombstone::new(live, channel.serial, far, until);
        self.tombstones.push(tombstone, now);
    }

    fn forget_ids(&mut self, slot: Slot) {
        self.names.forget(slot, &self.records, &self.channels);
        if let Some(ClientId(id)) = self.records.live(slot).client_id()
            && let Some(content) = self.records.details(slot).syn_content()
        {
            self.views.forget_unlinked((id, content), slot);
        }
    }

    fn remove_from_channel(&mut self, slot: Slot) {
        let position = self.records.details(slot).channel_position;
        let slots = &mut self.channels.at_mut(self.records.live(slot).channel).slots;
        slots.swap_remove(position as usize);
        if let Some(moved) = slots.as_slice().get(position as usize) {
            self.records.details_mut(*moved).channel_position = position;
        }
    }
}

/// An id that the sender of a message chose as a server.
const fn server_key(seen: &Observation<'_>, id: ServerId) -> IdKey {
    IdKey {
        channel: seen.channel,
        owner: seen.from,
        space: Space::Server,
        id: id.0,
    }
}
