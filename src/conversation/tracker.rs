//! The tracker: messages in, their meaning out; conversations when they are over.

use super::channel::{Channel, ChannelId, ChannelIds, ChannelStart};
use super::event::{Carried, Conversation, ConversationId, Meaning, MessageEvent};
use super::finding::{AFTER_CLOSE, FindingCode, FindingDetail, Level};
use super::id_table::{IdKey, Space};
use super::observation::{EndOfInput, Observation, TrackerEvent};
use super::options::{Destinations, TrackerOptions};
use super::records::Slot;
use super::registry::{Ending, ExpectedRecord, Forgotten, Prospect, Registry};
use super::remarks::{Remarks, number};
use super::router::Delivered;
use super::state::{Effect, Phase, State, Stimulus, Transition};
use super::wording;
use crate::carrier::Carrier;
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{
    ClientId, Destination, DestinationHash, Direction, FrameKind, FrameType,
    MAX_DATA_PAYLOAD_BYTES, MAX_MESSAGE_BYTES, PayloadShape, RawFrame, RawMessage, ServerId,
    StreamId,
};

/// Rebuilds conversations from the messages of all channels of a capture.
///
/// Its memory is bounded in bytes. What is open, and the conversations that were
/// closed last, are kept whole; of earlier ones their ids are remembered for as
/// long as messages may be on their way.
#[derive(Debug)]
pub struct Tracker {
    destinations: Destinations,
    channel_ids: ChannelIds,
    registry: Registry,
    remarks: Remarks,
    message_count: u64,
    /// Whether an id that nobody announced may be one that was forgotten.
    forgets: Forgets,
}

/// Whether anything was forgotten for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forgets {
    Nothing,
    Something,
}

/// Where a message belongs.
#[derive(Clone, Copy, Debug)]
struct Placement {
    conversation: Whose,
    meaning: Meaning,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Nobodys,
    Tracked(Slot),
    /// It comes late for a conversation that was told.
    Told {
        id: ConversationId,
        client_side: Side,
    },
}

impl Placement {
    const fn nowhere(meaning: Meaning) -> Self {
        Self {
            conversation: Whose::Nobodys,
            meaning,
        }
    }

    const fn tracked(slot: Slot, meaning: Meaning) -> Self {
        Self {
            conversation: Whose::Tracked(slot),
            meaning,
        }
    }
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(options: TrackerOptions) -> Self {
        Self {
            destinations: options.destinations,
            channel_ids: ChannelIds::default(),
            registry: Registry::new(&options),
            remarks: Remarks::new(options.wording),
            message_count: 0,
            forgets: Forgets::Nothing,
        }
    }

    /// The hash under which a destination is known here.
    pub fn hash(&self, destination: Destination<'_>) -> DestinationHash {
        self.destinations.hash(destination)
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
        self.registry.channels.get_mut(channel).has_gaps = true;
    }

    /// Forgets a channel; what was open on it is over, and told in the order in
    /// which it opened.
    pub fn close_channel(&mut self, channel: ChannelId, time: Timestamp) {
        self.channel_ids.release(channel);
        self.registry
            .close_channel(channel, time, Ending::ChannelClosed, &self.remarks);
    }

    /// Forgets a channel because its memory is needed; what was open on it is told
    /// as it stands.
    pub fn evict_channel(&mut self, channel: ChannelId, time: Timestamp) {
        self.forgets = Forgets::Something;
        self.channel_ids.release(channel);
        self.registry
            .close_channel(channel, time, Ending::ChannelEvicted, &self.remarks);
    }

