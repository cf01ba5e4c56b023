//! The place of a message: the conversation that its id names or that it begins.

use super::channel::Channel;
use super::finding::{AFTER_CLOSE, DetailName, FindingCode, FindingDetail, Level};
use super::id::ConversationId;
use super::id_table::{IdKey, Space};
use super::meaning::Meaning;
use super::observation::Observation;
use super::options::Destinations;
use super::records::Slot;
use super::registry::{Ending, ExpectedRecord, Registry};
use super::remarks::{Remarks, number};
use super::state::{ConversationState, Effect, Phase, Stimulus, Transition};
use super::wording;
use crate::carrier::Carrier;
use crate::net::Side;
use crate::wire::{
    ClientId, Destination, DestinationHash, Direction, FrameKind, FrameType,
    MAX_DATA_PAYLOAD_BYTES, MAX_MESSAGE_BYTES, PayloadShape, RawFrame, RawMessage, ServerId,
    StreamId,
};

/// The place of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub(super) conversation: Whose,
    pub(super) meaning: Meaning,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose {
    Nobodys,
    Tracked(Slot),
    /// It comes late for a conversation that was reported.
    Reported {
        id: ConversationId,
        client_side: Side,
    },
}

impl Placement {
    /// Finds a message's place, and makes the changes there that it stands for.
    #[inline]
    pub(super) fn place(
        registry: &mut Registry,
        remarks: &mut Remarks,
        seen: &Observation<'_>,
        expected: Option<ExpectedRecord>,
    ) -> Self {
        match &seen.message {
            RawMessage::Frame(frame) => Placing {
                registry,
                remarks,
                seen,
                frame,
            }
            .place(expected),
            RawMessage::Ping => {
                remarks.find(None, FindingCode::Ping, wording::ping);
                Self::nowhere(Meaning::Idle)
            }
            // The part that a snap length left of it may be short.
            RawMessage::Short(_) if seen.cut_bytes > 0 => Self::nowhere(Meaning::Meaningless),
            RawMessage::Short(bytes) => {
                remarks.find(None, FindingCode::TooShort, || wording::too_short(bytes));
                Self::nowhere(Meaning::Meaningless)
            }
        }
    }

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

/// A frame on the way to its place, with its effects and findings.
struct Placing<'a> {
    registry: &'a mut Registry,
    remarks: &'a mut Remarks,
    seen: &'a Observation<'a>,
    frame: &'a RawFrame<'a>,
}

