//! The records of tracked conversations: the fields that every message needs in one cache line, all
//! others beside it.

use std::num::NonZeroU64;

use super::channel::Channel;
use super::event::{RouterTime, Tally};
use super::id::ConversationId;
use super::router::SynContent;
use super::stall;
use super::state::{
    Change, Circumstances, ConversationState, Occurrence, Phase, Stimulus, Transition,
};
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{ClientId, DestinationHash, Direction, ServerId, StreamId};

/// Names a record while its conversation is tracked; below 2^31.
pub(super) type Slot = u32;

/// The fields that a message of a conversation reads and writes: a cache line, held by a test.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Live {
    /// Its number; 0 marks a record that is free.
    number: u64,
    /// Time of the last message that had an effect.
    pub(super) end: Timestamp,
    pub(super) tallies: [Tally; 2],
    /// Slot of its channel; of a free record, the next free one.
    pub(super) channel: u32,
    client_id: MaybeId,
    server_id: MaybeId,
    phase: Phase,
    pub(super) client_side: Side,
    /// The direction that is read late as a whole, see [`Circumstances`].
    pub(super) late: Option<Direction>,
    marks: Marks,
}

/// Flags of a conversation, in the bits of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks(u8);

impl Marks {
    const SYN_SEEN: u8 = 1;
    const SHARES_IDS: u8 = 2;
    const ASSUMED: u8 = 4;
    const CLIENT_FILLED: u8 = 8;
    const SERVER_FILLED: u8 = 16;
    const FILLED: u8 = Self::CLIENT_FILLED | Self::SERVER_FILLED;
    const IN_BLOCKS: u8 = 32;

    const fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    const fn set(&mut self, mark: u8) {
        self.0 |= mark;
    }

    const fn clear(&mut self, mark: u8) {
        self.0 &= !mark;
    }
}

/// An id, or that it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MaybeId(u32);

impl MaybeId {
    const UNKNOWN: Self = Self(u32::MAX);

    fn get(self) -> Option<StreamId> {
        (self != Self::UNKNOWN).then(|| StreamId::from_u32(self.0))
    }
}

impl Live {
    pub(super) const fn id(&self) -> ConversationId {
        ConversationId(self.number)
    }

    pub(super) fn client_id(&self) -> Option<ClientId> {
        self.client_id.get().map(ClientId)
    }

    pub(super) fn server_id(&self) -> Option<ServerId> {
        self.server_id.get().map(ServerId)
    }

    pub(super) const fn has_client_id(&self, id: StreamId) -> bool {
        self.client_id.0 == id.to_u32()
    }

    pub(super) const fn has_server_id(&self, id: StreamId) -> bool {
        self.server_id.0 == id.to_u32()
    }

    pub(super) const fn set_client_id(&mut self, ClientId(id): ClientId) {
        self.client_id = MaybeId(id.to_u32());
    }

    pub(super) const fn set_server_id(&mut self, ServerId(id): ServerId) {
        self.server_id = MaybeId(id.to_u32());
    }

    /// Whether only messages to its server were seen.
    pub(super) fn is_headless(&self) -> bool {
        self.client_id == MaybeId::UNKNOWN
    }

    /// Forgets the server's id, which was another's.
    pub(super) const fn forget_server_id(&mut self) {
        self.server_id = MaybeId::UNKNOWN;
    }

    pub(super) const fn syn_seen(&self) -> bool {
        self.marks.has(Marks::SYN_SEEN)
    }

    pub(super) const fn note_syn(&mut self) {
        self.marks.set(Marks::SYN_SEEN);
    }

    /// Whether other tracked conversations have, or had, an id of this one.
    pub(super) const fn shares_ids(&self) -> bool {
        self.marks.has(Marks::SHARES_IDS)
    }

    pub(super) const fn note_namesake(&mut self) {
        self.marks.set(Marks::SHARES_IDS);
    }

    /// Whether an id was taken for this conversation's before anything announced it.
    pub(super) const fn is_assumed(&self) -> bool {
        self.marks.has(Marks::ASSUMED)
    }

