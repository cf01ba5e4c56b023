//! Messages that stand in the capture before those that they answer: an ACK before its
//! SYN, data before the ACK that announces their id.
//!
//! Two interfaces, two files, or a capture that reorders bring this about. An id that
//! nobody announced is taken for that of a conversation which may be about to announce
//! it; if nothing ever does, the message was an orphan, and that is told then.

use std::num::NonZeroU64;

use super::*;
use crate::conversation::channel::ChannelStart;
use crate::wire::{Direction, StreamId};

/// How many of the latest unanswered SYNs are looked at.
const MAX_LOOKED_AT: usize = 64;

/// How far a message may stand in a capture before the one that it answers: where two
/// interfaces were captured, or files of machines whose clocks differ.
const DISORDER_NS: i64 = SECOND_NS;

impl Registry {
    /// Of the conversations with the id of a SYN, the one that it opens and that was
    /// answered a moment ago.
    pub(in crate::conversation) fn answered_before(
        &self,
        namesakes: &[Slot],
        now: Timestamp,
    ) -> Option<Slot> {
        namesakes.iter().copied().find(|slot| {
            let live = self.records.live(*slot);
            let is_answered = live.is_assumed() || live.server_id().is_some();
            // Where the client was heard already, its SYN is not the one that is late.
            let of_client = live.tallies[Direction::ClientToServer as usize];
            let is_client_heard = of_client.message_count > 0 || live.phase == Phase::ClientClosed;
            !live.syn_seen()
                && is_answered
                && !is_client_heard
                && is_moment(now.nanos_since(self.records.details(*slot).start))
        })
    }

    /// The SYN of a conversation that was answered a moment ago.
    pub(in crate::conversation) fn open_late(
        &mut self,
        slot: Slot,
        from: Side,
        client_hash: Option<DestinationHash>,
    ) {
        let live = self.records.live_mut(slot);
        live.note_syn();
        live.late = Some(Direction::ClientToServer);
        if live.is_assumed() {
            // A close without an ACK before it.
            live.phase = Phase::Refused;
            self.clear_assumed(slot);
        }
        let details = self.records.details_mut(slot);
        details.set_client_hash(client_hash);
        if from == Side::Responder {
            details.set_far_hash(client_hash);
        }
    }

    /// Takes note that an id was taken for this conversation's before anything announced it.
    pub(in crate::conversation) fn set_assumed(&mut self, slot: Slot, message: u64) {
        self.records.live_mut(slot).set_assumed();
        let details = self.records.details_mut(slot);
        details.set_assumed_by(NonZeroU64::new(message));
        self.assumed_count += 1;
    }

    /// It was announced, or is known not to be.
    pub(in crate::conversation) fn clear_assumed(&mut self, slot: Slot) {
        if self.records.live(slot).is_assumed() {
            self.records.live_mut(slot).clear_assumed();
            self.records.details_mut(slot).set_assumed_by(None);
            self.assumed_count -= 1;
        }
    }

    /// Takes an id that nobody announced for that of the oldest conversation which waits
    /// for its ACK, if the ACK can be late or in a gap.
    pub(in crate::conversation) fn assume_announced(
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
        let has_gaps = channel.has_gaps;
        let slot = self.waiting_for_ack(seen.channel, seen.from, seen.time)?;
        self.set_assumed(slot, remarks.message());
        if has_gaps {
            self.records.live_mut(slot).phase = Phase::Open;
        }
        self.name_server(seen.channel, slot, ServerId(id), seen.time, remarks);
        Some(slot)
    }

