//! Where a message belongs, and what it does there.

use super::super::finding::AFTER_CLOSE;
use super::disorder::may_precede_its_syn;
use super::*;

impl Tracker {
    pub(super) fn place(&mut self, seen: &Observation<'_>) -> Place {
        let frame = match &seen.message {
            RawMessage::Frame(frame) => frame,
            RawMessage::Ping => {
                self.find(seen, None, FindingCode::Ping, "single 0xff byte".to_owned());
                return Place::nowhere(Meaning::Idle);
            }
            // What a snap length left of it may be short.
            RawMessage::Short(_) if seen.cut_bytes > 0 => {
                return Place::nowhere(Meaning::Meaningless);
            }
            RawMessage::Short(bytes) => {
                let text = format!("{} bytes are no message", bytes.len());
                self.find(seen, None, FindingCode::TooShort, text)
                    .push(("message_bytes", number(bytes.len())));
                return Place::nowhere(Meaning::Meaningless);
            }
        };
        let kind = frame.frame_type.kind();
        if seen.message.message_bytes() > MAX_MESSAGE_BYTES
            || (kind == FrameKind::Data && frame.payload.len() > MAX_DATA_PAYLOAD_BYTES)
        {
            self.find_oversize(seen, frame);
        }
        match kind {
            FrameKind::Chaff => {
                let text = format!("chaff of {} bytes", seen.message.message_bytes());
                self.find(seen, None, FindingCode::Chaff, text);
                Place::nowhere(Meaning::Idle)
            }
            FrameKind::Unknown => self.place_unknown(seen, frame),
            kind => {
                if frame.id.is_zero() {
                    let text = format!("{} uses 000000, which is reserved", frame.frame_type);
                    self.find(seen, None, FindingCode::ZeroId, text);
                }
                match kind {
                    FrameKind::Syn => self.place_syn(seen, frame),
                    _ => self.place_within(seen, frame),
                }
            }
        }
    }

    pub(super) fn place_syn(&mut self, seen: &Observation<'_>, frame: &RawFrame<'_>) -> Place {
        let (client_hash, bad_destination) = match Destination::split(frame.payload) {
            Ok((destination, _)) => {
                let wanted = self.options.destinations != Destinations::Skip
                    || self.channels[seen.channel.0 as usize].session.is_some();
                (wanted.then(|| self.hash(destination)), None)
            }
            // Nobody can tell what was behind the cut.
            Err(_) if seen.cut_bytes > 0 => (None, None),
            Err(error) => (None, Some(error)),
        };
        let slot = match self.answered_before(seen, frame) {
            Some(slot) => {
                self.open_late(slot, seen, client_hash);
                slot
            }
            None => self.open(seen, frame, client_hash),
        };
        if let Some(error) = bad_destination {
            self.find_bad_destination(seen, frame, slot, &error);
        }
        self.link_views(seen, slot);
        Place {
            slot: Some(slot),
            meaning: Meaning::Opens,
        }
    }

    /// A new conversation by its SYN.
    fn open(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        client_hash: Option<DestinationHash>,
    ) -> u32 {
        let in_use = self
            .ids
            .get(IdKey::new(seen.channel, seen.from, Space::Client, frame.id))
            .iter()
            .map(|slot| (*slot, &self.live[*slot as usize]))
            .find(|(_, other)| same_client(other.client_hash, client_hash))
            .map(|(slot, other)| (slot, other.id, other.state));
        let slot = self.insert(seen, seen.from);
        let live = &mut self.live[slot as usize];
        live.client_id = Some(ClientId(frame.id));
        live.syn_seen = true;
        live.client_hash = client_hash;
        live.far_hash = match seen.from {
            Side::Initiator => seen.addressee,
            Side::Responder => client_hash,
        };
        live.addressee_in_capture = seen
            .addressee
            .is_some_and(|hash| self.sessions.contains_key(&hash));
        let id = live.id;
        self.channels[seen.channel.0 as usize].dialled[seen.from.index()] = true;
        self.ids.insert(
            IdKey::new(seen.channel, seen.from, Space::Client, frame.id),
            slot,
        );
        self.wait_for_answer(slot, seen.time);
        if let Some((other_slot, other, state)) = in_use {
            if state.is_closed() || state == State::NoAnswer {
                self.finalize(other_slot, seen.time, Ending::Over);
            } else {
                self.find_reuse(seen, id, frame.id, other, "client");
            }
        }
        slot
    }

