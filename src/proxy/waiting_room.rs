//! Messages that wait on purpose: for another message, for a time, or for a step.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use hashbrown::HashMap;

use super::ConnectionId;
use super::carried::Waiting;
use super::holds::{self, Holds, Until};
use crate::allocation::{ALLOCATION_BYTES, tree_entry_bytes};
use crate::conversation::ConversationId;
use crate::fault::{Gone, Parcelled};
use crate::net::Side;

/// Bytes that wait on purpose at which nothing more is read.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Bytes counted for a message that waits for a time or a step, beside those that it keeps: its
/// place where that takes most, and the memory of its own that its bytes are moved to.
const OVERHEAD_BYTES: usize = tree_entry_bytes::<((Instant, u64), Waiting)>() + ALLOCATION_BYTES;

/// The same of a message that waits for another.
const HELD_OVERHEAD_BYTES: usize = holds::PLACE_BYTES + ALLOCATION_BYTES;

/// The waiting messages of one connection, apart from those that wait for other messages.
#[derive(Debug, Default)]
struct Share {
    count: usize,
    /// Bytes that these messages count.
    bytes: usize,
    /// Number of each side's that are delayed, and the time of the last of these.
    delayed: [(usize, Option<Instant>); 2],
}

/// All that waits, and its bytes.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    holds: Holds,
    delayed: BTreeMap<(Instant, u64), Waiting>,
    delayed_count: u64,
    queue: VecDeque<Waiting>,
    /// Of the connections that are there: messages of a connection that is not here are dropped
    /// some time.
    shares: HashMap<ConnectionId, Share>,
    /// Those that wait for nothing, because their connections are gone.
    gone: Gone,
    /// Whether everything waits for somebody's leave.
    is_paused: bool,
    bytes: usize,
}

fn cost(waiting: &Waiting) -> usize {
    waiting.carried.held_bytes() + OVERHEAD_BYTES
}

/// The same of a message that waits for another.
fn held_cost(waiting: &Waiting) -> usize {
    waiting.carried.held_bytes() + HELD_OVERHEAD_BYTES
}