    /// Tells what a message means. What it brought about beside that waits in
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
        let place = self.place(seen, expected);
        let mut delivered = None;
        match place.conversation {
            Whose::Tracked(slot) => {
                if self.channel(seen.channel).session().is_some() {
                    delivered = self.registry.compare_views(
                        seen,
                        self.message_count,
                        slot,
                        &mut self.remarks,
                    );
                }
                self.note(seen.time, slot, place.meaning);
            }
            Whose::Told { id, .. } => self.remarks.attribute_to(id),
            Whose::Nobodys => {}
        }
        self.event(seen, place, delivered)
    }

    /// Takes data of an open conversation of which nothing is to be told but how many
    /// there are: what most messages of a busy capture are. `None`, and nothing has changed,
    /// where there may be more to it; then it is to be [observed](Self::observe).
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
        // A full one may be a leftover stall's, and zero ids are told of.
        if frame.payload.len() >= MAX_DATA_PAYLOAD_BYTES || frame.id.is_zero() {
            return None;
        }
        let key = IdKey {
            channel,
            owner: from.opposite(),
            space: receiver_space(direction),
            id: frame.id,
        };
        let slot = self.registry.find_running(key, time, expected)?;
        self.message_count += 1;
        self.registry.records.live_mut(slot).end = time;
        self.registry.carry(time, frame.payload, slot, direction);
        Some(Carried {
            number: self.message_count,
            direction,
            payload_bytes: frame.payload.len() as u64,
        })
    }

    /// What every message leaves behind in its conversation.
    fn note(&mut self, time: Timestamp, slot: Slot, meaning: Meaning) {
        let live = self.registry.records.live_mut(slot);
        // What comes for a conversation that is over does not lengthen its life.
        let is_late =
            matches!(meaning, Meaning::Ignored | Meaning::Meaningless) && live.phase.is_closed();
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

    /// Where a message will look, by its beginning; see [`Tracker::look_up`].
    #[inline]
    pub(crate) fn prospect(
        &self,
        channel: ChannelId,
        from: Side,
        message: &RawMessage<'_>,
    ) -> Option<Prospect> {
        self.registry.prospect(channel, from, message.frame()?)
    }

    /// The record that a message will probably need.
    #[inline]
    pub(crate) fn look_up(&self, prospect: Prospect) -> Option<ExpectedRecord> {
        self.registry.look_up(prospect)
    }

    /// Reads ahead what a message will need. What is returned is of no other use.
    #[inline]
    pub(crate) fn touch(&self, prospect: Prospect, record: ExpectedRecord) -> u64 {
        self.registry.touch(prospect, record)
    }

    /// Reads ahead where a message will look for a conversation that was told, and then what it
    /// finds there.
    #[inline]
    pub(crate) fn touch_late(&self, prospect: Prospect) -> u64 {
        self.registry.touch_late(prospect)
    }

    /// See [`touch_late`](Self::touch_late).
    #[inline]
    pub(crate) fn touch_found_late(&self, prospect: Prospect) -> u64 {
        self.registry.touch_found_late(prospect)
    }

    /// Reads ahead what will be needed to tell conversations when `closes` others are closed.
    pub(crate) fn touch_told(&self, closes: usize) -> u64 {
        self.registry.touch_told(closes)
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
    /// told, in the order in which they opened, as [`Tracker::next_event`] is asked.
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

    /// What was forgotten for want of memory so far.
    pub const fn forgotten(&self) -> Forgotten {
        self.registry.forgotten()
    }

    /// Bytes that conversations are reckoned to take, told ones included.
    pub const fn bytes(&self) -> usize {
        self.registry.bytes()
    }

    /// The conversations that are tracked now, as they stand, in the order in
    /// which they opened; each is told again when it is over.
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
            Whose::Told { id, client_side } => (Some(id), Some(client_side)),
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

    #[inline]
    fn place(&mut self, seen: &Observation<'_>, expected: Option<ExpectedRecord>) -> Placement {
        let frame = match &seen.message {
            RawMessage::Frame(frame) => frame,
            RawMessage::Ping => {
                self.remarks.find(None, FindingCode::Ping, wording::ping);
                return Placement::nowhere(Meaning::Idle);
            }
            // What a snap length left of it may be short.
            RawMessage::Short(_) if seen.cut_bytes > 0 => {
                return Placement::nowhere(Meaning::Meaningless);
            }
            RawMessage::Short(bytes) => {
                self.remarks
                    .find(None, FindingCode::TooShort, || wording::too_short(bytes));
                return Placement::nowhere(Meaning::Meaningless);
            }
        };
        let kind = frame.frame_type.kind();
        if seen.message.message_bytes() > MAX_MESSAGE_BYTES
            || (kind == FrameKind::Data && frame.payload.len() > MAX_DATA_PAYLOAD_BYTES)
        {
            self.remarks.find(None, FindingCode::Oversize, || {
                wording::oversize(&seen.message, frame)
            });
        }
        match kind {
            FrameKind::Chaff => {
                self.remarks
                    .find(None, FindingCode::Chaff, || wording::chaff(&seen.message));
                Placement::nowhere(Meaning::Idle)
            }
            FrameKind::Unknown => self.place_unknown(seen, frame),
            kind => {
                if frame.id.is_zero() {
                    self.remarks
                        .find(None, FindingCode::ZeroId, || wording::zero_id(frame));
                }
                match kind {
                    FrameKind::Syn => self.place_syn(seen, frame),
                    _ => self.place_within(seen, frame, expected),
                }
            }
        }
    }

    fn place_syn(&mut self, seen: &Observation<'_>, frame: &RawFrame<'_>) -> Placement {
        let is_at_router = self.channel(seen.channel).session().is_some();
        let (client_hash, bad_destination) = match Destination::split(frame.payload) {
            Ok((destination, _)) => {
                let wanted = self.destinations != Destinations::Skip || is_at_router;
                (wanted.then(|| self.hash(destination)), None)
            }
            // Nobody can tell what was behind the cut.
            Err(_) if seen.cut_bytes > 0 => (None, None),
            Err(error) => (None, Some(error)),
        };
        let namesakes = self.registry.namesakes(IdKey {
            channel: seen.channel,
            owner: seen.from,
            space: Space::Client,
            id: frame.id,
        });
        let slot = match self.registry.answered_before(&namesakes, seen.time) {
            Some(slot) => {
                self.registry.open_late(slot, seen.from, client_hash);
                slot
            }
            None => self.open(seen, frame, client_hash, namesakes),
        };
        let channel = self.registry.channels.get_mut(seen.channel);
        channel.dialled = channel.dialled.and(seen.from);
        if let Some(error) = bad_destination {
            let id = self.registry.records.live(slot).id();
            let carrier = self.channel(seen.channel).carrier;
            // I2CP asks for a destination, because the answer goes there; elsewhere the
            // protocol text only asks for "the public key".
            let level = match carrier {
                Carrier::I2cp => Level::Error,
                _ => FindingCode::SynBadDestination.level(),
            };
            self.remarks
                .find_at(level, Some(id), FindingCode::SynBadDestination, || {
                    wording::bad_destination(carrier, frame, &error)
                });
        }
        self.registry.meet_other_view(seen, slot);
        Placement::tracked(slot, Meaning::Opens)
    }

    /// A new conversation by its SYN.
    fn open(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        client_hash: Option<DestinationHash>,
        namesakes: Vec<Slot>,
    ) -> Slot {
        let records = &self.registry.records;
        let in_use = namesakes
            .into_iter()
            .find(|slot| same_client(records.details(*slot).client_hash(), client_hash));
        let in_use = in_use.map(|slot| (slot, records.live(slot).id(), records.live(slot).phase));
        let (number, remarks) = (self.message_count, &self.remarks);
        let slot = self
            .registry
            .open(seen, number, seen.from, Phase::SynSent, remarks);
        let details = self.registry.records.details_mut(slot);
        details.set_client_hash(client_hash);
        if self.registry.channels.get(seen.channel).session().is_some() {
            // A router does not look at it: only its bytes tell that it arrived.
            let syn_bytes = (client_hash.is_none() && seen.cut_bytes == 0)
                .then(|| self.registry.fingerprint(frame.payload));
            let is_in_capture = seen
                .addressee
                .is_some_and(|hash| self.registry.channels.has_session(hash));
            let at_router = self.registry.records.details_mut(slot).at_router();
            at_router.addressee_in_capture = is_in_capture;
            at_router.syn_bytes = syn_bytes;
            at_router.far_hash = match seen.from {
                Side::Initiator => seen.addressee,
                Side::Responder => client_hash,
            };
        }
        let id = ClientId(frame.id);
        self.registry
            .name_client(seen.channel, slot, id, seen.time, remarks);
        if let Some((other_slot, other, phase)) = in_use {
            if phase.is_closed() || phase == Phase::NoAnswer {
                // Unless it had to make room just now.
                if self.registry.records.live(other_slot).id() == other {
                    self.registry
                        .end(other_slot, seen.time, Ending::Over, &self.remarks);
                }
            } else {
                let id = self.registry.records.live(slot).id();
                self.remarks.find(Some(id), FindingCode::IdReuse, || {
                    wording::id_reuse("client", frame.id, other)
                });
            }
        }
        slot
    }

    /// ACK, data and closes: messages that name a conversation by the receiver's id.
    #[inline]
    fn place_within(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        expected: Option<ExpectedRecord>,
    ) -> Placement {
        let Some(direction) = frame.frame_type.direction() else {
            return Placement::nowhere(Meaning::Meaningless);
        };
        if is_ack_without_its_id(seen, frame) {
            // An id was announced that nobody knows.
            self.note_gap(seen.channel);
            return Placement::nowhere(Meaning::Meaningless);
        }
        let stimulus = match (frame.frame_type.kind(), frame.payload_shape()) {
            (_, PayloadShape::ServerId) => Stimulus::Ack,
            (_, PayloadShape::NoServerId) => Stimulus::EmptyAck,
            (FrameKind::Ack, _) => Stimulus::MisshapenAck,
            (FrameKind::Close, _) => Stimulus::Close(direction),
            _ => Stimulus::Data(direction),
        };
        let key = IdKey {
            channel: seen.channel,
            owner: seen.from.opposite(),
            space: receiver_space(direction),
            id: frame.id,
        };
        match self.registry.find(key, stimulus, seen.addressee, expected) {
            Some(slot) => self.advance(seen, frame, slot, stimulus, direction),
            None => self.place_unannounced(seen, frame, key, stimulus, direction),
        }
    }

    /// A message with an id that no tracked conversation has.
    #[cold]
    fn place_unannounced(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        key: IdKey,
        stimulus: Stimulus,
        direction: Direction,
    ) -> Placement {
        if stimulus == Stimulus::Ack
            && let Some(slot) = self.registry.find_announced(seen, frame)
        {
            return self.advance(seen, frame, slot, stimulus, direction);
        }
        if let Some(told) = self.registry.find_told(key, seen.addressee, seen.time) {
            let (id, phase, client_side) = (told.id(), told.phase(), told.client_side());
            let step = phase.step_when_told(stimulus, told.circumstances());
            self.find_step(frame, id, phase.state(), &step);
            let meaning = match step.effect {
                Effect::ClosesAgain => Meaning::ClosesAgain,
                _ => Meaning::Ignored,
            };
            return Placement {
                conversation: Whose::Told { id, client_side },
                meaning,
            };
        }
        if let Some(place) = self.place_misdirected(seen, frame, key) {
            return place;
        }
        let channel = self.channel(seen.channel);
        let explained = stimulus == Stimulus::Ack || channel.has_missed_ids();
        let adopts = explained || channel.may_have_missed_ids();
        // What was forgotten is not taken for what is about to be announced.
        if self.forgets() == Forgets::Nothing {
            let (number, remarks) = (self.message_count, &self.remarks);
            let assumed = self
                .registry
                .assume_announced(seen, frame.id, direction, number, remarks);
            if let Some(slot) = assumed {
                return self.advance(seen, frame, slot, stimulus, direction);
            }
            // It may answer a SYN that stands behind it in the capture. (An ACK opens a
            // conversation in any case.)
            if frame.is_refusal() && !explained {
                let slot = self.adopt(seen, key);
                self.registry.set_assumed(slot, self.message_count);
                return self.advance(seen, frame, slot, stimulus, direction);
            }
        }
        if !explained {
            self.find_orphan(key);
        }
        if !adopts {
            return Placement::nowhere(Meaning::Orphan);
        }
        let slot = self.adopt(seen, key);
        self.advance(seen, frame, slot, stimulus, direction)
    }

    fn place_unknown(&mut self, seen: &Observation<'_>, frame: &RawFrame<'_>) -> Placement {
        let spaces: &[Space] = match frame.frame_type.direction() {
            Some(Direction::ClientToServer) => &[Space::Server],
            Some(Direction::ServerToClient) => &[Space::Client],
            None => &[Space::Server, Space::Client],
        };
        let keys = spaces.iter().map(|space| IdKey {
            channel: seen.channel,
            owner: seen.from.opposite(),
            space: *space,
            id: frame.id,
        });
        let conversation = self.whose(keys, seen.time);
        let (id, is_closed) = match conversation {
            Whose::Nobodys => (None, false),
            Whose::Tracked(slot) => {
                let live = self.registry.records.live(slot);
                (Some(live.id()), live.phase.is_closed())
            }
            Whose::Told { id, .. } => (Some(id), true),
        };
        self.remarks.find(id, FindingCode::UnknownType, || {
            let frame_type = frame.frame_type;
            let after_close = if is_closed { AFTER_CLOSE } else { "" };
            let text = format!("type {frame_type} is not in the protocol{after_close}");
            let type_byte = FindingDetail::Number(u64::from(frame_type.0));
            (text, vec![("type_byte", type_byte)])
        });
        Placement {
            conversation,
            meaning: Meaning::Meaningless,
        }
    }

    /// The conversation that an id names when the type is the other peer's.
    fn place_misdirected(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        key: IdKey,
    ) -> Option<Placement> {
        let keys = [
            IdKey {
                space: key.space.other(),
                ..key
            },
            IdKey {
                owner: seen.from,
                ..key
            },
        ];
        let conversation = self.whose(keys.into_iter(), seen.time);
        let (id, client_side) = match conversation {
            Whose::Nobodys => return None,
            Whose::Tracked(slot) => {
                let live = self.registry.records.live(slot);
                (live.id(), live.client_side)
            }
            Whose::Told { id, client_side } => (id, client_side),
        };
        self.remarks
            .find(Some(id), FindingCode::WrongDirection, || {
                wording::wrong_direction(frame, id, client_side == seen.from)
            });
        Some(Placement {
            conversation,
            meaning: Meaning::Ignored,
        })
    }

    /// The latest conversation that any of these ids stands for, tracked or told.
    fn whose(&mut self, keys: impl Iterator<Item = IdKey> + Clone, now: Timestamp) -> Whose {
        if let Some(slot) = keys.clone().find_map(|key| self.registry.latest(key)) {
            return Whose::Tracked(slot);
        }
        keys.into_iter()
            .find_map(|key| self.registry.find_told(key, None, now))
            .map_or(Whose::Nobodys, |told| Whose::Told {
                id: told.id(),
                client_side: told.client_side(),
            })
    }

    /// Makes a conversation of which the SYN is not in the capture.
    fn adopt(&mut self, seen: &Observation<'_>, key: IdKey) -> Slot {
        let client_side = key.space.client_side(key.owner);
        let (message, remarks) = (self.message_count, &self.remarks);
        let slot = self
            .registry
            .open(seen, message, client_side, Phase::Open, remarks);
        let details = self.registry.records.details_mut(slot);
        details.set_far_hash(seen.addressee);
        let (channel, time) = (seen.channel, seen.time);
        match key.space {
            Space::Client => {
                let id = ClientId(key.id);
                self.registry.name_client(channel, slot, id, time, remarks);
            }
            Space::Server => {
                let id = ServerId(key.id);
                self.registry.name_server(channel, slot, id, time, remarks);
            }
        }
        slot
    }

    /// Moves a conversation on.
    #[inline]
    fn advance(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        slot: Slot,
        stimulus: Stimulus,
        direction: Direction,
    ) -> Placement {
        match stimulus {
            Stimulus::Ack => {
                self.registry
                    .check_assumed(seen, slot, frame.announced_id(), &self.remarks);
            }
            // Whoever refuses announces nothing.
            Stimulus::Close(Direction::ServerToClient) if self.registry.may_be_refused(slot) => {
                self.registry.check_assumed(seen, slot, None, &self.remarks);
            }
            _ => {}
        }
        let channel = self.registry.channels.get(seen.channel);
        let ack_may_be_missing = channel.has_gaps || channel.carrier == Carrier::Udp;
        let live = self.registry.records.live_mut(slot);
        let (id, before) = (live.id(), live.phase.state());
        let step = live
            .phase
            .step(stimulus, live.circumstances(ack_may_be_missing));
        if step.effect == Effect::Accepts && live.phase.is_closed() {
            // No ACK is sent so late.
            live.late = Some(Direction::ServerToClient);
        }
        live.phase = step.next;
        let meaning = match step.effect {
            Effect::Accepts => match frame.announced_id() {
                Some(server_id) => Meaning::Accepts {
                    server_id,
                    handshake_ns: self.registry.accept(seen.time, slot, server_id),
                },
                None => Meaning::Ignored,
            },
            Effect::Refuses => Meaning::Refuses {
                handshake_ns: self.registry.since_syn(seen.time, slot).unwrap_or_default(),
            },
            Effect::Carries => {
                let payload = frame.payload;
                self.registry
                    .go_on(slot, direction, seen.time, payload, &mut self.remarks);
                self.registry.carry(seen.time, payload, slot, direction);
                Meaning::Carries
            }
            Effect::Closes => Meaning::Closes { by: direction },
            Effect::ClosesAgain => Meaning::ClosesAgain,
            Effect::Ignored => Meaning::Ignored,
        };
        self.find_step(frame, id, before, &step);
        if let (Stimulus::Close(by), Meaning::Closes { .. }) = (stimulus, meaning) {
            self.registry
                .close_in_silence(slot, by, seen.time, &mut self.remarks);
        }
        if matches!(stimulus, Stimulus::Close(_)) && !frame.payload.is_empty() {
            self.find_close_payload(frame, slot, meaning);
        }
        match meaning {
            Meaning::Accepts { server_id, .. } => self.register_ids(seen, frame, slot, server_id),
            Meaning::Refuses { .. } | Meaning::Closes { .. } => {
                self.registry.linger(slot, seen.time, &self.remarks);
            }
            _ => {}
        }
        Placement::tracked(slot, meaning)
    }

    /// Makes the ids known that an ACK shows.
    fn register_ids(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        slot: Slot,
        server_id: ServerId,
    ) {
        let (channel, time) = (seen.channel, seen.time);
        // The id of a client that was not known before the ACK named it.
        if self.registry.records.live(slot).is_headless() {
            let details = self.registry.records.details_mut(slot);
            if details.far_hash().is_none() {
                details.set_far_hash(seen.addressee);
            }
            let id = ClientId(frame.id);
            self.registry
                .name_client(channel, slot, id, time, &self.remarks);
        }
        let live = self.registry.records.live(slot);
        let id = live.id();
        if server_id.0.is_zero() {
            self.remarks.find(Some(id), FindingCode::ZeroId, || {
                let text = "ACK hands out 000000, which is reserved".to_owned();
                (text, Vec::new())
            });
        }
        if live.server_id() == Some(server_id) {
            return;
        }
        if let Some(other) = self.registry.user_of_server_id(seen, slot, server_id) {
            let live = self.registry.records.live(other);
            // What is headless is the beginning of this very conversation.
            if live.phase.is_closed() || live.is_headless() {
                self.registry.end(other, time, Ending::Over, &self.remarks);
            } else {
                let other = live.id();
                self.remarks.find(Some(id), FindingCode::IdReuse, || {
                    wording::id_reuse("server", server_id.0, other)
                });
            }
        }
        self.registry
            .name_server(channel, slot, server_id, time, &self.remarks);
    }

    fn find_orphan(&mut self, key: IdKey) {
        let level = match self.forgets() {
            Forgets::Nothing => FindingCode::OrphanId.level(),
            // It may be the fault of this program.
            Forgets::Something => Level::Note,
        };
        self.remarks
            .find_at(level, None, FindingCode::OrphanId, || {
                wording::orphan(key.space, key.id, level)
            });
    }

    fn forgets(&self) -> Forgets {
        if self.registry.forgotten() == Forgotten::default() {
            self.forgets
        } else {
            Forgets::Something
        }
    }

    #[inline]
    fn find_step(
        &mut self,
        frame: &RawFrame<'_>,
        id: ConversationId,
        before: State,
        step: &Transition,
    ) {
        if let Some((code, level)) = step.finding {
            self.remarks.find_at(level, Some(id), code, || {
                wording::step(code, frame, id, before)
            });
        }
    }

    fn find_close_payload(&mut self, frame: &RawFrame<'_>, slot: Slot, meaning: Meaning) {
        let code = FindingCode::ClosePayload;
        let id = self.registry.records.live(slot).id();
        let assumed_by = self.registry.records.details(slot).assumed_by();
        let precedes_its_syn = assumed_by.is_some_and(|by| by.get() == self.message_count);
        let payload_bytes = number(frame.payload.len());
        // The reference answers so where nobody listens.
        let refuses = precedes_its_syn || matches!(meaning, Meaning::Refuses { .. });
        let is_refusal = refuses && frame.payload_shape() == PayloadShape::UnusedId;
        let level = if is_refusal {
            code.level()
        } else {
            Level::Warn
        };
        self.remarks.find_at(level, Some(id), code, || {
            let text = if is_refusal {
                "refusal with an id, as the reference sends where nobody listens".to_owned()
            } else {
                format!("close carries {} bytes", frame.payload.len())
            };
            (text, vec![("payload_bytes", payload_bytes)])
        });
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
    client_side: Option<Side>,
    channel: &Channel,
) -> Option<Direction> {
    seen.message
        .frame()
        .and_then(|frame| frame.frame_type.direction())
        .or_else(|| {
            client_side.map(|client_side| {
                if client_side == seen.from {
                    Direction::ClientToServer
                } else {
                    Direction::ServerToClient
                }
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

/// Whether a snap length cut the id that an ACK announces.
fn is_ack_without_its_id(seen: &Observation<'_>, frame: &RawFrame<'_>) -> bool {
    seen.cut_bytes > 0
        && frame.frame_type == FrameType::ACK
        && frame.payload.len() < StreamId::BYTES
}

#[cfg(test)]
mod tests;