    /// ACK, data and closes: messages that name a conversation by the receiver's id.
    pub(super) fn place_within(&mut self, seen: &Observation<'_>, frame: &RawFrame<'_>) -> Place {
        let Some(direction) = frame.frame_type.direction() else {
            return Place::nowhere(Meaning::Meaningless);
        };
        let stimulus = match frame.frame_type.kind() {
            FrameKind::Ack => match frame.payload.len() {
                3 => Stimulus::Ack,
                0 => Stimulus::EmptyAck,
                _ => Stimulus::MisshapenAck,
            },
            FrameKind::Close => Stimulus::Close(direction),
            _ => Stimulus::Data(direction),
        };
        let space = receiver_space(direction);
        let known = self
            .lookup(seen, space, frame.id, stimulus)
            .or_else(|| self.lookup_announced(seen, frame, stimulus));
        let slot = match known {
            Some(slot) => slot,
            None => {
                if let Some(slot) = self.lookup_misdirected(seen, space, frame.id) {
                    return self.place_misdirected(seen, frame, slot);
                }
                let channel = &self.channels[seen.channel.0 as usize];
                let explained = stimulus == Stimulus::Ack || channel.has_missed_ids();
                let adopts = explained || channel.may_have_missed_ids();
                if let Some(slot) = self.assume_announced(seen, frame, direction) {
                    slot
                } else if may_precede_its_syn(frame) && !explained {
                    let slot = self.adopt(seen, direction, space, frame.id);
                    self.live[slot as usize].assumed_by = Some(self.message_count);
                    slot
                } else {
                    if !explained {
                        self.find_orphan(seen, frame, space);
                    }
                    if !adopts {
                        return Place::nowhere(Meaning::Orphan);
                    }
                    self.adopt(seen, direction, space, frame.id)
                }
            }
        };
        self.advance(seen, frame, slot, stimulus, direction)
    }

    pub(super) fn place_unknown(&mut self, seen: &Observation<'_>, frame: &RawFrame<'_>) -> Place {
        let spaces: &[Space] = match frame.frame_type.direction() {
            Some(Direction::ClientToServer) => &[Space::Server],
            Some(Direction::ServerToClient) => &[Space::Client],
            None => &[Space::Server, Space::Client],
        };
        let slot = spaces.iter().find_map(|space| {
            self.ids
                .get(IdKey::new(
                    seen.channel,
                    seen.from.opposite(),
                    *space,
                    frame.id,
                ))
                .last()
                .copied()
        });
        let conversation = slot.map(|slot| &self.live[slot as usize]);
        let after_close = conversation.is_some_and(|conversation| conversation.state.is_closed());
        let id = conversation.map(|conversation| conversation.id);
        let frame_type = FrameType(frame.frame_type.0);
        let mut text = format!("type {frame_type} is not in the protocol");
        if after_close {
            text.push_str(AFTER_CLOSE);
        }
        self.find(seen, id, FindingCode::UnknownType, text)
            .push(("type_byte", FindingDetail::Number(u64::from(frame_type.0))));
        Place {
            slot,
            meaning: Meaning::Meaningless,
        }
    }

    pub(super) fn place_misdirected(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        slot: u32,
    ) -> Place {
        let id = self.live[slot as usize].id;
        let (sender, owner) = if self.live[slot as usize].client_side == seen.from {
            ("client", "server")
        } else {
            ("server", "client")
        };
        let text = format!(
            "the {sender} of {id} sends type {:#04x}, which is the {owner}'s",
            frame.frame_type.0
        );
        self.find(seen, Some(id), FindingCode::WrongDirection, text)
            .push(("id", FindingDetail::Text(frame.id.to_string())));
        Place {
            slot: Some(slot),
            meaning: Meaning::Ignored,
        }
    }

    /// Makes a conversation of which the SYN is not in the capture.
    pub(super) fn adopt(
        &mut self,
        seen: &Observation<'_>,
        direction: Direction,
        space: Space,
        id: StreamId,
    ) -> u32 {
        let client_side = match direction {
            Direction::ClientToServer => seen.from,
            Direction::ServerToClient => seen.from.opposite(),
        };
        let slot = self.insert(seen, client_side);
        let live = &mut self.live[slot as usize];
        live.state = State::Open;
        match space {
            Space::Client => live.client_id = Some(ClientId(id)),
            Space::Server => live.server_id = Some(ServerId(id)),
        }
        live.far_hash = seen.addressee;
        self.ids.insert(
            IdKey::new(seen.channel, seen.from.opposite(), space, id),
            slot,
        );
        slot
    }

