//! The tracker: messages in, their meaning out; conversations when they are over.

mod disorder;
mod ending;
mod oddities;
mod place;
mod views;

use std::collections::VecDeque;

use hashbrown::HashMap;
use slab::Slab;

use super::channel::{Channel, ChannelId, ChannelStart};
use super::event::{Conversation, ConversationId, Meaning, MessageEvent, RouterTime, Tally};
use super::finding::{Finding, FindingCode, FindingDetail, Level};
use super::id_table::{IdKey, IdTable, Space};
use super::router::{LinkKey, RouterLink};
use super::state::{Effect, State, Stimulus, TakenAsClose};
use crate::carrier::Carrier;
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{
    ClientId, Destination, DestinationError, DestinationHash, Direction, FrameKind, FrameType,
    MAX_DATA_PAYLOAD_BYTES, MAX_MESSAGE_BYTES, Pseudonyms, RawFrame, RawMessage, ServerId,
    StreamId,
};

/// What a [`Tracker`] is asked for, and its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerOptions {
    /// Whether the destinations in SYNs are hashed on carriers that do not
    /// need it; on I2CP they always are. Pseudonyms hold for all carriers.
    pub destinations: Destinations,
    /// After how long without an answer a SYN counts as not answered, in
    /// nanoseconds of capture time. Default 60 s, the reference's connect timeout.
    pub handshake_limit_ns: i64,
    /// How long a conversation that is over is kept for late messages, in
    /// nanoseconds of capture time. Default 30 s.
    pub linger_ns: i64,
    /// How many such conversations are kept at most. Default 1,024: as many as
    /// stay in a processor's cache.
    pub max_lingering: usize,
    /// How many conversations are tracked at most; beyond it those that were
    /// silent for the longest time are told as they stand. Default 1,000,000.
    pub max_conversations: usize,
}

impl Default for TrackerOptions {
    fn default() -> Self {
        Self {
            destinations: Destinations::Skip,
            handshake_limit_ns: 60 * SECOND_NS,
            linger_ns: 30 * SECOND_NS,
            max_lingering: 1_024,
            max_conversations: 1_000_000,
        }
    }
}

/// Whether to compute the hash of every SYN's destination, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destinations {
    /// Compute it.
    Hash,
    /// Save the time.
    Skip,
    /// Compute those of pseudonyms: no true one is ever told, on any carrier.
    Pseudonyms(Pseudonyms),
}

impl Destinations {
    /// The hash under which a destination is known.
    fn hash(self, destination: Destination<'_>) -> DestinationHash {
        match self {
            Self::Hash | Self::Skip => destination.hash(),
            Self::Pseudonyms(pseudonyms) => pseudonyms.hash(destination),
        }
    }
}

/// One message as it passed on a channel.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Number of the packet that completed it.
    pub packet: u64,
    /// Capture time of that packet.
    pub time: Timestamp,
    /// Microseconds since the first packet of the capture.
    pub elapsed_us: i64,
    /// Where it passed.
    pub channel: ChannelId,
    /// Which side sent it.
    pub from: Side,
    /// The message.
    pub message: RawMessage<'a>,
    /// Bytes that the snap length cut from its end.
    pub cut_bytes: u32,
    /// On I2CP, the hash of the destination that a SendMessage is addressed to.
    pub addressee: Option<DestinationHash>,
}

/// Something that happened apart from a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A finding that no new message brought about.
    Finding(Finding),
    /// A conversation is over.
    Ended(Box<Conversation>),
}

/// Why the observation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfInput {
    /// The capture is at its end: what is open will not be closed in it.
    Complete,
    /// Someone stopped looking; the traffic goes on.
    Stopped,
}

