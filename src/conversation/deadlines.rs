//! Deadlines of conversations in capture time: an answer, late messages, being reported.

use std::collections::VecDeque;

use super::options::TrackerOptions;
use super::records::{Records, Slot, low_half};
use super::state::Phase;
use crate::time::Timestamp;

/// A deadline that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The SYN of this conversation was not answered in time.
    NoAnswer(Slot),
    /// This conversation is over, and nothing more is to come.
    Over(Slot),
}

/// Conversations that wait, each kind in the order in which its time runs out.
///
/// Nothing is taken out when it no longer waits: its entry is passed over
/// when it comes first, and its kind is swept when most entries are such.
#[derive(Debug)]
pub(super) struct Deadlines {
    handshake_limit_ns: i64,
    linger_ns: i64,
    max_lingering: usize,
    /// SYNs without an answer.
    unanswered: Swept,
    /// Those that had no answer in time, which may still come.
    unheard: Swept,
    /// Closed ones.
    lingering: VecDeque<Deadline>,
    /// Before this nothing is due.
    earliest: Timestamp,
}

/// Conversations that wait in a phase, and others that did.
#[derive(Debug)]
struct Swept {
    queue: VecDeque<Deadline>,
    phase: Phase,
    /// When there are as many, the others leave.
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    time: Timestamp,
    slot: Slot,
    /// The lowest bits of its number, which distinguish it from a later one in its slot.
    number: u32,
}

/// Entries up to which nothing is swept.
const FEW: usize = 1_024;

const NEVER: Timestamp = Timestamp::from_nanos(i64::MAX);

impl Deadlines {
    pub(super) fn new(options: &TrackerOptions) -> Self {
        Self {
            handshake_limit_ns: options.handshake_limit_ns,
            linger_ns: options.linger_ns,
            max_lingering: options.max_lingering.max(1),
            unanswered: Swept::new(Phase::SynSent),
            unheard: Swept::new(Phase::NoAnswer),
            lingering: VecDeque::new(),
            earliest: NEVER,
        }
    }

    /// A SYN was seen.
    pub(super) fn wait_for_answer(&mut self, slot: Slot, now: Timestamp, records: &Records) {
        let until = now.plus_nanos(self.handshake_limit_ns);
        self.unanswered.push(slot, until, records);
        self.earliest = self.earliest.min(until);
    }

    /// The latest SYNs without an answer, the very last one first, of which at most
    /// `limit` entries are looked at.
    pub(super) fn latest_unanswered(
        &self,
        limit: usize,
        records: &Records,
    ) -> impl DoubleEndedIterator<Item = Slot> {
        self.unanswered
            .queue
            .iter()
            .rev()
            .take(limit)
            .filter(|deadline| is_in(deadline, Phase::SynSent, records))
            .map(|deadline| deadline.slot)
    }

    /// An answer did not come in time.
    pub(super) fn wait_for_late_answer(&mut self, slot: Slot, now: Timestamp, records: &Records) {
        let until = self.last_late(now);
        self.unheard.push(slot, until, records);
        self.earliest = self.earliest.min(until);
    }

    /// Until when something comes late for a conversation that is over since `end`.
    pub(super) fn last_late(&self, end: Timestamp) -> Timestamp {
        end.plus_nanos(self.linger_ns)
    }

    /// A conversation was closed.
    pub(super) fn linger(&mut self, slot: Slot, now: Timestamp, records: &Records) {
        let until = self.last_late(now);
        self.lingering.push_back(deadline(slot, until, records));
        self.earliest = self.earliest.min(until);
    }

    /// Of more closed conversations than may linger, the first to have been closed, and none of
    /// `latest`, which linger since now: one that was closed, opened and closed again has an
    /// earlier entry.
    pub(super) fn crowded_out(&mut self, latest: &[Slot], records: &Records) -> Option<Slot> {
        while self.lingering.len() > self.max_lingering.max(latest.len()) {
            let deadline = self.lingering.pop_front()?;
            if is_closed(&deadline, records) && !latest.contains(&deadline.slot) {
                return Some(deadline.slot);
            }
        }
        None
    }

    /// Has [`is_due`](Self::is_due) say so at this time.
    pub(super) fn wake_at(&mut self, time: Timestamp) {
        self.earliest = self.earliest.min(time);
    }

