//! Messages that stand in the capture before those that they answer: an ACK before its
//! SYN, data before the ACK that announces their id.
//!
//! Two interfaces, two files, or a capture that reorders bring this about. An id that
//! nobody announced is taken for that of a conversation which may be about to announce
//! it; if nothing ever does, the message was an orphan, and that is reported then.

use std::num::NonZeroU64;

use super::super::channel::{ChannelId, Channels};
use super::super::deadlines::Deadlines;
use super::super::finding::FindingCode;
use super::super::id_table::{IdKey, IdTable, Space};
use super::super::records::{Records, Slot};
use super::super::remarks::Words;
use super::super::state::{Occurrence, Phase};
use super::events::LateFinding;
use crate::net::Side;
use crate::time::{SECOND_NS, Timestamp};
use crate::wire::{ClientId, DestinationHash, Direction, ServerId};

/// Number of the latest unanswered SYNs that are looked at.
const MAX_LOOKED_AT: usize = 64;

/// The furthest that a message may stand in a capture before the one that it answers: where two
/// interfaces were captured, or files of machines whose clocks differ.
const DISORDER_NS: i64 = SECOND_NS;

/// Conversations with an id that was taken for theirs before anything announced it.
#[derive(Debug, Default)]
pub(super) struct Assumed {
    count: usize,
}

impl Assumed {
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes note that `message` was taken for one of this conversation.
    pub(super) fn set(&mut self, slot: Slot, message: u64, records: &mut Records) {
        records.live_mut(slot).set_assumed();
        let details = records.details_mut(slot);
        details.set_assumed_by(NonZeroU64::new(message));
        self.count += 1;
    }

    /// Its id was announced, or is known not to be.
    pub(super) fn clear(&mut self, slot: Slot, records: &mut Records) {
        if records.live(slot).is_assumed() {
            records.live_mut(slot).clear_assumed();
            records.details_mut(slot).set_assumed_by(None);
            self.count -= 1;
        }
    }

    /// The SYN of a conversation that was answered a moment ago.
    pub(super) fn open_late(
        &mut self,
        slot: Slot,
        from: Side,
        client_hash: Option<DestinationHash>,
        records: &mut Records,
        channels: &Channels,
    ) {
        let live = records.live_mut(slot);
        live.undergo(Occurrence::LateSyn, channels.at(live.channel).1);
        live.note_syn();
        live.late = Some(Direction::ClientToServer);
        self.clear(slot, records);
        let details = records.details_mut(slot);
        details.set_client_hash(client_hash);
        if from == Side::Responder {
            details.set_far_hash(client_hash);
        }
    }

    /// Exchanges the messages assumed to be one conversation's for those assumed to be the other's,
    /// except for server ids. Returns the messages by which it was, of the one and of the other.
    pub(super) fn exchange(
        &mut self,
        slots: [Slot; 2],
        records: &mut Records,
    ) -> [Option<NonZeroU64>; 2] {
        let [one, other] = slots;
        if let Some([one, other]) = records.pair_mut(one, other) {
            one.exchange_client(other);
        }
        slots.map(|slot| {
            let message = records.details(slot).assumed_by();
            self.clear(slot, records);
            message
        })
    }

    /// The conversation in `slot` ends: whether nothing announced the id that was taken for its.
    pub(super) fn end(
        &mut self,
        slot: Slot,
        records: &mut Records,
        channels: &Channels,
    ) -> Option<NeverAnnounced> {
        let message = records.details(slot).assumed_by()?;
        let live = records.live(slot);
        let never_announced = NeverAnnounced {
            slot,
            message,
            client_id: live.client_id(),
            server_id: live.server_id(),
        };
        let has_gaps = channels.at(live.channel).1.has_gaps;
        self.clear(slot, records);
        (!has_gaps).then_some(never_announced)
    }
}