/// Rebuilds conversations from the messages of all channels of a capture.
///
/// Its memory is bounded by the conversations that are open, plus a fixed
/// number of closed ones for which messages may still be on their way.
#[derive(Debug)]
pub struct Tracker {
    options: TrackerOptions,
    channels: Slab<Channel>,
    live: Slab<Live>,
    ids: IdTable,
    /// SYNs in the order in which their time for an answer runs out.
    unanswered: VecDeque<Deadline>,
    /// Conversations that are over, in the order in which they are told.
    lingering: VecDeque<Deadline>,
    /// Views of SYNs on their way through a router.
    unlinked: HashMap<LinkKey, VecDeque<u32>>,
    links: Slab<Link>,
    /// Destinations whose sessions this capture shows.
    sessions: HashMap<DestinationHash, u32>,
    outcomes: VecDeque<Outcome>,
    findings: Vec<Finding>,
    message_count: u64,
    conversation_count: u64,
    evicted_count: u64,
}

const SECOND_NS: i64 = 1_000_000_000;

/// A message that has been in the router for longer is lost, as far as anyone can tell.
const ROUTER_GRACE_NS: i64 = 5 * SECOND_NS;

/// A SYN that waits for less when the capture ends may yet be answered: the
/// reference's accept timeout.
const ACCEPT_LIMIT_NS: i64 = 5 * SECOND_NS;

/// How far a message may stand in a capture before the one that it answers: where two
/// interfaces were captured, or files of machines whose clocks differ.
const DISORDER_NS: i64 = SECOND_NS;

#[derive(Debug)]
struct Live {
    id: ConversationId,
    channel: ChannelId,
    /// Position in the channel's list.
    channel_position: usize,
    client_side: Side,
    client_id: Option<ClientId>,
    server_id: Option<ServerId>,
    state: State,
    syn_seen: bool,
    taken_as_close: TakenAsClose,
    /// The direction that is read late as a whole: its messages stand in the capture behind
    /// those of the other direction that answer them.
    late: Option<Direction>,
    /// The message by which an id was taken for this conversation's before anything announced it.
    assumed_by: Option<u64>,
    start: Timestamp,
    start_us: i64,
    end: Timestamp,
    first_message: u64,
    handshake_ns: Option<i64>,
    first_byte_ns: Option<i64>,
    tallies: [Tally; 2],
    finding_count: u64,
    /// Hash of the SYN's destination.
    client_hash: Option<DestinationHash>,
    /// Hash of the destination behind the router.
    far_hash: Option<DestinationHash>,
    far_nickname: Option<String>,
    /// Whether the destination that the SYN went to has a session in this capture.
    addressee_in_capture: bool,
    /// Distinguishes the deadlines of this conversation that still hold.
    deadline: u32,
    peer_view: Option<ConversationId>,
    link: Option<usize>,
    router: Option<RouterTime>,
}

impl Live {
    /// Whether only messages to its server were seen.
    const fn is_headless(&self) -> bool {
        self.client_id.is_none()
    }

    /// Whether one of its ids is not known, so that no ACK can have been seen.
    const fn lacks_an_id(&self) -> bool {
        self.client_id.is_none() || self.server_id.is_none()
    }
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    time: Timestamp,
    slot: u32,
    id: ConversationId,
    deadline: u32,
}

#[derive(Debug)]
struct Link {
    router: RouterLink,
    views: [u32; 2],
}

/// Why a conversation is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is over, or room is needed.
    Over,
    /// Its channel is gone.
    ChannelClosed,
    Input(EndOfInput),
}

/// Where a message belongs.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: Option<u32>,
    meaning: Meaning,
}

impl Place {
    const fn nowhere(meaning: Meaning) -> Self {
        Self {
            slot: None,
            meaning,
        }
    }
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(options: TrackerOptions) -> Self {
        Self {
            options,
            channels: Slab::new(),
            live: Slab::new(),
            ids: IdTable::default(),
            unanswered: VecDeque::new(),
            lingering: VecDeque::new(),
            unlinked: HashMap::new(),
            links: Slab::new(),
            sessions: HashMap::new(),
            outcomes: VecDeque::new(),
            findings: Vec::new(),
            message_count: 0,
            conversation_count: 0,
            evicted_count: 0,
        }
    }