    /// The oldest conversation that a client opened a moment ago and that may yet be
    /// acknowledged; behind a gap the only one, however old.
    fn waiting_for_ack(&self, channel: ChannelId, client: Side, now: Timestamp) -> Option<Slot> {
        let has_gaps = self.channels.get(channel).has_gaps;
        let mut waiting = self
            .deadlines
            .latest_unanswered(MAX_LOOKED_AT, &self.records)
            .filter(|slot| {
                let live = self.records.live(*slot);
                live.channel == channel.slot
                    && live.client_side == client
                    && live.server_id().is_none()
                    && (has_gaps || is_moment(now.nanos_since(self.records.details(*slot).start)))
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
    #[inline]
    pub(in crate::conversation) fn check_assumed(
        &mut self,
        seen: &Observation<'_>,
        slot: Slot,
        announced: Option<ServerId>,
        remarks: &Remarks,
    ) {
        if self.assumed_count > 0 {
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
        let live = self.records.live(slot);
        let client_side = live.client_side;
        let is_wrong = live.is_assumed() && live.server_id() != announced;
        let holder = announced.and_then(|ServerId(id)| {
            let key = IdKey {
                channel: seen.channel,
                owner: client_side.opposite(),
                space: Space::Server,
                id,
            };
            let mut holders = self.namesakes(key).into_iter();
            holders.find(|other| *other != slot && self.records.live(*other).is_assumed())
        });
        let other = match (is_wrong, holder) {
            (_, Some(holder)) => holder,
            (true, None) => match self.waiting_for_ack(seen.channel, client_side, seen.time) {
                Some(other) => other,
                None => return,
            },
            (false, None) => return,
        };
        let server_ids = [slot, other].map(|slot| self.forget_server_id(slot));
        let Some([one, two]) = self.records.pair_mut(slot, other) else {
            return;
        };
        let of_client = Direction::ClientToServer as usize;
        std::mem::swap(&mut one.tallies[of_client], &mut two.tallies[of_client]);
        let both_wait = |phase| matches!(phase, Phase::SynSent | Phase::Open | Phase::ClientClosed);
        if both_wait(one.phase) && both_wait(two.phase) {
            std::mem::swap(&mut one.phase, &mut two.phase);
        }
        let assumed_by = [slot, other].map(|slot| {
            let message = self.records.details(slot).assumed_by();
            self.clear_assumed(slot);
            message
        });
        for (slot, (message, server_id)) in [other, slot]
            .into_iter()
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
            match self.records.live(slot).phase {
                phase if phase.is_closed() => self.linger(slot, seen.time, remarks),
                Phase::SynSent => self.wait_for_answer(slot, seen.time),
                _ => {}
            }
        }
    }

    /// Whether the server's close of a conversation, if it comes next, may be a refusal.
    pub(in crate::conversation) fn may_be_refused(&self, slot: Slot) -> bool {
        let live = self.records.live(slot);
        live.tallies[Direction::ServerToClient as usize].message_count == 0
            && !self.channels.at(live.channel).1.has_gaps
    }

    /// Takes the server's id from a conversation, which it was not.
    pub(in crate::conversation) fn forget_server_id(&mut self, slot: Slot) -> Option<ServerId> {
        let live = self.records.live(slot);
        let id = live.server_id()?;
        let key = IdKey {
            channel: self.channels.at(live.channel).0,
            owner: live.client_side.opposite(),
            space: Space::Server,
            id: id.0,
        };
        self.ids.remove(key, slot);
        self.records.live_mut(slot).forget_server_id();
        Some(id)
    }

    /// Nothing announced the id that was taken for this conversation's.
    pub(super) fn find_never_announced(&mut self, slot: Slot, remarks: &Remarks) {
        let Some(message) = self.records.details(slot).assumed_by() else {
            return;
        };
        let live = self.records.live(slot);
        let (client_id, server_id) = (live.client_id(), live.server_id());
        let has_gaps = self.channels.at(live.channel).1.has_gaps;
        self.clear_assumed(slot);
        if has_gaps {
            return;
        }
        let (code, level) = (FindingCode::OrphanId, FindingCode::OrphanId.level());
        self.find_late(slot, code, level, Some(message.get()), remarks, || {
            let text = match (server_id, client_id) {
                (Some(id), _) => format!("nothing announced server id {id}"),
                (None, Some(id)) => format!("no SYN has client id {id}"),
                (None, None) => "nothing announced its id".to_owned(),
            };
            (text, Vec::new())
        });
    }
}

const fn is_moment(elapsed_ns: i64) -> bool {
    elapsed_ns.unsigned_abs() <= DISORDER_NS.unsigned_abs()
}
