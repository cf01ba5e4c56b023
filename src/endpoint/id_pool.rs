//! The ids that a participant chose, one pool for each role.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::wire::StreamId;

/// Number of ended ids that rest before they may be drawn again.
///
/// A message for an ended conversation can still be under way; it must not
/// reach the next one. At this size such a message would have to be late by
/// 65,536 conversations and then hit one id of 16 million.
const RESTING_IDS: usize = 1 << 16;

/// Live ids with the slot of their conversation, and those that ended lately.
#[derive(Debug, Default)]
pub(crate) struct IdPool {
    live: HashMap<StreamId, usize>,
    resting: HashSet<StreamId>,
    resting_order: VecDeque<StreamId>,
}

impl IdPool {
    /// Draws an id that is not reserved, not live and has not ended lately.
    pub(crate) fn draw(&mut self, rng: &mut ChaCha12Rng, slot: usize) -> StreamId {
        loop {
            // All that 24 bits can say but 000000, which is reserved (docs/protocol.md, "Messages").
            let id = StreamId::from_u32(rng.random_range(1..=0x00ff_ffff));
            if !self.resting.contains(&id) && self.claim(id, slot) {
                return id;
            }
        }
    }

    /// Takes a given id; false if it is live.
    pub(crate) fn claim(&mut self, id: StreamId, slot: usize) -> bool {
        match self.live.entry(id) {
            hashbrown::hash_map::Entry::Occupied(_) => false,
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(slot);
                true
            }
        }
    }

    /// The slot of a live id.
    pub(crate) fn slot(&self, id: StreamId) -> Option<usize> {
        self.live.get(&id).copied()
    }

    /// Ends an id and puts it to rest.
    pub(crate) fn release(&mut self, id: StreamId) {
        if self.live.remove(&id).is_none() || !self.resting.insert(id) {
            return;
        }
        self.resting_order.push_back(id);
        if self.resting_order.len() > RESTING_IDS
            && let Some(rested) = self.resting_order.pop_front()
        {
            self.resting.remove(&rested);
        }
    }

    /// Number of live ids.
    pub(crate) fn live_count(&self) -> usize {
        self.live.len()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn an_id_is_not_drawn_while_it_lives_or_rests() {
        let mut pool = IdPool::default();
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let mut seen = HashSet::new();
        for round in 0..RESTING_IDS {
            let id = pool.draw(&mut rng, round);
            assert!(!id.is_zero());
            assert!(seen.insert(id), "{id} came twice within {round} draws");
            if round % 2 == 0 {
                pool.release(id);
            }
        }
    }

    #[test]
    fn only_the_last_ended_ids_rest() {
        let mut pool = IdPool::default();
        for number in 1..=u32::try_from(RESTING_IDS).unwrap() + 5 {
            assert!(pool.claim(StreamId::from_u32(number), 0));
            pool.release(StreamId::from_u32(number));
        }
        assert_eq!(pool.resting.len(), RESTING_IDS);
        assert_eq!(pool.resting_order.len(), RESTING_IDS);
        assert!(!pool.resting.contains(&StreamId::from_u32(5)));
        assert!(pool.resting.contains(&StreamId::from_u32(6)));
    }

    #[test]
    fn a_live_id_cannot_be_claimed_and_an_ended_one_can() {
        let mut pool = IdPool::default();
        let id = StreamId([1, 2, 3]);
        assert!(pool.claim(id, 4));
        assert!(!pool.claim(id, 5));
        assert_eq!(pool.slot(id), Some(4));
        assert_eq!(pool.live_count(), 1);
        pool.release(id);
        pool.release(id);
        assert_eq!(pool.slot(id), None);
        assert!(pool.claim(id, 5), "the caller asked for just this one");
        pool.release(id);
        assert_eq!((pool.live_count(), pool.resting_order.len()), (0, 1));
    }
}