    pub(super) const fn set_assumed(&mut self) {
        self.marks.set(Marks::ASSUMED);
    }

    pub(super) const fn clear_assumed(&mut self) {
        self.marks.clear(Marks::ASSUMED);
    }

    /// Whether it is open, has its ids for itself, and the last message was not full.
    #[inline]
    pub(super) const fn is_running(&self) -> bool {
        const APART: u8 = Marks::SHARES_IDS | Marks::FILLED;
        matches!(self.phase, Phase::Open) && !self.marks.has(APART)
    }

    /// Whose full message the last one was, if it was full.
    #[inline]
    pub(super) const fn filled_by(&self) -> Option<Direction> {
        if !self.marks.has(Marks::FILLED) {
            return None;
        }
        if self.marks.has(Marks::CLIENT_FILLED) {
            Some(Direction::ClientToServer)
        } else {
            Some(Direction::ServerToClient)
        }
    }

    /// Takes note whether the last message was full, and whose.
    #[inline]
    pub(super) const fn note_filled(&mut self, by: Option<Direction>) {
        self.marks.clear(Marks::FILLED);
        match by {
            Some(Direction::ClientToServer) => self.marks.set(Marks::CLIENT_FILLED),
            Some(Direction::ServerToClient) => self.marks.set(Marks::SERVER_FILLED),
            None => {}
        }
    }

    /// Whether full messages followed each other after a pause.
    pub(super) const fn is_in_blocks(&self) -> bool {
        self.marks.has(Marks::IN_BLOCKS)
    }

    pub(super) const fn note_blocks(&mut self) {
        self.marks.set(Marks::IN_BLOCKS);
    }

    /// The effect of the lacks and the disorder of a capture on the next message on `channel`.
    #[inline]
    pub(super) fn circumstances(&self, channel: &Channel) -> Circumstances {
        let lacks_an_id = self.client_id == MaybeId::UNKNOWN || self.server_id == MaybeId::UNKNOWN;
        Circumstances {
            awaits_ack: self.is_assumed() || (lacks_an_id && !self.syn_seen()),
            late: self.late,
            server_spoke: channel.may_lack_acks()
                && self.tallies[Direction::ServerToClient as usize].message_count > 0,
        }
    }

    #[inline]
    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Goes through the transition of a message on `channel`.
    #[inline]
    pub(super) fn advance(&mut self, stimulus: Stimulus, channel: &Channel) -> Transition {
        let circumstances = self.circumstances(channel);
        let transition = self.phase.transition(stimulus, circumstances);
        self.phase = transition.next;
        transition
    }

    /// Goes through the change that something else than a message brings; `channel` is its own.
    pub(super) fn undergo(&mut self, occurrence: Occurrence, channel: &Channel) -> Change {
        let change = self.phase.change(occurrence, self.circumstances(channel));
        self.phase = change.next;
        change
    }

    /// Exchanges with another conversation the effects of their clients' messages.
    pub(super) const fn exchange_client(&mut self, other: &mut Self) {
        let of_client = Direction::ClientToServer as usize;
        std::mem::swap(&mut self.tallies[of_client], &mut other.tallies[of_client]);
        Phase::exchange(&mut self.phase, &mut other.phase);
    }

    /// The state that is shown.
    pub(super) const fn state(&self) -> ConversationState {
        if self.syn_seen() {
            self.phase.state()
        } else {
            ConversationState::MidStream
        }
    }
}

/// The fields that are touched when a conversation opens and ends: another cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Details {
    /// Position in the channel's list.
    pub(super) channel_position: u32,
    /// Findings that name it. Nobody shows more than four billion of one conversation.
    pub(super) finding_count: u32,
    pub(super) start: Timestamp,
    pub(super) start_us: i64,
    pub(super) first_message: u64,
    pub(super) handshake: Span,
    pub(super) first_byte: Span,
    /// Fields that most conversations do not have, or that are seldom read.
    rare: Option<Box<Rare>>,
    /// Fields of conversations at a router.
    pub(super) router: Option<Box<AtRouter>>,
}

