//! The ids of tracked conversations: given, looked up, taken away.

use super::super::channel::Channels;
use super::super::id_table::{IdKey, IdTable, KeyHasher, Space};
use super::super::records::{Records, Slot};
use super::super::state::{ConversationState, Stimulus};
use crate::wire::{ClientId, DestinationHash, ServerId};

/// The record that is expected to be a message's, until something changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpectedRecord(pub(super) Slot);

/// The conversations of ids, and the one looked up last.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) ids: IdTable,
    /// The conversation that was found last: messages come in runs of one.
    found_last: Slot,
}

impl Names {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self {
            ids: IdTable::new(hasher),
            found_last: 0,
        }
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
        records: &Records,
    ) -> Option<Slot> {
        let may_be_with = |slot: &Slot| records.details(*slot).may_be_with(addressee);
        let found = self.find_any(key, expected, records)?;
        if !records.live(found).shares_ids() {
            return may_be_with(&found).then_some(found);
        }
        let rank = |slot: &Slot| match (stimulus, records.live(*slot).phase().state()) {
            (Stimulus::Ack, ConversationState::SynSent | ConversationState::NoAnswer) => 0,
            (_, ConversationState::Open) => 1,
            (_, ConversationState::SynSent | ConversationState::NoAnswer) => 2,
            _ => OVER,
        };
        const OVER: u8 = 3;
        let mut candidates = self.ids.all(key, records);
        candidates.retain(may_be_with);
        // The oldest of those that wait for it, or the latest of those that are over.
        match candidates.iter().map(rank).min()? {
            OVER => candidates.pop(),
            best => candidates.into_iter().find(|slot| rank(slot) == best),
        }
    }

    /// A conversation that has this id, perhaps one of several; perhaps the `expected` one.
    #[inline]
    pub(super) fn find_any(
        &mut self,
        key: IdKey,
        expected: Option<ExpectedRecord>,
        records: &Records,
    ) -> Option<Slot> {
        let likely = expected.map_or(self.found_last, |expected| expected.0);
        let found = if self.ids.is_only(likely, key, records) {
            likely
        } else {
            self.ids.find(key, records)?
        };
        self.found_last = found;
        Some(found)
    }

    /// The conversation without a known client that has this server id, if it is
    /// the only one: behind a router two servers may have chosen the same.
    pub(super) fn find_headless(
        &self,
        key: IdKey,
        addressee: Option<DestinationHash>,
        records: &Records,
    ) -> Option<Slot> {
        let mut headless = self.ids.all(key, records).into_iter().filter(|slot| {
            records.live(*slot).is_headless() && records.details(*slot).may_be_with(addressee)
        });
        match (headless.next(), headless.next()) {
            (Some(slot), None) => Some(slot),
            _ => None,
        }
    }

    /// Takes both ids from a conversation that ends.
    pub(super) fn forget(&mut self, slot: Slot, records: &Records, channels: &Channels) {
        let live = records.live(slot);
        let (channel, _) = channels.at(live.channel);
        let key = |owner, space, id| IdKey {
            channel,
            owner,
            space,
            id,
        };
        if let Some(ClientId(id)) = live.client_id() {
            let owner = live.client_side;
            self.ids.remove(key(owner, Space::Client, id), slot);
        }
        if let Some(ServerId(id)) = live.server_id() {
            let owner = live.client_side.opposite();
            self.ids.remove(key(owner, Space::Server, id), slot);
        }
    }

    /// Takes the server's id from a conversation, which it was not.
    pub(super) fn forget_server(
        &mut self,
        slot: Slot,
        records: &mut Records,
        channels: &Channels,
    ) -> Option<ServerId> {
        let live = records.live_mut(slot);
        let id = live.server_id()?;
        let key = IdKey {
            channel: channels.at(live.channel).0,
            owner: live.client_side.opposite(),
            space: Space::Server,
            id: id.0,
        };
        self.ids.remove(key, slot);
        live.forget_server_id();
        Some(id)
    }
}
