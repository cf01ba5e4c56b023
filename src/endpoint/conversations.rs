//! The conversations of an endpoint, by their slots and handles.

use std::ops::{Index, IndexMut};
use std::time::Instant;

use slab::Slab;

use super::conversation::{Conversation, Role};
use super::output::Handle;
use super::state::State;
use crate::wire::ClientId;

/// Live conversations, and ended ones that are kept for their unread bytes.
#[derive(Debug)]
pub(super) struct Conversations {
    slots: Slab<Conversation>,
    next_serial: u64,
    ended: usize,
}

impl Conversations {
    pub(super) const fn new() -> Self {
        Self {
            slots: Slab::new(),
            next_serial: 1,
            ended: 0,
        }
    }

    /// The slot that the next conversation gets.
    pub(super) fn vacant_slot(&self) -> usize {
        self.slots.vacant_key()
    }

    /// Makes a conversation with a peer's slot.
    pub(super) fn insert(
        &mut self,
        role: Role,
        peer: usize,
        client_id: ClientId,
        now: Instant,
    ) -> Handle {
        let handle = Handle {
            serial: self.next_serial,
            slot: self.vacant_slot(),
        };
        self.next_serial += 1;
        self.slots
            .insert(Conversation::new(handle, role, peer, client_id, now));
        handle
    }

    /// From now on it is kept for its unread bytes only.
    pub(super) fn end(&mut self, slot: usize) {
        self.ended += 1;
        self.slots[slot].state = State::Ended;
    }

    /// Removes one that has ended.
    pub(super) fn remove(&mut self, slot: usize) -> Conversation {
        self.ended -= 1;
        self.slots.remove(slot)
    }

    /// The conversation of a handle, whether live or ended.
    pub(super) fn known(&self, handle: Handle) -> Option<&Conversation> {
        // The slot may be another conversation's by now.
        self.slots
            .get(handle.slot)
            .filter(|conversation| conversation.handle == handle)
    }

    pub(super) fn known_mut(&mut self, handle: Handle) -> Option<&mut Conversation> {
        self.slots
            .get_mut(handle.slot)
            .filter(|conversation| conversation.handle == handle)
    }

    pub(super) fn live(&self, handle: Handle) -> Option<&Conversation> {
        self.known(handle)
            .filter(|conversation| conversation.state != State::Ended)
    }

    pub(super) fn contains(&self, slot: usize) -> bool {
        self.slots.contains(slot)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conversation> {
        self.slots.iter_mut().map(|(_, conversation)| conversation)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Conversation)> {
        self.slots.iter()
    }

    /// Whether there are `limit` ended ones.
    pub(super) const fn are_full_of_ended(&self, limit: usize) -> bool {
        self.ended >= limit
    }

    /// Live ones and ended ones.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn live_count(&self) -> usize {
        self.slots.len() - self.ended
    }

    /// Whether there are `limit` of either kind: ended ones must not add up behind a reader who
    /// never reads, and must not take the places of live ones either.
    pub(super) fn are_full(&self, limit: usize) -> bool {
        self.live_count().max(self.ended) >= limit
    }

    /// At most `count` of those that the application has finished and that were answered since:
    /// those that have been silent for longest.
    pub(super) fn longest_answered(&self, count: usize) -> Vec<Handle> {
        let mut answered: Vec<(Instant, Handle)> = self
            .iter()
            .filter(|(_, conversation)| conversation.is_answered())
            .map(|(_, conversation)| (conversation.liveness.talked(), conversation.handle))
            .collect();
        if let Some(last) = count.checked_sub(1)
            && answered.len() > count
        {
            answered.select_nth_unstable(last);
            answered.truncate(count);
        }
        answered.into_iter().map(|(_, handle)| handle).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.ended == 0
    }
}

impl Index<usize> for Conversations {
    type Output = Conversation;

    fn index(&self, slot: usize) -> &Conversation {
        &self.slots[slot]
    }
}

impl IndexMut<usize> for Conversations {
    fn index_mut(&mut self, slot: usize) -> &mut Conversation {
        &mut self.slots[slot]
    }
}
