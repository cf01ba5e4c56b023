//! Messages that stand in the capture before those that they answer: an ACK before its
//! SYN, data before the ACK that announces their id.
//!
//! Two interfaces, two files, or a capture that reorders bring this about. An id that
//! nobody announced is taken for that of a conversation which may be about to announce
//! it; if nothing ever does, the message was an orphan, and that is told then.

use super::*;

/// How many of the latest unanswered SYNs are looked at.
const MAX_LOOKED_AT: usize = 64;

impl Tracker {
    /// The conversation that a SYN opens and that was answered a moment ago.
    pub(super) fn answered_before(
        &self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
    ) -> Option<u32> {
        self.ids
            .get(IdKey::new(seen.channel, seen.from, Space::Client, frame.id))
            .iter()
            .copied()
            .find(|slot| {
                let live = &self.live[*slot as usize];
                let is_answered = live.assumed_by.is_some() || live.server_id.is_some();
                // Where the client was heard already, its SYN is not the one that is late.
                let is_client_heard =
                    live.tallies[Direction::ClientToServer as usize].message_count > 0
                        || live.state == State::ClientClosed;
                !live.syn_seen
                    && is_answered
                    && !is_client_heard
                    && is_moment(seen.time.nanos_since(live.start))
            })
    }

    /// The SYN of a conversation that was answered a moment ago.
    pub(super) fn open_late(
        &mut self,
        slot: u32,
        seen: &Observation<'_>,
        client_hash: Option<DestinationHash>,
    ) {
        let live = &mut self.live[slot as usize];
        live.syn_seen = true;
        live.client_hash = client_hash;
        if seen.from == Side::Responder {
            live.far_hash = client_hash;
        }
        live.late = Some(Direction::ClientToServer);
        if live.assumed_by.take().is_some() {
            // A close without an ACK before it.
            live.state = State::Refused;
        }
        self.channels[seen.channel.0 as usize].dialled[seen.from.index()] = true;
    }

    /// Takes an id that nobody announced for that of the oldest conversation which waits
    /// for its ACK, if the ACK can be late or in a gap.
    pub(super) fn assume_announced(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        direction: Direction,
    ) -> Option<u32> {
        let channel = &self.channels[seen.channel.0 as usize];
        // Before the capture ids were announced to conversations that nobody saw open.
        if direction != Direction::ClientToServer || channel.start == ChannelStart::Missed {
            return None;
        }
        let has_gaps = channel.has_gaps;
        let slot = self.waiting_for_ack(seen.channel, seen.from, seen.time)?;
        let live = &mut self.live[slot as usize];
        live.server_id = Some(ServerId(frame.id));
        live.assumed_by = Some(self.message_count);
        if has_gaps {
            live.state = State::Open;
        }
        self.register_assumed(slot);
        Some(slot)
    }

    /// The oldest conversation that a client opened a moment ago and that may yet be
    /// acknowledged; behind a gap the only one, however old.
    fn waiting_for_ack(&self, channel: ChannelId, client: Side, now: Timestamp) -> Option<u32> {
        let has_gaps = self.channels[channel.0 as usize].has_gaps;
        let mut waiting = self
            .unanswered
            .iter()
            .rev()
            .take(MAX_LOOKED_AT)
            .filter(|deadline| self.still_holds(deadline))
            .map(|deadline| deadline.slot)
            .filter(|slot| {
                let live = &self.live[*slot as usize];
                live.channel == channel
                    && live.client_side == client
                    && live.state == State::SynSent
                    && live.server_id.is_none()
                    && (has_gaps || is_moment(now.nanos_since(live.start)))
            });
        let latest = waiting.next()?;
        match (waiting.next_back(), has_gaps) {
            (Some(oldest), false) => Some(oldest),
            (None, _) => Some(latest),
            // Any of them may have been answered in the gap.
            (Some(_), true) => None,
        }
    }