impl Placing<'_> {
    /// The channel of the frame.
    fn channel(&self) -> &Channel {
        self.registry.channels.get(self.seen.channel)
    }

    #[inline]
    fn place(&mut self, expected: Option<ExpectedRecord>) -> Placement {
        let (seen, frame) = (self.seen, self.frame);
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
            FrameKind::Unknown => self.place_unknown(),
            kind => {
                if frame.id.is_zero() {
                    self.remarks
                        .find(None, FindingCode::ZeroId, || wording::zero_id(frame));
                }
                match kind {
                    FrameKind::Syn => self.place_syn(),
                    _ => self.place_within(expected),
                }
            }
        }
    }

    fn place_syn(&mut self) -> Placement {
        let (seen, frame) = (self.seen, self.frame);
        let is_at_router = self.channel().session().is_some();
        let (client_hash, bad_destination) = match Destination::split(frame.payload) {
            Ok((destination, _)) => {
                let wanted = self.registry.destinations != Destinations::Skip || is_at_router;
                (
                    wanted.then(|| self.registry.destinations.hash(destination)),
                    None,
                )
            }
            // The bytes behind the cut are unknown.
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
            None => self.open(client_hash, namesakes),
        };
        let channel = self.registry.channels.get_mut(seen.channel);
        channel.dialled = channel.dialled.and(seen.from);
        if let Some(error) = bad_destination {
            let id = self.registry.records.live(slot).id();
            let carrier = self.channel().carrier;
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
    fn open(&mut self, client_hash: Option<DestinationHash>, namesakes: Vec<Slot>) -> Slot {
        let (seen, frame) = (self.seen, self.frame);
        let records = &self.registry.records;
        let in_use = namesakes
            .into_iter()
            .find(|slot| same_client(records.details(*slot).client_hash(), client_hash));
        let in_use = in_use.map(|slot| (slot, records.live(slot).id(), records.live(slot).phase()));
        let slot = self
            .registry
            .open(seen, seen.from, Phase::SynSent, self.remarks);
        let details = self.registry.records.details_mut(slot);
        details.set_client_hash(client_hash);
        if self.registry.channels.get(seen.channel).session().is_some() {
            // A router does not look at it: only its bytes show that it arrived.
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
            .name_client(seen.channel, slot, id, seen.time, self.remarks);
        if let Some((other_slot, other, phase)) = in_use {
            if phase.is_closed() || phase == Phase::NoAnswer {
                // Unless it had to make room just now.
                if self.registry.records.live(other_slot).id() == other {
                    self.registry
                        .end(other_slot, seen.time, Ending::Over, self.remarks);
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
    fn place_within(&mut self, expected: Option<ExpectedRecord>) -> Placement {
        let (seen, frame) = (self.seen, self.frame);
        let Some(direction) = frame.frame_type.direction() else {
            return Placement::nowhere(Meaning::Meaningless);
        };
        if is_ack_without_its_id(seen, frame) {
            // An id was announced that nobody knows.
            self.registry.note_gap(seen.channel);
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
            space: Space::of_receiver(direction),
            id: frame.id,
        };
        match self.registry.find(key, stimulus, seen.addressee, expected) {
            Some(slot) => self.advance(slot, stimulus, direction),
            None => self.place_unannounced(key, stimulus, direction),
        }
    }

    /// A message with an id that no tracked conversation has.
    #[cold]
    fn place_unannounced(
        &mut self,
        key: IdKey,
        stimulus: Stimulus,
        direction: Direction,
    ) -> Placement {
        let (seen, frame) = (self.seen, self.frame);
        if stimulus == Stimulus::Ack
            && let Some(slot) = self.registry.find_announced(seen, frame)
        {
            return self.advance(slot, stimulus, direction);
        }
        if let Some(reported) = self.registry.find_reported(key, seen.addressee, seen.time) {
            let (id, phase, client_side) =
                (reported.id(), reported.phase(), reported.client_side());
            let transition = phase.transition_when_reported(stimulus, reported.circumstances());
            self.find_transition(id, phase.state(), &transition);
            let meaning = match transition.effect {
                Effect::ClosesAgain => Meaning::ClosesAgain,
                _ => Meaning::Ignored,
            };
            return Placement {
                conversation: Whose::Reported { id, client_side },
                meaning,
            };
        }
        if let Some(place) = self.place_misdirected(key) {
            return place;
        }
        let channel = self.channel();
        let explained = stimulus == Stimulus::Ack || channel.has_missed_ids();
        let adopts = explained || channel.may_have_missed_ids();
        // A forgotten conversation is not taken for the one about to be announced.
        if !self.registry.forgets() {
            let assumed = self
                .registry
                .assume_announced(seen, frame.id, direction, self.remarks);
            if let Some(slot) = assumed {
                return self.advance(slot, stimulus, direction);
            }
            // It may answer a SYN that stands behind it in the capture. (An ACK opens a
            // conversation in any case.)
            if frame.is_refusal() && !explained {
                let slot = self.adopt(key);
                self.registry.set_assumed(slot, self.remarks.message());
                return self.advance(slot, stimulus, direction);
            }
        }
        if !explained {
            self.find_orphan(key);
        }
        if !adopts {
            return Placement::nowhere(Meaning::Orphan);
        }
        let slot = self.adopt(key);
        self.advance(slot, stimulus, direction)
    }

    fn place_unknown(&mut self) -> Placement {
        let (seen, frame) = (self.seen, self.frame);
        let directions = match frame.frame_type.direction() {
            Some(direction) => [Some(direction), None],
            None => [Direction::ClientToServer, Direction::ServerToClient].map(Some),
        };
        let keys = directions.into_iter().flatten().map(|direction| IdKey {
            channel: seen.channel,
            owner: seen.from.opposite(),
            space: Space::of_receiver(direction),
            id: frame.id,
        });
        let conversation = self.whose(keys);
        let (id, is_closed) = match conversation {
            Whose::Nobodys => (None, false),
            Whose::Tracked(slot) => {
                let live = self.registry.records.live(slot);
                (Some(live.id()), live.phase().is_closed())
            }
            Whose::Reported { id, .. } => (Some(id), true),
        };
        self.remarks.find(id, FindingCode::UnknownType, || {
            let frame_type = frame.frame_type;
            let after_close = if is_closed { AFTER_CLOSE } else { "" };
            let text = format!("type {frame_type} is not in the protocol{after_close}");
            let type_byte = FindingDetail::Number(u64::from(frame_type.0));
            (text, vec![(DetailName::TypeByte, type_byte)])
        });
        Placement {
            conversation,
            meaning: Meaning::Meaningless,
        }
    }

    /// The conversation that an id names when the type is the other peer's.
    fn place_misdirected(&mut self, key: IdKey) -> Option<Placement> {
        let (seen, frame) = (self.seen, self.frame);
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
        let conversation = self.whose(keys.into_iter());
        let (id, client_side) = match conversation {
            Whose::Nobodys => return None,
            Whose::Tracked(slot) => {
                let live = self.registry.records.live(slot);
                (live.id(), live.client_side)
            }
            Whose::Reported { id, client_side } => (id, client_side),
        };
        self.remarks
            .find(Some(id), FindingCode::WrongDirection, || {
                wording::wrong_direction(frame, id, seen.direction(client_side))
            });
        Some(Placement {
            conversation,
            meaning: Meaning::Ignored,
        })
    }

    /// The latest conversation that any of these ids stands for, tracked or reported.
    fn whose(&mut self, keys: impl Iterator<Item = IdKey> + Clone) -> Whose {
        if let Some(slot) = keys.clone().find_map(|key| self.registry.latest(key)) {
            return Whose::Tracked(slot);
        }
        keys.into_iter()
            .find_map(|key| self.registry.find_reported(key, None, self.seen.time))
            .map_or(Whose::Nobodys, |reported| Whose::Reported {
                id: reported.id(),
                client_side: reported.client_side(),
            })
    }

    /// Makes a conversation of which the SYN is not in the capture.
    fn adopt(&mut self, key: IdKey) -> Slot {
        let seen = self.seen;
        let client_side = key.space.client_side(key.owner);
        let slot = self
            .registry
            .open(seen, client_side, Phase::Open, self.remarks);
        let details = self.registry.records.details_mut(slot);
        details.set_far_hash(seen.addressee);
        let (channel, time) = (seen.channel, seen.time);
        match key.space {
            Space::Client => {
                let id = ClientId(key.id);
                self.registry
                    .name_client(channel, slot, id, time, self.remarks);
            }
            Space::Server => {
                let id = ServerId(key.id);
                self.registry
                    .name_server(channel, slot, id, time, self.remarks);
            }
        }
        slot
    }

    /// Moves a conversation on.
    #[inline]
    fn advance(&mut self, slot: Slot, stimulus: Stimulus, direction: Direction) -> Placement {
        let (seen, frame) = (self.seen, self.frame);
        // Before the transition: an exchange of assumed messages may change the phase.
        match stimulus {
            Stimulus::Ack => {
                self.registry
                    .check_assumed(seen, slot, frame.announced_id(), self.remarks);
            }
            // Whoever refuses announces nothing.
            Stimulus::Close(Direction::ServerToClient) if self.registry.may_be_refused(slot) => {
                self.registry.check_assumed(seen, slot, None, self.remarks);
            }
            _ => {}
        }
        let channel = self.registry.channels.get(seen.channel);
        let live = self.registry.records.live_mut(slot);
        let (id, before) = (live.id(), live.phase().state());
        let transition = live.advance(stimulus, channel);
        if transition.effect == Effect::Accepts && transition.next.is_closed() {
            // No ACK is sent so late.
            live.late = Some(Direction::ServerToClient);
        }
        let meaning = match transition.effect {
            Effect::Accepts => match frame.announced_id() {
                Some(server_id) => Meaning::Accepts {
                    server_id,
                    handshake_ns: self.registry.accept(seen.time, slot, server_id),
                },
                None => Meaning::Ignored,
            },
            Effect::Refuses => Meaning::Refuses {
                handshake_ns: self
                    .registry
                    .records
                    .since_syn(seen.time, slot)
                    .unwrap_or_default(),
            },
            Effect::Carries => {
                let payload = frame.payload;
                self.registry
                    .go_on(slot, direction, seen.time, payload, self.remarks);
                self.registry
                    .records
                    .carry(seen.time, payload, slot, direction);
                Meaning::Carries
            }
            Effect::Closes => Meaning::Closes { by: direction },
            Effect::ClosesAgain => Meaning::ClosesAgain,
            Effect::Ignored => Meaning::Ignored,
        };
        self.find_transition(id, before, &transition);
        if let (Stimulus::Close(by), Meaning::Closes { .. }) = (stimulus, meaning) {
            self.registry
                .close_in_silence(slot, by, seen.time, self.remarks);
        }
        if matches!(stimulus, Stimulus::Close(_)) && !frame.payload.is_empty() {
            self.find_close_payload(slot, meaning);
        }
        match meaning {
            Meaning::Accepts { server_id, .. } => self.register_ids(slot, server_id),
            Meaning::Refuses { .. } | Meaning::Closes { .. } => {
                self.registry.linger(slot, seen.time, self.remarks);
            }
            _ => {}
        }
        Placement::tracked(slot, meaning)
    }

    /// Makes the ids known that an ACK shows.
    fn register_ids(&mut self, slot: Slot, server_id: ServerId) {
        let (seen, frame) = (self.seen, self.frame);
        let (channel, time) = (seen.channel, seen.time);
        // The id of a client that was not known before the ACK named it.
        if self.registry.records.live(slot).is_headless() {
            let details = self.registry.records.details_mut(slot);
            if details.far_hash().is_none() {
                details.set_far_hash(seen.addressee);
            }
            let id = ClientId(frame.id);
            self.registry
                .name_client(channel, slot, id, time, self.remarks);
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
            // A headless conversation is the beginning of this very one.
            if live.phase().is_closed() || live.is_headless() {
                self.registry.end(other, time, Ending::Over, self.remarks);
            } else {
                let other = live.id();
                self.remarks.find(Some(id), FindingCode::IdReuse, || {
                    wording::id_reuse("server", server_id.0, other)
                });
            }
        }
        self.registry
            .name_server(channel, slot, server_id, time, self.remarks);
    }

    fn find_orphan(&mut self, key: IdKey) {
        let level = if self.registry.forgets() {
            // It may be the fault of this program.
            Level::Note
        } else {
            FindingCode::OrphanId.level()
        };
        self.remarks
            .find_at(level, None, FindingCode::OrphanId, || {
                wording::orphan(key.space, key.id, level)
            });
    }

    #[inline]
    fn find_transition(
        &mut self,
        id: ConversationId,
        before: ConversationState,
        transition: &Transition,
    ) {
        if let Some((code, level)) = transition.finding {
            self.remarks.find_at(level, Some(id), code, || {
                wording::transition(code, self.frame, id, before)
            });
        }
    }

    fn find_close_payload(&mut self, slot: Slot, meaning: Meaning) {
        let frame = self.frame;
        let code = FindingCode::ClosePayload;
        let id = self.registry.records.live(slot).id();
        let assumed_by = self.registry.records.details(slot).assumed_by();
        let precedes_its_syn = assumed_by.is_some_and(|by| by.get() == self.remarks.message());
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
            (text, vec![(DetailName::PayloadBytes, payload_bytes)])
        });
    }
}

/// Whether two SYNs with one id can come from one client: behind a router,
/// clients with different destinations choose their ids independently.
fn same_client(one: Option<DestinationHash>, other: Option<DestinationHash>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// Whether a snap length cut the id that an ACK announces. This is no judgement of the ACK's length
/// on the wire: the captured bytes are too few to hold an id.
fn is_ack_without_its_id(seen: &Observation<'_>, frame: &RawFrame<'_>) -> bool {
    seen.cut_bytes > 0
        && frame.frame_type == FrameType::ACK
        && frame.payload.len() < StreamId::BYTES
}
