//! What waits on purpose: for another message, for a time, or for somebody's leave.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::ConnectionId;
use super::carried::Waiting;
use crate::conversation::{ConversationId, MessageEvent};
use crate::fault::{ALLOCATION_BYTES, Parcelled, tree_entry_bytes};
use crate::net::Side;
use crate::select::filter::Filter;
use crate::wire::Direction;

/// Bytes that wait on purpose at which nothing more is read.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What a message that waits counts beside the bytes that it keeps: its place, of which the one among the delayed
/// takes most, and the memory of its own that its bytes are moved to.
const OVERHEAD_BYTES: usize = tree_entry_bytes::<((Instant, u64), Waiting)>() + ALLOCATION_BYTES;

/// A message that waits for another.
#[derive(Debug)]
pub(super) struct Hold {
    waiting: Waiting,
    conversation: Option<ConversationId>,
    until: Until,
    released: bool,
}

/// What a message waits for.
#[derive(Clone, Debug)]
pub(super) enum Until {
    /// A message that matches.
    Matches(Box<Filter>),
    /// The next message in the direction.
    Next(Direction),
}

impl Hold {
    /// Whether this message is what it waits for.
    pub(super) fn look_at(&mut self, connection: ConnectionId, event: &MessageEvent<'_>) {
        let same = match self.conversation {
            Some(id) => event.conversation == Some(id),
            None => connection == self.waiting.connection,
        };
        self.released |= same
            && match &self.until {
                Until::Matches(filter) => filter.matches(event),
                Until::Next(direction) => event.direction == Some(*direction),
            };
    }
}

/// All that waits, and how much it is.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    holds: Vec<Hold>,
    delayed: BTreeMap<(Instant, u64), Waiting>,
    delayed_count: u64,
    queue: VecDeque<Waiting>,
    /// Whether everything waits for somebody's leave.
    is_paused: bool,
    bytes: usize,
}

fn cost(waiting: &Waiting) -> usize {
    waiting.carried.held_bytes() + OVERHEAD_BYTES
}

impl WaitingRoom {
    /// Whether nothing more should be read.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES
    }

    /// What all that waits counts, in bytes.
    pub(super) const fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Counts a message that is to wait, and has it keep no more than it counts.
    fn admit(&mut self, mut waiting: Waiting) -> Waiting {
        waiting.carried.own_memory();
        self.bytes += cost(&waiting);
        waiting
    }

    /// Has a message wait for another. Gives those that have to go on without what they wait for:
    /// that could never be read if they kept others from being read.
    pub(super) fn hold(
        &mut self,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        until: Until,
    ) -> Vec<Waiting> {
        let waiting = self.admit(waiting);
        self.holds.push(Hold {
            waiting,
            conversation,
            until,
            released: false,
        });
        let mut pushed_out = Vec::new();
        while self.bytes >= MAX_BYTES / 2 && !self.holds.is_empty() {
            let oldest = self.holds.remove(0).waiting;
            self.bytes -= cost(&oldest);
            pushed_out.push(oldest);
        }
        pushed_out
    }

    /// The messages that wait for others, to be shown one that came in.
    pub(super) fn holds_mut(&mut self) -> &mut [Hold] {
        &mut self.holds
    }

    /// Those whose message has come.
    pub(super) fn released(&mut self) -> Vec<Waiting> {
        if self.holds.iter().any(|hold| hold.released) {
            self.take_holds(|hold| hold.released)
        } else {
            Vec::new()
        }
    }

    /// Those that came from a side that sends nothing more.
    pub(super) fn held_from(&mut self, id: ConnectionId, from: Side) -> Vec<Waiting> {
        self.take_holds(|hold| hold.waiting.connection == id && hold.waiting.from == from)
    }

    fn take_holds(&mut self, wanted: impl Fn(&Hold) -> bool) -> Vec<Waiting> {
        let (taken, left) = std::mem::take(&mut self.holds)
            .into_iter()
            .partition::<Vec<_>, _>(wanted);
        self.holds = left;
        let taken: Vec<Waiting> = taken.into_iter().map(|hold| hold.waiting).collect();
        self.bytes -= taken.iter().map(cost).sum::<usize>();
        taken
    }

    /// Has a message wait until a time.
    pub(super) fn delay(&mut self, at: Instant, waiting: Waiting) {
        let waiting = self.admit(waiting);
        self.delayed_count += 1;
        self.delayed.insert((at, self.delayed_count), waiting);
    }

    /// When the last of those goes on that a side sent.
    pub(super) fn last_delayed(&self, id: ConnectionId, from: Side) -> Option<Instant> {
        let own = self
            .delayed
            .iter()
            .filter(|(_, waiting)| waiting.connection == id && waiting.from == from);
        own.map(|((at, _), _)| *at).next_back()
    }

    /// When the next of them goes on.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next whose time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Waiting> {
        let first = self.delayed.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let waiting = first.remove();
        self.bytes -= cost(&waiting);
        Some(waiting)
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
        let waiting = self.admit(waiting);
        self.queue.push_back(waiting);
    }

    /// The first of those.
    pub(super) fn pop_queued(&mut self) -> Option<Waiting> {
        let waiting = self.queue.pop_front()?;
        self.bytes -= cost(&waiting);
        Some(waiting)
    }

    /// How many there are.
    pub(super) fn queued_count(&self) -> usize {
        self.queue.len()
    }

    /// All of them, first to last.
    pub(super) fn queued(&self) -> impl Iterator<Item = &Waiting> {
        self.queue.iter()
    }

    /// Drops what waits on a connection that is gone.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let bytes = &mut self.bytes;
        let mut keeps = |waiting: &Waiting| {
            let keeps = waiting.connection != id;
            if !keeps {
                *bytes -= cost(waiting);
            }
            keeps
        };
        self.holds.retain(|hold| keeps(&hold.waiting));
        self.queue.retain(|waiting| keeps(waiting));
        self.delayed.retain(|_, waiting| keeps(waiting));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::proxy::carried::Carried;

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