impl WaitingRoom {
    /// Whether nothing more should be read.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES
    }

    /// The bytes of all that waits.
    pub(super) const fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Counts a message that is to wait, and has it keep no more than it counts.
    fn admit(&mut self, mut waiting: Waiting, cost: fn(&Waiting) -> usize) -> Waiting {
        waiting.carried.own_memory();
        self.bytes += cost(&waiting);
        waiting
    }

    /// Has a message wait for another. Returns those that have to go on without the messages that
    /// they wait for: those could never be read if they kept others from being read.
    pub(super) fn hold(
        &mut self,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        until: Until,
    ) -> Vec<Waiting> {
        let waiting = self.admit(waiting, held_cost);
        self.holds.push(waiting, conversation, until);
        let mut pushed_out = Vec::new();
        while self.bytes >= MAX_BYTES / 2
            && let Some(oldest) = self.holds.take_oldest()
        {
            self.bytes -= held_cost(&oldest);
            pushed_out.push(oldest);
        }
        pushed_out
    }

    /// The messages that wait for others, to be shown one that came in.
    pub(super) const fn holds_mut(&mut self) -> &mut Holds {
        &mut self.holds
    }

    /// Those whose message has come.
    pub(super) fn released(&mut self) -> Vec<Waiting> {
        let taken = self.holds.take_released();
        self.left(taken)
    }

    /// Those that came from a side that sends nothing more.
    pub(super) fn held_from(&mut self, id: ConnectionId, from: Side) -> Vec<Waiting> {
        let taken = self.holds.take_from(id, from);
        self.left(taken)
    }

    fn left(&mut self, taken: Vec<Waiting>) -> Vec<Waiting> {
        self.bytes -= taken.iter().map(held_cost).sum::<usize>();
        taken
    }

    /// Has a message wait until a time.
    pub(super) fn delay(&mut self, at: Instant, waiting: Waiting) {
        let waiting = self.admit(waiting, cost);
        let share = self.share(&waiting);
        let (count, last) = &mut share.delayed[waiting.from.index()];
        *count += 1;
        *last = (*last).max(Some(at));
        self.delayed_count += 1;
        self.delayed.insert((at, self.delayed_count), waiting);
    }

    /// The share of a message's connection, with this message.
    fn share(&mut self, waiting: &Waiting) -> &mut Share {
        let share = self.shares.entry(waiting.connection).or_default();
        share.count += 1;
        share.bytes += cost(waiting);
        share
    }

    /// A message that does not wait any more goes on, if its connection is still there.
    fn leaves(&mut self, waiting: Waiting) -> Option<Waiting> {
        let cost = cost(&waiting);
        self.bytes -= cost;
        let Some(share) = self.shares.get_mut(&waiting.connection) else {
            self.gone.remove_one(cost);
            return None;
        };
        share.count -= 1;
        share.bytes -= cost;
        if share.count == 0 {
            self.shares.remove(&waiting.connection);
        }
        self.drop_gone_if_half();
        Some(waiting)
    }

    /// The time at which the last of a side's messages goes on.
    pub(super) fn last_delayed(&self, id: ConnectionId, from: Side) -> Option<Instant> {
        self.shares.get(&id)?.delayed[from.index()].1
    }

    /// The time at which the next of them goes on.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next whose time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Waiting> {
        loop {
            let first = self.delayed.first_entry()?;
            if first.key().0 > now {
                return None;
            }
            let waiting = first.remove();
            if let Some(share) = self.shares.get_mut(&waiting.connection) {
                let (count, last) = &mut share.delayed[waiting.from.index()];
                *count -= 1;
                if *count == 0 {
                    *last = None;
                }
            }
            if let Some(waiting) = self.leaves(waiting) {
                return Some(waiting);
            }
        }
    }

    /// Whether whatever comes has to [`queue`](Self::queue).
    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub(super) const fn pause(&mut self) {
        self.is_paused = true;
    }

    pub(super) const fn resume(&mut self) {
        self.is_paused = false;
    }

    /// Has a message wait for somebody's leave.
    pub(super) fn queue(&mut self, waiting: Waiting) {
        let waiting = self.admit(waiting, cost);
        self.share(&waiting);
        self.queue.push_back(waiting);
    }

    /// The first of those.
    pub(super) fn pop_queued(&mut self) -> Option<Waiting> {
        loop {
            let waiting = self.queue.pop_front()?;
            if let Some(waiting) = self.leaves(waiting) {
                return Some(waiting);
            }
        }
    }

    /// Number of them.
    pub(super) fn queued_count(&self) -> usize {
        self.queued().count()
    }

    /// All of them, first to last.
    pub(super) fn queued(&self) -> impl Iterator<Item = &Waiting> {
        let is_there = |waiting: &&Waiting| self.shares.contains_key(&waiting.connection);
        self.queue.iter().filter(is_there)
    }

    /// Drops messages waiting on a connection that is gone.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let held = self.holds.take_all(id);
        self.bytes -= held.iter().map(held_cost).sum::<usize>();
        let Some(share) = self.shares.remove(&id) else {
            return;
        };
        self.gone.add(share.count, share.bytes);
        self.drop_gone_if_half();
    }

    fn drop_gone_if_half(&mut self) {
        let count = self.delayed.len() + self.queue.len();
        if !self.gone.are_half_of(count, self.bytes) {
            return;
        }
        let (bytes, shares) = (&mut self.bytes, &self.shares);
        let mut keeps = |waiting: &Waiting| {
            let keeps = shares.contains_key(&waiting.connection);
            if !keeps {
                *bytes -= cost(waiting);
            }
            keeps
        };
        self.queue.retain(&mut keeps);
        self.delayed.retain(|_, waiting| keeps(waiting));
        self.gone = Gone::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::proxy::carried::Carried;
    use crate::wire::Direction;

    /// A few bytes that were the beginning of a large read.
    fn slice_of_a_read() -> Bytes {
        let mut read = BytesMut::zeroed(64 * 1024);
        read.split_to(5).freeze()
    }

    fn waiting(carried: Carried) -> Waiting {
        Waiting {
            connection: ConnectionId(1),
            from: Side::Initiator,
            carried,
        }
    }

    #[test]
    fn what_waits_does_not_hold_the_reads_that_it_was_a_part_of() {
        let now = Instant::now();
        let mut room = WaitingRoom::default();
        for kind in 0..3 {
            for _ in 0..100 {
                let slices = [(); 3].map(|()| slice_of_a_read());
                let [message, wrapped, frame] = slices.clone();
                for carried in [
                    Carried::message(message, Some(wrapped)),
                    Carried::frame(frame),
                ] {
                    let waiting = waiting(carried);
                    match kind {
                        0 => room.delay(now + Duration::from_secs(60), waiting),
                        1 => room.queue(waiting),
                        _ => {
                            let until = Until::Next(Direction::ClientToServer);
                            assert!(room.hold(waiting, None, until).is_empty());
                        }
                    }
                }
                assert!(
                    slices.iter().all(Bytes::is_unique),
                    "{kind}: the waiting room keeps a slice of the read"
                );
            }
        }
    }

    #[test]
    fn what_is_gone_leaves_its_room_to_others_before_its_time() {
        let now = Instant::now();
        let later = |hours: u64| now + Duration::from_secs(3_600 * hours);
        let message = |connection, bytes: usize| Waiting {
            connection: ConnectionId(connection),
            ..waiting(Carried::message(vec![0; bytes].into(), None))
        };
        let mut room = WaitingRoom::default();
        let mut large_count = 0;
        while !room.is_full() {
            room.delay(later(2), message(1, 32 * 1024));
            large_count += 1;
        }
        for _ in 0..3 * large_count {
            room.delay(later(1), message(2, 1));
        }
        room.forget(ConnectionId(1));
        assert!(room.held_bytes() < 16 * 1024 * 1024 / 8);

        // What is gone is the smaller part, and the others leave.
        let mut room = WaitingRoom::default();
        while !room.is_full() {
            room.delay(later(2), message(1, 20 * 1024));
            for _ in 0..3 {
                room.delay(later(1), message(2, 10 * 1024));
            }
        }
        room.forget(ConnectionId(1));
        while room.pop_due(later(1)).is_some() {}
        assert_eq!(room.held_bytes(), 0);
    }

    #[test]
    fn the_last_of_a_side_that_is_delayed_is_known_until_it_has_left() {
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let message = || waiting(Carried::message(Bytes::from_static(b"data"), None));
        let mut room = WaitingRoom::default();
        // Its connection is still there when nothing of it is delayed any more.
        room.queue(message());
        for seconds in [1, 3, 2] {
            room.delay(later(seconds), message());
        }
        for (seconds, last) in [(1, Some(later(3))), (2, Some(later(3))), (3, None)] {
            assert!(room.pop_due(later(seconds)).is_some());
            assert!(room.pop_due(later(seconds)).is_none());
            assert_eq!(room.last_delayed(ConnectionId(1), Side::Initiator), last);
            assert_eq!(room.last_delayed(ConnectionId(1), Side::Responder), None);
        }
    }

    #[test]
    fn what_has_gone_on_is_not_gone_with_its_connection() {
        let now = Instant::now();
        let message = |connection| Waiting {
            connection: ConnectionId(connection),
            ..waiting(Carried::message(Bytes::from_static(b"data"), None))
        };
        let mut room = WaitingRoom::default();
        for _ in 0..10 {
            room.delay(now, message(1));
        }
        for connection in [1, 2, 2] {
            room.delay(now + Duration::from_secs(1), message(connection));
        }
        while room.pop_due(now).is_some() {}
        room.forget(ConnectionId(1));
        assert_eq!(room.delayed.len(), 3, "one of three is not half");
    }

    #[test]
    fn a_frame_counts_with_the_message_in_it() {
        let mut room = WaitingRoom::default();
        let frame = Bytes::from(vec![0; 60_000]);
        for _ in 0..100 {
            room.queue(waiting(Carried::message(
                slice_of_a_read(),
                Some(frame.clone()),
            )));
        }
        let each = 5 + 60_000 + ALLOCATION_BYTES + OVERHEAD_BYTES;
        assert_eq!(room.held_bytes(), 100 * each);
        while room.pop_queued().is_some() {}
        assert_eq!(room.held_bytes(), 0);
    }
}
