//! Which conversations are tracked: how they begin, are found by their ids, end
//! and are told, and what is remembered of them then.

mod disorder;
mod look_ahead;
mod losses;
mod progress;
mod stalls;

use std::collections::VecDeque;

pub(crate) use look_ahead::{ExpectedRecord, Prospect};

use super::channel::{ChannelId, Channels};
use super::deadlines::{Deadlines, Due};
use super::event::{Conversation, ConversationId};
use super::finding::{Finding, FindingCode, Level};
use super::id_table::{IdKey, IdTable, KeyHasher, Space};
use super::observation::{EndOfInput, Observation, TrackerEvent};
use super::options::{Destinations, TrackerOptions};
use super::records::{NewRecord, Records, Slot};
use super::remarks::{Remarks, Words};
use super::router::Delivered;
use super::state::{ConversationState, Phase, Stimulus};
use super::tombstone::{Tombstone, Tombstones};
use super::views::Views;
use crate::net::Side;
use crate::time::{SECOND_NS, Timestamp};
use crate::wire::{ClientId, DestinationHash, ServerId};

/// A SYN that waits for less when the capture ends may yet be answered: the
/// reference's accept timeout.
const ACCEPT_LIMIT_NS: i64 = 5 * SECOND_NS;

/// Bytes that a tracked conversation is reckoned to take: its record (128), its
/// ids (up to 43), its place in the list of its channel and among the deadlines.
pub(super) const CONVERSATION_BYTES: usize = 208;

/// The same for the hash of its destination.
const HASH_BYTES: usize = 96;

/// The same for what is kept of a view at a router.
const VIEW_BYTES: usize = 256;

/// Why a conversation is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is over, or its id is used anew.
    Over,
    /// Its memory is needed.
    Evicted,
    /// Its channel is gone.
    ChannelClosed,
    /// The memory of its channel is needed.
    ChannelEvicted,
    Input(EndOfInput),
}

/// What was forgotten for want of memory, by a [`Tracker`](super::Tracker).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Conversations that were reported as they stood.
    pub conversations: u64,
    /// Conversations that were told, of which late messages are no longer recognised.
    pub closed_conversations: u64,
    /// When the first of either was.
    pub conversations_since: Option<Timestamp>,
    /// The same for the latter.
    pub closed_conversations_since: Option<Timestamp>,
}

/// The conversations that are tracked, and all by which they are found.
#[derive(Debug)]
pub(super) struct Registry {
    handshake_limit_ns: i64,
    linger_ns: i64,
    max_lingering: usize,
    conversation_limit: usize,
    pub(super) destinations: Destinations,
    pub(super) channels: Channels,
    pub(super) records: Records,
    ids: IdTable,
    /// The conversation that was found last: messages come in runs of one.
    found_last: Slot,
    views: Views,
    deadlines: Deadlines,
    tombstones: Tombstones,
    /// Channels that have ended, kept until what their sessions sent at last must have
    /// come out of the router.
    closing: VecDeque<(Timestamp, ChannelId)>,
    pub(super) events: VecDeque<TrackerEvent>,
    /// Bytes that the records are reckoned to take.
    bytes: usize,
    conversation_count: u64,
    evicted_count: u64,
    evicted_since: Option<Timestamp>,
    /// Whether a channel was forgotten for want of memory, with ids that it had announced.
    has_evicted_channels: bool,
    /// Conversations with an id that nothing announced yet.
    assumed_count: usize,
    /// What is told at the end of the input, and when that is.
    last_endings: Option<(std::vec::IntoIter<Slot>, Timestamp, EndOfInput)>,
}

impl Registry {
    pub(super) fn new(options: &TrackerOptions) -> Self {
        let hasher = KeyHasher::default();
        let tombstone_limit = options.tombstone_bytes.min(options.memory_bytes / 2);
        Self {
            handshake_limit_ns: options.handshake_limit_ns,
            linger_ns: options.linger_ns,
            max_lingering: options.max_lingering.max(1),
            conversation_limit: options.memory_bytes - tombstone_limit,
            destinations: options.destinations,
            channels: Channels::new(),
            records: Records::new(),
            ids: IdTable::new(hasher.clone()),
            found_last: 0,
            views: Views::default(),
            deadlines: Deadlines::new(),
            tombstones: Tombstones::new(hasher, tombstone_limit),
            closing: VecDeque::new(),
            events: VecDeque::new(),
            bytes: 0,
            conversation_count: 0,
            evicted_count: 0,
            evicted_since: None,
            has_evicted_channels: false,
            assumed_count: 0,
            last_endings: None,
        }
    }