    /// Whether closing `more` conversations will have others reported.
    pub(super) fn is_crowded(&self, more: usize) -> bool {
        self.lingering.len() + more > self.max_lingering
    }

    /// The closed conversations that are reported next, at most `count`, some of which may
    /// not be closed any more.
    pub(super) fn next_reported(&self, count: usize) -> impl Iterator<Item = Slot> + Clone {
        self.lingering
            .iter()
            .take(count)
            .map(|deadline| deadline.slot)
    }

    /// Whether [`next`](Self::next) may have something.
    #[inline]
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.earliest <= now
    }

    /// The next that is due, which is then waited for no more.
    pub(super) fn next(&mut self, now: Timestamp, records: &Records) -> Option<Due> {
        while let Some(deadline) = self.unanswered.queue.front().copied() {
            let waits = is_in(&deadline, Phase::SynSent, records);
            if waits && deadline.time > now {
                break;
            }
            self.unanswered.queue.pop_front();
            if waits {
                return Some(Due::NoAnswer(deadline.slot));
            }
        }
        loop {
            let time_of =
                |queue: &VecDeque<Deadline>| queue.front().map_or(NEVER, |first| first.time);
            let (unheard, lingering) = (time_of(&self.unheard.queue), time_of(&self.lingering));
            if unheard.min(lingering) > now {
                break;
            }
            let (queue, is_over): (_, fn(&Deadline, &Records) -> bool) = if unheard <= lingering {
                (&mut self.unheard.queue, is_unheard)
            } else {
                (&mut self.lingering, is_closed)
            };
            let Some(deadline) = queue.pop_front() else {
                break;
            };
            if is_over(&deadline, records) {
                return Some(Due::Over(deadline.slot));
            }
        }
        let first = [&self.unanswered.queue, &self.unheard.queue, &self.lingering]
            .into_iter()
            .filter_map(|queue| queue.front())
            .map(|deadline| deadline.time);
        self.earliest = first.min().unwrap_or(NEVER);
        None
    }
}

impl Swept {
    const fn new(phase: Phase) -> Self {
        Self {
            queue: VecDeque::new(),
            phase,
            sweep_at: FEW,
        }
    }

    fn push(&mut self, slot: Slot, until: Timestamp, records: &Records) {
        if self.queue.len() >= self.sweep_at {
            let phase = self.phase;
            self.queue
                .retain(|deadline| is_in(deadline, phase, records));
            self.sweep_at = FEW.max(self.queue.len() * 2);
        }
        self.queue.push_back(deadline(slot, until, records));
    }
}

fn deadline(slot: Slot, time: Timestamp, records: &Records) -> Deadline {
    Deadline {
        time,
        slot,
        number: low_half(records.live(slot).id().0),
    }
}

fn is_in(deadline: &Deadline, phase: Phase, records: &Records) -> bool {
    records.holds(deadline.slot, deadline.number) && records.live(deadline.slot).phase() == phase
}

fn is_unheard(deadline: &Deadline, records: &Records) -> bool {
    is_in(deadline, Phase::NoAnswer, records)
}

fn is_closed(deadline: &Deadline, records: &Records) -> bool {
    records.holds(deadline.slot, deadline.number) && records.live(deadline.slot).phase().is_closed()
}

#[cfg(test)]
mod tests {
    use super::super::records::NewRecord;
    use super::*;
    use crate::net::Side;

    #[test]
    fn those_that_wait_no_more_leave_also_where_time_stands_still() {
        let now = Timestamp::from_nanos(0);
        let mut records = Records::new();
        let mut deadlines = Deadlines::new(&TrackerOptions::default());
        for number in 1..=10 * FEW as u64 {
            for phase in [Phase::SynSent, Phase::NoAnswer] {
                let slot = records.insert(&NewRecord {
                    number,
                    channel: 0,
                    channel_position: 0,
                    client_side: Side::Initiator,
                    phase,
                    time: now,
                    elapsed_us: 0,
                    message: number,
                });
                match phase {
                    Phase::SynSent => deadlines.wait_for_answer(slot, now, &records),
                    _ => deadlines.wait_for_late_answer(slot, now, &records),
                }
                // Nothing is taken out here but what a sweep finds.
                records.remove(slot);
            }
        }
        for queue in [&deadlines.unanswered.queue, &deadlines.unheard.queue] {
            assert!(queue.len() <= FEW, "{}", queue.len());
        }
    }
}