    /// The hash under which a destination is known here.
    pub fn hash(&self, destination: Destination<'_>) -> DestinationHash {
        self.options.destinations.hash(destination)
    }

    /// Makes a channel known.
    pub fn open_channel(&mut self, channel: Channel) -> ChannelId {
        if let Some(hash) = channel.session.as_ref().and_then(|session| session.hash) {
            *self.sessions.entry(hash).or_default() += 1;
        }
        let key = self.channels.insert(channel);
        ChannelId(
            u32::try_from(key).expect("every channel takes memory, so there are fewer than 2^32"),
        )
    }

    /// A channel that is open.
    pub fn channel(&self, channel: ChannelId) -> &Channel {
        &self.channels[channel.0 as usize]
    }

    /// Takes note that a channel began before the capture.
    pub fn note_missed_start(&mut self, channel: ChannelId) {
        self.channels[channel.0 as usize].start = ChannelStart::Missed;
    }

    /// Takes note that bytes of a channel are missing from the capture.
    pub fn note_gap(&mut self, channel: ChannelId) {
        self.channels[channel.0 as usize].has_gaps = true;
    }

    /// Forgets a channel; what was open on it is over, and told in the order in
    /// which it opened.
    pub fn close_channel(&mut self, channel: ChannelId, time: Timestamp) {
        let mut slots = self.channels[channel.0 as usize].slots.clone();
        slots.sort_unstable_by_key(|slot| self.live[*slot as usize].id);
        for slot in slots {
            self.finalize(slot, time, Ending::ChannelClosed);
        }
        let channel = self.channels.remove(channel.0 as usize);
        if let Some(hash) = channel.session.and_then(|session| session.hash)
            && let Some(count) = self.sessions.get_mut(&hash)
        {
            *count -= 1;
            if *count == 0 {
                self.sessions.remove(&hash);
            }
        }
    }

    /// Tells what a message means. What it brought about beside that waits in
    /// [`Tracker::next_outcome`].
    pub fn observe<'a>(&'a mut self, seen: &Observation<'a>) -> MessageEvent<'a> {
        self.findings.clear();
        self.expire(seen.time);
        self.message_count += 1;
        let place = self.place(seen);
        let router_ns = self.compare_views(seen, place);
        if let Some(slot) = place.slot {
            let conversation = &mut self.live[slot as usize];
            // What comes for a conversation that is over does not lengthen its life.
            let is_late = conversation.state.is_closed()
                && matches!(place.meaning, Meaning::Ignored | Meaning::Meaningless);
            if !is_late {
                conversation.end = seen.time;
            }
            conversation.finding_count += self.findings.len() as u64;
            // What was found before the message had its place is about it too.
            for finding in &mut self.findings {
                finding.conversation.get_or_insert(conversation.id);
            }
        }
        self.event(seen, place, router_ns)
    }

    /// The next thing that happened apart from messages, in order.
    pub fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// The observation is over at `time`: tells every conversation that is
    /// still tracked, in the order in which they opened.
    pub fn finish(&mut self, time: Timestamp, end: EndOfInput) {
        let mut slots: Vec<_> = self
            .live
            .iter()
            .map(|(slot, live)| (live.id, slot))
            .collect();
        slots.sort_unstable();
        for (_, slot) in slots {
            self.finalize(slot_number(slot), time, Ending::Input(end));
        }
    }

    /// Messages observed so far.
    pub const fn message_count(&self) -> u64 {
        self.message_count
    }

    /// Conversations found so far.
    pub const fn conversation_count(&self) -> u64 {
        self.conversation_count
    }

    /// Conversations that were told early because there were too many.
    pub const fn evicted_count(&self) -> u64 {
        self.evicted_count
    }