/// An id that was taken for a conversation's, and that nothing announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct NeverAnnounced {
    slot: Slot,
    message: NonZeroU64,
    client_id: Option<ClientId>,
    server_id: Option<ServerId>,
}

impl NeverAnnounced {
    pub(super) const fn finding(self) -> LateFinding {
        LateFinding {
            message: Some(self.message.get()),
            ..LateFinding::new(self.slot, FindingCode::OrphanId)
        }
    }

    pub(super) fn words(self) -> Words {
        let text = match (self.server_id, self.client_id) {
            (Some(id), _) => format!("nothing announced server id {id}"),
            (None, Some(id)) => format!("no SYN has client id {id}"),
            (None, None) => "nothing announced its id".to_owned(),
        };
        (text, Vec::new())
    }
}

/// The tables in which the conversations of messages in disorder are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disorder<'a> {
    pub(super) ids: &'a IdTable,
    pub(super) records: &'a Records,
    pub(super) channels: &'a Channels,
    pub(super) deadlines: &'a Deadlines,
}

impl Disorder<'_> {
    /// Of the conversations with the id of a SYN, the one that it opens and that was
    /// answered a moment ago.
    pub(super) fn answered_before(self, namesakes: &[Slot], now: Timestamp) -> Option<Slot> {
        namesakes.iter().copied().find(|slot| {
            let live = self.records.live(*slot);
            let is_answered = live.is_assumed() || live.server_id().is_some();
            // If the client was seen already, its SYN is not the late one.
            let of_client = live.tallies[Direction::ClientToServer as usize];
            let is_client_heard =
                of_client.message_count > 0 || live.phase() == Phase::ClientClosed;
            !live.syn_seen() && is_answered && !is_client_heard && self.is_recent(*slot, now)
        })
    }

    /// The oldest conversation that a client opened a moment ago and that may yet be
    /// acknowledged; behind a gap the only one, however old.
    pub(super) fn waiting_for_ack(
        self,
        channel: ChannelId,
        client: Side,
        now: Timestamp,
    ) -> Option<Slot> {
        let has_gaps = self.channels.get(channel).has_gaps;
        let mut waiting = self
            .deadlines
            .latest_unanswered(MAX_LOOKED_AT, self.records)
            .filter(|slot| {
                let live = self.records.live(*slot);
                live.channel == channel.slot
                    && live.client_side == client
                    && live.server_id().is_none()
                    && (has_gaps || self.is_recent(*slot, now))
            });
        let latest = waiting.next()?;
        match (waiting.next_back(), has_gaps) {
            (Some(oldest), false) => Some(oldest),
            (None, _) => Some(latest),
            // Any of them may have been answered in the gap.
            (Some(_), true) => None,
        }
    }

    /// Whether a conversation began a moment from `now`, before or after it.
    fn is_recent(self, slot: Slot, now: Timestamp) -> bool {
        let elapsed_ns = now.nanos_since(self.records.details(slot).start);
        elapsed_ns.unsigned_abs() <= DISORDER_NS.unsigned_abs()
    }

    /// An answer announces this id, or none: the conversation that was given messages of the
    /// answered one, or whose messages were given to the answered one.
    pub(super) fn counterpart(
        self,
        channel: ChannelId,
        answered: Slot,
        announced: Option<ServerId>,
        now: Timestamp,
    ) -> Option<Slot> {
        let live = self.records.live(answered);
        let client_side = live.client_side;
        let holder = announced.and_then(|ServerId(id)| {
            let key = IdKey {
                channel,
                owner: client_side.opposite(),
                space: Space::Server,
                id,
            };
            let mut holders = self.ids.all(key, self.records).into_iter();
            holders.find(|other| *other != answered && self.records.live(*other).is_assumed())
        });
        let is_wrong = live.is_assumed() && live.server_id() != announced;
        holder.or_else(|| {
            is_wrong
                .then(|| self.waiting_for_ack(channel, client_side, now))
                .flatten()
        })
    }
}