#[derive(Debug, Default)]
struct Rare {
    /// Hash of the SYN's destination.
    client_hash: Option<DestinationHash>,
    /// Bytes that the head of each direction announced; 0 where none did.
    announced: [u64; 2],
    /// The message by which an id was taken for this conversation's before anything
    /// announced it.
    assumed_by: Option<NonZeroU64>,
}

/// Nanoseconds, or that they are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(i64);

impl Span {
    pub(super) const UNKNOWN: Self = Self(i64::MIN);

    pub(super) fn new(nanos: Option<i64>) -> Self {
        Self(nanos.unwrap_or(i64::MIN))
    }

    pub(super) fn get(self) -> Option<i64> {
        (self != Self::UNKNOWN).then_some(self.0)
    }
}

/// A view of a conversation at an I2P router.
#[derive(Debug, Default)]
pub(super) struct AtRouter {
    /// Hash of the destination behind the router.
    pub(super) far_hash: Option<DestinationHash>,
    pub(super) far_nickname: Option<String>,
    /// Bytes that the SYN carries instead of a destination.
    pub(super) syn_bytes: Option<u64>,
    /// Whether the destination that the SYN went to has a session in this capture.
    pub(super) addressee_in_capture: bool,
    /// The other view.
    pub(super) peer_view: Option<ConversationId>,
    /// The comparison with it, as long as both are tracked.
    pub(super) link: Option<usize>,
    pub(super) time: Option<RouterTime>,
}

impl AtRouter {
    /// Whether the session that the SYN went to has not shown it, although it is in the
    /// capture.
    pub(super) const fn awaits_other_view(&self) -> bool {
        self.addressee_in_capture && self.peer_view.is_none()
    }
}

impl Details {
    pub(super) fn far_hash(&self) -> Option<DestinationHash> {
        self.router.as_ref().and_then(|router| router.far_hash)
    }

    pub(super) fn client_hash(&self) -> Option<DestinationHash> {
        self.rare.as_ref()?.client_hash
    }

    pub(super) fn set_client_hash(&mut self, hash: Option<DestinationHash>) {
        if hash.is_some() || self.rare.is_some() {
            self.rare.get_or_insert_default().client_hash = hash;
        }
    }

    /// Bytes that the head of a direction announced; 0 where it did not.
    pub(super) fn announced(&self, direction: Direction) -> u64 {
        self.rare
            .as_ref()
            .map_or(0, |rare| rare.announced[direction as usize])
    }

    pub(super) fn set_announced(&mut self, direction: Direction, bytes: u64) {
        self.rare.get_or_insert_default().announced[direction as usize] = bytes;
    }

    /// The message by which an id was taken for this conversation's before anything
    /// announced it.
    pub(super) fn assumed_by(&self) -> Option<NonZeroU64> {
        self.rare.as_ref()?.assumed_by
    }

    pub(super) fn set_assumed_by(&mut self, message: Option<NonZeroU64>) {
        if message.is_some() || self.rare.is_some() {
            self.rare.get_or_insert_default().assumed_by = message;
        }
    }

    /// The content of the SYN, as far as it identifies the two views of it.
    pub(super) fn syn_content(&self) -> Option<SynContent> {
        let bytes = self.router.as_ref().and_then(|router| router.syn_bytes);
        match self.client_hash() {
            Some(hash) => Some(SynContent::Destination(hash)),
            None => bytes.map(SynContent::Bytes),
        }
    }

    pub(super) fn link(&self) -> Option<usize> {
        self.router.as_ref().and_then(|router| router.link)
    }

    /// Whether the far end may be this destination.
    #[inline]
    pub(super) fn may_be_with(&self, addressee: Option<DestinationHash>) -> bool {
        let Some(addressee) = addressee else {
            return true;
        };
        self.far_hash().is_none_or(|far| far == addressee)
    }

    pub(super) fn at_router(&mut self) -> &mut AtRouter {
        self.router.get_or_insert_default()
    }

    /// Sets the destination behind the router, if there is one.
    pub(super) fn set_far_hash(&mut self, hash: Option<DestinationHash>) {
        if hash.is_some() {
            self.at_router().far_hash = hash;
        }
    }
}