    /// The conversations that are tracked now, as they stand, in the order in
    /// which they opened; each is told again when it is over.
    pub fn tracked(&self) -> Vec<Conversation> {
        let mut tracked: Vec<Conversation> = self
            .live
            .iter()
            .map(|(_, live)| self.describe(live))
            .collect();
        tracked.sort_unstable_by_key(|conversation| conversation.id);
        tracked
    }

    /// Conversations that are tracked now.
    pub fn tracked_count(&self) -> usize {
        self.live.len()
    }

    fn event<'a>(
        &'a self,
        seen: &Observation<'a>,
        place: Place,
        router_ns: Option<i64>,
    ) -> MessageEvent<'a> {
        let channel = &self.channels[seen.channel.0 as usize];
        let conversation = place.slot.map(|slot| &self.live[slot as usize]);
        MessageEvent {
            number: self.message_count,
            packet: seen.packet,
            time: seen.time,
            elapsed_us: seen.elapsed_us,
            carrier: channel.carrier,
            source: channel.addresses[seen.from.index()],
            target: channel.addresses[seen.from.opposite().index()],
            direction: direction_of(seen, conversation, channel),
            message: seen.message,
            conversation: conversation.map(|conversation| conversation.id),
            meaning: place.meaning,
            session: channel.session.as_ref(),
            router_ns,
            destination_hash: conversation
                .filter(|_| place.meaning == Meaning::Opens)
                .and_then(|conversation| conversation.client_hash),
            findings: &self.findings,
        }
    }

    fn insert(&mut self, seen: &Observation<'_>, client_side: Side) -> u32 {
        if self.live.len() >= self.options.max_conversations {
            self.evict_silent(seen.time);
        }
        self.conversation_count += 1;
        let channel = &mut self.channels[seen.channel.0 as usize];
        let slot = self.live.insert(Live {
            id: ConversationId(self.conversation_count),
            channel: seen.channel,
            channel_position: channel.slots.len(),
            client_side,
            client_id: None,
            server_id: None,
            state: State::SynSent,
            syn_seen: false,
            taken_as_close: TakenAsClose::No,
            late: None,
            assumed_by: None,
            start: seen.time,
            start_us: seen.elapsed_us,
            end: seen.time,
            first_message: self.message_count,
            handshake_ns: None,
            first_byte_ns: None,
            tallies: [Tally::default(); 2],
            finding_count: 0,
            client_hash: None,
            far_hash: None,
            far_nickname: None,
            addressee_in_capture: false,
            deadline: 0,
            peer_view: None,
            link: None,
            router: None,
        });
        let slot = slot_number(slot);
        channel.slots.push(slot);
        slot
    }
}

const fn receiver_space(direction: Direction) -> Space {
    match direction {
        Direction::ClientToServer => Space::Server,
        Direction::ServerToClient => Space::Client,
    }
}

fn direction_of(
    seen: &Observation<'_>,
    conversation: Option<&Live>,
    channel: &Channel,
) -> Option<Direction> {
    seen.message
        .frame()
        .and_then(|frame| frame.frame_type.direction())
        .or_else(|| {
            conversation.map(|conversation| match conversation.client_side == seen.from {
                true => Direction::ClientToServer,
                false => Direction::ServerToClient,
            })
        })
        .or_else(|| channel.role_of(seen.from))
}

/// Whether two SYNs with one id can come from one client: behind a router,
/// clients with different destinations choose their ids independently.
fn same_client(one: Option<DestinationHash>, other: Option<DestinationHash>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

fn accepted_id(frame: &RawFrame<'_>) -> ServerId {
    let mut id = StreamId::ZERO;
    id.0.copy_from_slice(frame.payload);
    ServerId(id)
}

fn slot_number(slot: usize) -> u32 {
    u32::try_from(slot).expect("max_conversations keeps slots below 2^32")
}

fn number(count: usize) -> FindingDetail {
    FindingDetail::Number(count as u64)
}

fn plural(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests;