    /// Takes note that bytes of a channel, or of a message on it, are missing from the capture.
    pub(super) fn note_gap(&mut self, channel: ChannelId) {
        self.channels.get_mut(channel).has_gaps = true;
    }

    /// Buckets that look-ups of ids have read so far.
    #[cfg(test)]
    pub(super) fn reads(&self) -> u64 {
        self.ids.reads()
    }

    pub(super) const fn conversation_count(&self) -> u64 {
        self.conversation_count
    }

    /// Bytes that everything here is reckoned to take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes + self.views.bytes() + self.tombstones.bytes()
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        Forgotten {
            conversations: self.evicted_count,
            closed_conversations: self.tombstones.evicted(),
            conversations_since: self.evicted_since,
            closed_conversations_since: self.tombstones.evicted_since(),
        }
    }

    /// Whether an id that nobody announced may be one that was forgotten.
    pub(super) fn forgets(&self) -> bool {
        self.has_evicted_channels || self.forgotten() != Forgotten::default()
    }

    /// Begins a conversation whose SYN, or whose first message without one, is `seen`.
    pub(super) fn open(
        &mut self,
        seen: &Observation<'_>,
        client_side: Side,
        phase: Phase,
        remarks: &Remarks,
    ) -> Slot {
        let price = self.price(seen.channel);
        if self.is_short_of(price) && self.records.len() > 0 {
            self.evict_silent(seen.time, remarks);
        }
        self.bytes += price;
        self.conversation_count += 1;
        let channel = self.channels.get_mut(seen.channel);
        let slot = self.records.insert(&NewRecord {
            number: self.conversation_count,
            channel: seen.channel.slot,
            channel_position: channel.slots.as_slice().len() as u32,
            client_side,
            phase,
            time: seen.time,
            elapsed_us: seen.elapsed_us,
            message: remarks.message(),
        });
        channel.slots.push(slot);
        if phase == Phase::SynSent {
            self.wait_for_answer(slot, seen.time);
        }
        slot
    }

    /// Whether so many bytes more are too many.
    const fn is_short_of(&self, bytes: usize) -> bool {
        self.bytes + self.views.bytes() + bytes > self.conversation_limit
    }

    fn wait_for_answer(&mut self, slot: Slot, now: Timestamp) {
        let until = now.plus_nanos(self.handshake_limit_ns);
        self.deadlines.wait_for_answer(slot, until, &self.records);
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
        if let Some(oldest) = self.ids.insert(key, slot, &mut self.records) {
            self.count_evicted(now);
            self.end(oldest, now, Ending::Evicted, remarks);
        }
    }

    /// The conversations that an id stands for, in the order in which they opened.
    pub(super) fn namesakes(&self, key: IdKey) -> Vec<Slot> {
        self.ids.all(key, &self.records)
    }

    /// The one that opened last.
    pub(super) fn latest(&self, key: IdKey) -> Option<Slot> {
        self.ids.latest(key, &self.records)
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
        let found = self.find_any(key, expected)?;
        if !self.records.live(found).shares_ids() {
            return self.may_be_with(found, addressee).then_some(found);
        }
        let rank = |slot: &Slot| match (stimulus, self.records.live(*slot).phase.state()) {
            (Stimulus::Ack, ConversationState::SynSent | ConversationState::NoAnswer) => 0,
            (_, ConversationState::Open) => 1,
            (_, ConversationState::SynSent | ConversationState::NoAnswer) => 2,
            _ => OVER,
        };
        const OVER: u8 = 3;
        let candidates = self.namesakes(key);
        let mut candidates: Vec<Slot> = candidates
            .into_iter()
            .filter(|slot| self.may_be_with(*slot, addressee))
            .collect();
        // The oldest of those that wait for it, or the latest of those that are over.
        match candidates.iter().map(rank).min()? {
            OVER => candidates.pop(),
            best => candidates.into_iter().find(|slot| rank(slot) == best),
        }
    }

    /// The open conversation that data with this id go on with, where that alone is what they
    /// do, and nothing else is due at `time`. Perhaps it is the `expected` one.
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
        let found = self.find_any(key, expected)?;
        // On I2CP each message is compared with its other view.
        let runs = self.records.live(found).is_running()
            && self.channels.get(key.channel).session().is_none();
        runs.then_some(found)
    }

    /// A conversation that has this id, perhaps one of several; perhaps the `expected` one.
    #[inline]
    fn find_any(&mut self, key: IdKey, expected: Option<ExpectedRecord>) -> Option<Slot> {
        let likely = expected.map_or(self.found_last, |expected| expected.0);
        let found = if self.ids.is_only(likely, key, &self.records) {
            likely
        } else {
            self.ids.find(key, &self.records)?
        };
        self.found_last = found;
        Some(found)
    }

    /// The conversation that is over, told, and had this id last.
    pub(super) fn find_told(
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

    /// Whether the far end of a conversation may be this destination.
    fn may_be_with(&self, slot: Slot, addressee: Option<DestinationHash>) -> bool {
        let Some(addressee) = addressee else {
            return true;
        };
        self.records
            .details(slot)
            .far_hash()
            .is_none_or(|far| far == addressee)
    }

    /// The conversation without a known client that has this server id, if it is
    /// the only one: behind a router two servers may have chosen the same.
    pub(super) fn find_headless(
        &self,
        key: IdKey,
        addressee: Option<DestinationHash>,
    ) -> Option<Slot> {
        let mut headless = self.namesakes(key).into_iter().filter(|slot| {
            self.records.live(*slot).is_headless() && self.may_be_with(*slot, addressee)
        });
        match (headless.next(), headless.next()) {
            (Some(slot), None) => Some(slot),
            _ => None,
        }
    }

    /// Keeps a conversation that was closed for late messages, and tells those
    /// that it crowds out.
    pub(super) fn linger(&mut self, slot: Slot, now: Timestamp, remarks: &Remarks) {
        let until = now.plus_nanos(self.linger_ns);
        self.deadlines.linger(slot, until, &self.records);
        while let Some(over) = self
            .deadlines
            .crowded_out(self.max_lingering, &self.records)
        {
            self.end(over, now, Ending::Over, remarks);
        }
    }

    /// Sees to everything whose time is over.
    #[inline]
    pub(super) fn expire(&mut self, now: Timestamp, remarks: &Remarks) {
        // What routers hold grows without a new conversation.
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
                    self.give_up_answer(slot, now, Level::Warn, remarks);
                    let until = now.plus_nanos(self.linger_ns);
                    self.deadlines
                        .wait_for_late_answer(slot, until, &self.records);
                }
                Due::Over(slot) => self.end(slot, now, Ending::Over, remarks),
            }
        }
        self.close_waiting(now, remarks);
    }

    /// By what a SYN that carries no destination is found again.
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

    /// Forgets a channel; what was open on it is over, and told in the order in
    /// which it opened.
    pub(super) fn close_channel(
        &mut self,
        channel: ChannelId,
        now: Timestamp,
        ending: Ending,
        remarks: &Remarks,
    ) {
        let mut slots = self.channels.get(channel).slots.as_slice().to_vec();
        self.channels.end_session(channel);
        self.has_evicted_channels |= ending == Ending::ChannelEvicted;
        if ending == Ending::ChannelClosed && self.puts_off_end(channel, now, remarks) {
            return;
        }
        slots.sort_unstable_by_key(|slot| self.records.live(*slot).id());
        for slot in slots {
            if ending == Ending::ChannelEvicted && !self.records.live(slot).phase.is_closed() {
                self.count_evicted(now);
            }
            self.end(slot, now, ending, remarks);
        }
        self.channels.forget(channel);
    }

    fn count_evicted(&mut self, now: Timestamp) {
        self.evicted_count += 1;
        self.evicted_since.get_or_insert(now);
    }

    /// From now on everything that is tracked is told, in the order in which it opened:
    /// one whenever what was told before is taken.
    pub(super) fn end_all(&mut self, now: Timestamp, end: EndOfInput) {
        let slots = self.slots_in_order();
        self.last_endings = Some((slots.into_iter(), now, end));
    }

    /// Whether [`next_event`](Self::next_event) has something.
    #[inline]
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty() || self.last_endings.is_some()
    }

    /// The next thing that happened apart from messages.
    pub(super) fn next_event(&mut self, remarks: &Remarks) -> Option<TrackerEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let (slots, now, end) = self.last_endings.as_mut()?;
            let (now, end) = (*now, *end);
            let Some(slot) = slots.next() else {
                self.last_endings = None;
                return None;
            };
            self.end(slot, now, Ending::Input(end), remarks);
        }
    }

    /// All tracked conversations as they stand, in the order in which they opened.
    pub(super) fn tracked(&self) -> Vec<Conversation> {
        self.slots_in_order()
            .into_iter()
            .map(|slot| self.describe(slot))
            .collect()
    }

    fn slots_in_order(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.records.slots().collect();
        slots.sort_unstable_by_key(|slot| self.records.live(*slot).id());
        slots
    }

    /// Tells the tenth of the conversations that was silent for the longest time.
    fn evict_silent(&mut self, now: Timestamp, remarks: &Remarks) {
        let records = &self.records;
        let mut by_silence: Vec<(Timestamp, ConversationId, Slot)> = records
            .slots()
            .map(|slot| (records.live(slot).end, records.live(slot).id(), slot))
            .collect();
        let count = by_silence.len() / 10 + 1;
        if count < by_silence.len() {
            by_silence.select_nth_unstable(count);
            by_silence.truncate(count);
        }
        by_silence.sort_unstable();
        for (_, _, slot) in by_silence {
            // A closed one leaves its tombstone and nothing is lost.
            if !self.records.live(slot).phase.is_closed() {
                self.count_evicted(now);
            }
            self.end(slot, now, Ending::Evicted, remarks);
        }
    }

    fn give_up_answer(&mut self, slot: Slot, now: Timestamp, level: Level, remarks: &Remarks) {
        let live = self.records.live_mut(slot);
        live.phase = Phase::NoAnswer;
        let id = live.id();
        let waited_us = now.micros_since(self.records.details(slot).start).max(0);
        self.find_late(slot, FindingCode::SynNoAnswer, level, None, remarks, || {
            let text = format!(
                "SYN of {id} not answered within {}.{:03} s",
                waited_us / 1_000_000,
                waited_us / 1_000 % 1_000
            );
            (text, Vec::new())
        });
    }

    /// A finding about a conversation that no new message brings about: on
    /// `message`, or else on its first one.
    fn find_late(
        &mut self,
        slot: Slot,
        code: FindingCode,
        level: Level,
        message: Option<u64>,
        remarks: &Remarks,
        words: impl FnOnce() -> Words,
    ) {
        let details = self.records.details_mut(slot);
        details.finding_count = details.finding_count.saturating_add(1);
        let message = message.unwrap_or(details.first_message);
        let (text, detail) = remarks.words(words);
        self.events.push_back(TrackerEvent::Finding(Finding {
            code,
            level,
            message: Some(message),
            packet: None,
            conversation: Some(self.records.live(slot).id()),
            text,
            detail,
        }));
    }

    /// Tells a conversation and tracks it no more.
    pub(super) fn end(&mut self, slot: Slot, now: Timestamp, ending: Ending, remarks: &Remarks) {
        let live = self.records.live(slot);
        let (phase, id) = (live.phase, live.id());
        let (ended, ending) = match self.channels.ended(live.channel) {
            // Its end was put off, for what was in the router.
            Some(at) => (at, Ending::ChannelClosed),
            None => (now, ending),
        };
        match (phase, ending) {
            (Phase::SynSent, Ending::ChannelClosed | Ending::Input(EndOfInput::Complete)) => {
                let waited_ns = ended.nanos_since(self.records.details(slot).start);
                let level = if waited_ns < ACCEPT_LIMIT_NS {
                    Level::Note
                } else {
                    Level::Warn
                };
                self.give_up_answer(slot, ended, level, remarks);
            }
            (Phase::Open, Ending::ChannelClosed | Ending::Input(EndOfInput::Complete)) => {
                let (code, level) = (FindingCode::NoClose, FindingCode::NoClose.level());
                self.find_late(slot, code, level, None, remarks, || {
                    let what = match ending {
                        Ending::ChannelClosed => "its carrier",
                        _ => "the capture",
                    };
                    (format!("{id} is open when {what} ends"), Vec::new())
                });
                self.find_stall(slot, ended, remarks);
            }
            _ => {}
        }
        self.find_never_announced(slot, remarks);
        self.find_lost(slot, now, ending, remarks);
        self.forget_ids(slot);
        self.events
            .push_back(TrackerEvent::Ended(Box::new(self.describe(slot))));
        let (channel, _) = self.channels.at(self.records.live(slot).channel);
        // Of a channel that is gone nothing comes late.
        if phase.is_closed() && matches!(ending, Ending::Over | Ending::Evicted) {
            self.bury(slot, channel, now);
        }
        self.bytes -= self.price(channel);
        self.remove_from_channel(slot);
        self.records.remove(slot);
    }

    fn bury(&mut self, slot: Slot, channel: ChannelId, now: Timestamp) {
        let live = self.records.live(slot);
        let until = live.end.plus_nanos(self.linger_ns);
        let far = self.records.details(slot).far_hash();
        let tombstone = Tombstone::new(live, channel.serial, far, until);
        self.tombstones.push(tombstone, now);
    }

    fn forget_ids(&mut self, slot: Slot) {
        let live = self.records.live(slot);
        let (channel, _) = self.channels.at(live.channel);
        let client_side = live.client_side;
        let key = |owner, space, id| IdKey {
            channel,
            owner,
            space,
            id,
        };
        if let Some(ClientId(id)) = live.client_id() {
            self.ids.remove(key(client_side, Space::Client, id), slot);
            if let Some(content) = self.records.details(slot).syn_content() {
                self.views.forget_unlinked((id, content), slot);
            }
        }
        if let Some(ServerId(id)) = live.server_id() {
            let server_side = client_side.opposite();
            self.ids.remove(key(server_side, Space::Server, id), slot);
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

    /// Bytes that a conversation on this channel is reckoned to take.
    fn price(&self, channel: ChannelId) -> usize {
        let hash = match self.destinations {
            Destinations::Skip => 0,
            Destinations::Hash | Destinations::Pseudonyms(_) => HASH_BYTES,
        };
        let view = match self.channels.get(channel).session() {
            Some(_) => HASH_BYTES + VIEW_BYTES,
            None => 0,
        };
        CONVERSATION_BYTES + hash + view
    }

    fn describe(&self, slot: Slot) -> Conversation {
        let (live, details) = (self.records.live(slot), self.records.details(slot));
        let (_, channel) = self.channels.at(live.channel);
        let (far_hash, client_hash) = (details.far_hash(), details.client_hash());
        let mut client = channel.party(live.client_side, far_hash);
        let mut server = channel.party(live.client_side.opposite(), far_hash);
        let at_router = details.router.as_deref();
        let far_nickname = at_router.and_then(|router| router.far_nickname.clone());
        if channel.session().is_none() {
            (client.hash, server.hash) = (client_hash, None);
        } else if live.client_side == Side::Responder {
            client.nickname = far_nickname;
        } else {
            server.nickname = far_nickname;
            client.hash = client.hash.or(client_hash);
        }
        let [c2s, s2c] = live.tallies;
        Conversation {
            id: live.id(),
            carrier: channel.carrier,
            client,
            server,
            client_id: live.client_id(),
            server_id: live.server_id(),
            state: live.state(),
            start: details.start,
            start_us: details.start_us,
            end: live.end,
            handshake_ns: details.handshake.get(),
            first_byte_ns: details.first_byte.get(),
            c2s,
            s2c,
            finding_count: u64::from(details.finding_count),
            peer_view: at_router.and_then(|router| router.peer_view),
            router: at_router.and_then(|router| router.time),
        }
    }
}