/// The parameters of a new record.
#[derive(Debug)]
pub(super) struct NewRecord {
    pub(super) number: u64,
    pub(super) channel: u32,
    pub(super) channel_position: u32,
    pub(super) client_side: Side,
    pub(super) phase: Phase,
    pub(super) time: Timestamp,
    pub(super) elapsed_us: i64,
    pub(super) message: u64,
}

/// All records, by slot. Two arrays, so that the fields for one message lie in one cache line, and
/// those rarely touched do not push others out of the cache.
#[derive(Debug)]
pub(super) struct Records {
    live: Vec<Live>,
    details: Vec<Details>,
    next_free: Option<Slot>,
    len: usize,
}

const SLOTS_ARE_FEW: &str = "memory for conversations ends long before 2^31 of them";

impl Records {
    pub(super) const fn new() -> Self {
        Self {
            live: Vec::new(),
            details: Vec::new(),
            next_free: None,
            len: 0,
        }
    }

    /// Conversations that are tracked.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, new: &NewRecord) -> Slot {
        let live = Live {
            number: new.number,
            end: new.time,
            tallies: [Tally::default(); 2],
            channel: new.channel,
            client_id: MaybeId::UNKNOWN,
            server_id: MaybeId::UNKNOWN,
            phase: new.phase,
            client_side: new.client_side,
            late: None,
            marks: Marks(match new.phase {
                Phase::SynSent => Marks::SYN_SEEN,
                _ => 0,
            }),
        };
        let details = Details {
            channel_position: new.channel_position,
            finding_count: 0,
            start: new.time,
            start_us: new.elapsed_us,
            first_message: new.message,
            handshake: Span::UNKNOWN,
            first_byte: Span::UNKNOWN,
            rare: None,
            router: None,
        };
        self.len += 1;
        match self.next_free {
            Some(slot) => {
                let index = slot as usize;
                let next = self.live[index].channel;
                self.next_free = (next != slot).then_some(next);
                self.live[index] = live;
                self.details[index] = details;
                slot
            }
            None => {
                self.live.push(live);
                self.details.push(details);
                slot_number(self.live.len() - 1)
            }
        }
    }

    /// Frees a record; returns the bytes that it held besides its two arrays.
    pub(super) fn remove(&mut self, slot: Slot) {
        let index = slot as usize;
        self.live[index].number = 0;
        // The last of the free ones names itself.
        self.live[index].channel = self.next_free.replace(slot).unwrap_or(slot);
        self.details[index].rare = None;
        self.details[index].router = None;
        self.len -= 1;
    }

    #[inline]
    pub(super) fn live(&self, slot: Slot) -> &Live {
        &self.live[slot as usize]
    }

    #[inline]
    pub(super) fn live_mut(&mut self, slot: Slot) -> &mut Live {
        &mut self.live[slot as usize]
    }

    #[inline]
    pub(super) fn details(&self, slot: Slot) -> &Details {
        &self.details[slot as usize]
    }

    #[inline]
    pub(super) fn details_mut(&mut self, slot: Slot) -> &mut Details {
        &mut self.details[slot as usize]
    }

    /// Both parts of a record.
    #[inline]
    pub(super) fn both_mut(&mut self, slot: Slot) -> (&mut Live, &mut Details) {
        let slot = slot as usize;
        (&mut self.live[slot], &mut self.details[slot])
    }

    /// The hot parts of two records.
    pub(super) fn pair_mut(&mut self, one: Slot, other: Slot) -> Option<[&mut Live; 2]> {
        self.live
            .get_disjoint_mut([one as usize, other as usize])
            .ok()
    }

    /// Reads a record that will be needed soon.
    #[inline]
    pub(super) fn touch(&self, slot: Slot) -> u64 {
        self.live
            .get(slot as usize)
            .map_or(0, |live| live.number ^ live.tallies[1].payload_bytes)
    }

    /// Prefetches its details.
    #[inline]
    pub(super) fn touch_details(&self, slot: Slot) -> u64 {
        self.details.get(slot as usize).map_or(0, |details| {
            details.first_message ^ u64::from(details.channel_position)
        })
    }

    /// The hot part of a record, if it is not free.
    #[inline]
    pub(super) fn tracked(&self, slot: Slot) -> Option<&Live> {
        self.live.get(slot as usize).filter(|live| live.number != 0)
    }

    /// Whether a slot still holds the conversation whose number ends in these 32 bits.
    pub(super) fn holds(&self, slot: Slot, number: u32) -> bool {
        let live = &self.live[slot as usize];
        live.number != 0 && low_half(live.number) == number
    }

    /// Data of a conversation have come.
    #[inline]
    pub(super) fn carry(
        &mut self,
        time: Timestamp,
        payload: &[u8],
        slot: Slot,
        direction: Direction,
    ) {
        let live = self.live_mut(slot);
        // Where the SYN is read late, the first since it was read counts.
        let may_be_first =
            live.late.is_some() || live.tallies.iter().all(|tally| tally.message_count == 0);
        let tally = &mut live.tallies[direction as usize];
        let begins = tally.message_count == 0;
        tally.message_count += 1;
        tally.payload_bytes += payload.len() as u64;
        if begins && let Some(bytes) = stall::announced_bytes(payload) {
            let details = self.details_mut(slot);
            details.set_announced(direction, bytes);
        }
        if may_be_first && self.details(slot).first_byte == Span::UNKNOWN {
            let since_syn = self.since_syn(time, slot);
            self.details_mut(slot).first_byte = Span::new(since_syn);
        }
    }

    /// Nanoseconds since the SYN, if it was seen.
    pub(super) fn since_syn(&self, time: Timestamp, slot: Slot) -> Option<i64> {
        let start = self.details(slot).start;
        self.live(slot).syn_seen().then(|| time.nanos_since(start))
    }

    /// The slots of all tracked conversations, in the order in which these opened.
    pub(super) fn slots_in_order(&self) -> Vec<Slot> {
        self.in_order(self.slots().collect())
    }

    /// Slots in the order in which their conversations opened.
    pub(super) fn in_order(&self, mut slots: Vec<Slot>) -> Vec<Slot> {
        slots.sort_unstable_by_key(|slot| self.live(*slot).id());
        slots
    }

    /// The slots of all tracked conversations.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..)
            .zip(&self.live)
            .filter(|(_, live)| live.number != 0)
            .map(|(slot, _)| slot)
    }
}