    /// An answer tells whether what was taken for this conversation's is. If it is not, it
    /// goes to another one, and this one gets what was taken for the other's.
    pub(super) fn settle_assumed(
        &mut self,
        seen: &Observation<'_>,
        slot: u32,
        announced: Option<ServerId>,
    ) {
        let live = &self.live[slot as usize];
        let client_side = live.client_side;
        let is_wrong = live.assumed_by.is_some() && live.server_id != announced;
        let holder = announced
            .map(|ServerId(id)| IdKey::new(seen.channel, client_side.opposite(), Space::Server, id))
            .and_then(|key| {
                let mut holders = self.ids.get(key).iter().copied();
                holders
                    .find(|other| *other != slot && self.live[*other as usize].assumed_by.is_some())
            });
        let other = match (is_wrong, holder) {
            (_, Some(holder)) => holder,
            (true, None) => match self.waiting_for_ack(seen.channel, client_side, seen.time) {
                Some(other) => other,
                None => return,
            },
            (false, None) => return,
        };
        for slot in [slot, other] {
            if let Some(id) = self.live[slot as usize].server_id {
                self.forget_server_id(slot, id);
            }
        }
        let Some((one, two)) = self.live.get2_mut(slot as usize, other as usize) else {
            return;
        };
        let of_client = Direction::ClientToServer as usize;
        std::mem::swap(&mut one.tallies[of_client], &mut two.tallies[of_client]);
        std::mem::swap(&mut one.server_id, &mut two.server_id);
        std::mem::swap(&mut one.assumed_by, &mut two.assumed_by);
        let both_wait = |state| matches!(state, State::SynSent | State::Open | State::ClientClosed);
        if both_wait(one.state) && both_wait(two.state) {
            std::mem::swap(&mut one.state, &mut two.state);
        }
        for slot in [slot, other] {
            let live = &self.live[slot as usize];
            let is_closed = live.state.is_closed();
            if live.assumed_by.is_some() {
                self.register_assumed(slot);
            }
            if is_closed {
                self.linger(slot, seen.time);
            } else {
                self.wait_for_answer(slot, seen.time);
            }
        }
    }

    /// Whether the server's close of a conversation, if it comes next, may be a refusal.
    pub(super) fn may_be_refused(&self, slot: u32) -> bool {
        let live = &self.live[slot as usize];
        live.tallies[Direction::ServerToClient as usize].message_count == 0
            && !self.channels[live.channel.0 as usize].has_gaps
    }

    fn register_assumed(&mut self, slot: u32) {
        let live = &self.live[slot as usize];
        if let Some(ServerId(id)) = live.server_id {
            let server_side = live.client_side.opposite();
            let key = IdKey::new(live.channel, server_side, Space::Server, id);
            self.ids.insert(key, slot);
        }
    }

    pub(super) fn forget_server_id(&mut self, slot: u32, ServerId(id): ServerId) {
        let live = &self.live[slot as usize];
        let server_side = live.client_side.opposite();
        let key = IdKey::new(live.channel, server_side, Space::Server, id);
        self.ids.remove(key, slot);
    }

    /// Nothing announced the id that was taken for this conversation's.
    pub(super) fn find_never_announced(&mut self, slot: u32) {
        let live = &self.live[slot as usize];
        let Some(message) = live.assumed_by else {
            return;
        };
        if self.channels[live.channel.0 as usize].has_gaps {
            return;
        }
        let text = match (live.server_id, live.client_id) {
            (Some(id), _) => format!("nothing announced server id {id}"),
            (None, Some(id)) => format!("no SYN has client id {id}"),
            (None, None) => return,
        };
        let level = FindingCode::OrphanId.level();
        self.find_late(slot, FindingCode::OrphanId, level, message, text);
    }
}

/// Whether a message may be the answer to a SYN that stands behind it in the capture:
/// a refusal. (An ACK opens a conversation in any case.)
pub(super) fn may_precede_its_syn(frame: &RawFrame<'_>) -> bool {
    frame.frame_type == FrameType::SERVER_CLOSE && matches!(frame.payload.len(), 0 | 3)
}

const fn is_moment(elapsed_ns: i64) -> bool {
    elapsed_ns.unsigned_abs() <= DISORDER_NS.unsigned_abs()
}