    /// The conversation that an id of the receiver names.
    pub(super) fn lookup(
        &self,
        seen: &Observation<'_>,
        space: Space,
        id: StreamId,
        stimulus: Stimulus,
    ) -> Option<u32> {
        let key = IdKey::new(seen.channel, seen.from.opposite(), space, id);
        let mut best: Option<(u8, u32)> = None;
        for slot in self.ids.get(key).iter().copied() {
            let live = &self.live[slot as usize];
            let other_peer = match (seen.addressee, live.far_hash) {
                (Some(addressee), Some(far)) => addressee != far,
                _ => false,
            };
            if other_peer {
                continue;
            }
            let rank = match (stimulus, live.state) {
                (Stimulus::Ack, State::SynSent | State::NoAnswer) => 0,
                (_, State::Open) => 1,
                (_, State::SynSent | State::NoAnswer) => 2,
                // The latest of those that are over.
                _ => 3,
            };
            if best.is_none_or(|(best_rank, _)| rank < best_rank || (rank == 3 && best_rank == 3)) {
                best = Some((rank, slot));
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// The conversation without a known client whose server id an ACK announces
    /// only now: of a connection that began before the capture, one direction may
    /// be readable before the other.
    pub(super) fn lookup_announced(
        &self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        stimulus: Stimulus,
    ) -> Option<u32> {
        if stimulus != Stimulus::Ack {
            return None;
        }
        let server_id = accepted_id(frame).0;
        let key = IdKey::new(seen.channel, seen.from, Space::Server, server_id);
        let mut headless = self.ids.get(key).iter().copied().filter(|slot| {
            let live = &self.live[*slot as usize];
            let same_peer = match (seen.addressee, live.far_hash) {
                (Some(addressee), Some(far)) => addressee == far,
                _ => true,
            };
            live.is_headless() && same_peer
        });
        // Behind a router two servers may have chosen the same id.
        match (headless.next(), headless.next()) {
            (Some(slot), None) => Some(slot),
            _ => None,
        }
    }

    /// The conversation that an id names when the type is the other peer's.
    pub(super) fn lookup_misdirected(
        &self,
        seen: &Observation<'_>,
        space: Space,
        id: StreamId,
    ) -> Option<u32> {
        let other_space = match space {
            Space::Client => Space::Server,
            Space::Server => Space::Client,
        };
        [(seen.from.opposite(), other_space), (seen.from, space)]
            .into_iter()
            .find_map(|(owner, space)| {
                self.ids
                    .get(IdKey::new(seen.channel, owner, space, id))
                    .last()
                    .copied()
            })
    }

    /// Moves a conversation on.
    pub(super) fn advance(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        slot: u32,
        stimulus: Stimulus,
        direction: Direction,
    ) -> Place {
        match stimulus {
            Stimulus::Ack => self.settle_assumed(seen, slot, Some(accepted_id(frame))),
            // Whoever refuses announces nothing.
            Stimulus::Close(Direction::ServerToClient) if self.may_be_refused(slot) => {
                self.settle_assumed(seen, slot, None);
            }
            _ => {}
        }
        let channel = &self.channels[seen.channel.0 as usize];
        let ack_may_be_missing = channel.has_gaps || channel.carrier == Carrier::Udp;
        let live = &mut self.live[slot as usize];
        let (id, before, syn_seen) = (live.id, live.state, live.syn_seen);
        let since_syn = syn_seen.then(|| seen.time.nanos_since(live.start));
        let mut step = live.state.step(stimulus, live.taken_as_close);
        let is_first_ack = (!syn_seen && live.lacks_an_id()) || live.assumed_by.is_some();
        if stimulus == Stimulus::Ack && is_first_ack {
            step.effect = Effect::Accepts;
            step.finding = None;
            if live.state.is_closed() {
                // No ACK is sent so late.
                live.late = Some(Direction::ServerToClient);
            }
        } else if let Stimulus::Data(direction) = stimulus
            && live.late == Some(direction)
            && live.state.is_closed()
        {
            step.effect = Effect::Carries;
            step.finding = None;
        } else if live.assumed_by.is_some() && stimulus == Stimulus::Data(Direction::ClientToServer)
        {
            // It is the ACK that is read late; a client cannot send before it.
            step.finding = None;
        } else if stimulus == Stimulus::Close(Direction::ServerToClient)
            && step.effect == Effect::Refuses
            && ack_may_be_missing
            && live.tallies[Direction::ServerToClient as usize].message_count > 0
        {
            // Whoever sends data has accepted.
            step = State::Open.step(stimulus, TakenAsClose::No);
        }
        live.state = step.next;
        live.taken_as_close = match (step.effect, stimulus) {
            (Effect::Closes, Stimulus::EmptyAck) => TakenAsClose::Yes,
            (Effect::Closes | Effect::Carries, _) => TakenAsClose::No,
            _ => live.taken_as_close,
        };
        let meaning = match step.effect {
            Effect::Accepts => {
                let server_id = accepted_id(frame);
                let assumed = live.server_id.filter(|assumed| *assumed != server_id);
                live.server_id = Some(server_id);
                live.assumed_by = None;
                live.handshake_ns = since_syn;
                if let Some(assumed) = assumed {
                    self.forget_server_id(slot, assumed);
                }
                Meaning::Accepts {
                    server_id,
                    handshake_ns: since_syn,
                }
            }
            Effect::Refuses => Meaning::Refuses {
                handshake_ns: since_syn.unwrap_or_default(),
            },
            Effect::Carries => {
                let tally = &mut live.tallies[direction as usize];
                tally.message_count += 1;
                tally.payload_bytes += frame.payload.len() as u64;
                if live.first_byte_ns.is_none() {
                    live.first_byte_ns = since_syn;
                }
                Meaning::Carries
            }
            Effect::Closes => Meaning::Closes { by: direction },
            Effect::ClosesAgain => Meaning::ClosesAgain,
            Effect::Ignored => Meaning::Ignored,
        };
        if let Some((code, level)) = step.finding {
            self.find_step(seen, frame, id, before, code, level);
        }
        if stimulus != Stimulus::Ack
            && matches!(stimulus, Stimulus::Close(_))
            && !frame.payload.is_empty()
        {
            self.find_close_payload(seen, frame, slot, meaning);
        }
        match meaning {
            Meaning::Accepts { server_id, .. } => {
                self.register_client_id(seen, slot, ClientId(frame.id));
                self.register_server_id(seen, slot, server_id);
            }
            Meaning::Refuses { .. } | Meaning::Closes { .. } => self.linger(slot, seen.time),
            _ => {}
        }
        Place {
            slot: Some(slot),
            meaning,
        }
    }

    /// The id of a client that was not known before the ACK named it.
    pub(super) fn register_client_id(
        &mut self,
        seen: &Observation<'_>,
        slot: u32,
        client_id: ClientId,
    ) {
        let live = &mut self.live[slot as usize];
        if live.client_id.is_some() {
            return;
        }
        live.client_id = Some(client_id);
        live.far_hash = live.far_hash.or(seen.addressee);
        let client_side = seen.from.opposite();
        let key = IdKey::new(seen.channel, client_side, Space::Client, client_id.0);
        self.ids.insert(key, slot);
    }

    pub(super) fn register_server_id(
        &mut self,
        seen: &Observation<'_>,
        slot: u32,
        server_id: ServerId,
    ) {
        let (id, far_hash) = {
            let live = &self.live[slot as usize];
            (live.id, live.far_hash)
        };
        if server_id.0.is_zero() {
            let text = "ACK hands out 000000, which is reserved".to_owned();
            self.find(seen, Some(id), FindingCode::ZeroId, text);
        }
        let key = IdKey::new(seen.channel, seen.from, Space::Server, server_id.0);
        if self.ids.get(key).contains(&slot) {
            return;
        }
        let in_use = self
            .ids
            .get(key)
            .iter()
            .map(|other| (*other, &self.live[*other as usize]))
            // Behind a router, two peers of one session may choose the same id.
            .find(|(_, other)| seen.from == Side::Initiator || other.far_hash == far_hash);
        if let Some((other_slot, other)) = in_use {
            // What is headless is the beginning of this very conversation.
            if other.state.is_closed() || other.is_headless() {
                self.finalize(other_slot, seen.time, Ending::Over);
            } else {
                let other = other.id;
                self.find_reuse(seen, id, server_id.0, other, "server");
            }
        }
        self.ids.insert(key, slot);
    }
}