/// The lower 32 bits of a conversation's number, which distinguish all that can be
/// in memory at once.
pub(super) const fn low_half(number: u64) -> u32 {
    (number & 0xffff_ffff) as u32
}

fn slot_number(slot: usize) -> Slot {
    u32::try_from(slot)
        .ok()
        .filter(|slot| *slot < 1 << 31)
        .expect(SLOTS_ARE_FEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_takes_two_cache_lines() {
        assert_eq!(size_of::<Live>(), 64);
        assert_eq!(size_of::<Details>(), 64);
    }

    #[test]
    fn slots_are_used_again_and_only_tracked_ones_are_listed() {
        let mut records = Records::new();
        let insert = |records: &mut Records, number| {
            records.insert(&NewRecord {
                number,
                channel: 9,
                channel_position: 0,
                client_side: Side::Initiator,
                phase: Phase::SynSent,
                time: Timestamp::from_nanos(0),
                elapsed_us: 0,
                message: 1,
            })
        };
        let slots: Vec<Slot> = (1..=4).map(|number| insert(&mut records, number)).collect();
        assert_eq!(slots, [0, 1, 2, 3]);
        for slot in [1, 3, 0] {
            records.remove(slot);
        }
        assert_eq!(records.slots().collect::<Vec<_>>(), [2]);
        let again: Vec<Slot> = (5..=8).map(|number| insert(&mut records, number)).collect();
        assert_eq!(
            again,
            [0, 3, 1, 4],
            "the one that became free last goes first"
        );
        assert_eq!(records.len(), 5);
        assert!(records.holds(3, 6) && !records.holds(3, 4));
    }
}
