//! How a conversation goes on: what an answer and data leave in its record.

use super::super::id_table::{IdKey, Space};
use super::super::observation::Observation;
use super::super::records::{Slot, Span};
use super::super::stall;
use super::Registry;
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{Direction, RawFrame, ServerId};

impl Registry {
    /// A server has accepted with this id; nanoseconds since the SYN, if it was seen.
    pub(in crate::conversation) fn accept(
        &mut self,
        time: Timestamp,
        slot: Slot,
        server_id: ServerId,
    ) -> Option<i64> {
        self.clear_assumed(slot);
        if self.records.live(slot).server_id() != Some(server_id) {
            self.forget_server_id(slot);
        }
        let handshake_ns = self.since_syn(time, slot);
        self.records.details_mut(slot).handshake = Span::new(handshake_ns);
        handshake_ns
    }

    /// Data of a conversation have come.
    #[inline]
    pub(in crate::conversation) fn carry(
        &mut self,
        time: Timestamp,
        payload: &[u8],
        slot: Slot,
        direction: Direction,
    ) {
        let live = self.records.live_mut(slot);
        // Where the SYN is read late, the first since it was read counts.
        let may_be_first =
            live.late.is_some() || live.tallies.iter().all(|tally| tally.message_count == 0);
        let tally = &mut live.tallies[direction as usize];
        let begins = tally.message_count == 0;
        tally.message_count += 1;
        tally.payload_bytes += payload.len() as u64;
        if begins && let Some(bytes) = stall::announced_bytes(payload) {
            let details = self.records.details_mut(slot);
            details.set_announced(direction, bytes);
        }
        if may_be_first && self.records.details(slot).first_byte == Span::UNKNOWN {
            let since_syn = self.since_syn(time, slot);
            self.records.details_mut(slot).first_byte = Span::new(since_syn);
        }
    }

    /// Nanoseconds since the SYN, if it was seen.
    pub(in crate::conversation) fn since_syn(&self, time: Timestamp, slot: Slot) -> Option<i64> {
        let start = self.records.details(slot).start;
        self.records
            .live(slot)
            .syn_seen()
            .then(|| time.nanos_since(start))
    }

    /// The conversation without a known client whose server id an ACK announces
    /// only now: of a connection that began before the capture, one direction may
    /// be readable before the other.
    pub(in crate::conversation) fn find_announced(
        &self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
    ) -> Option<Slot> {
        let key = server_key(seen, frame.announced_id()?);
        self.find_headless(key, seen.addressee)
    }

    /// The conversation that has the id which a server gives to this one.
    pub(in crate::conversation) fn user_of_server_id(
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
