//! Connections that must have come to something within a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::runtime::link::Peer;

/// Number that may be over without being tidied away.
const FEW: usize = 512;

/// The same time for all of them.
#[derive(Debug)]
pub(super) struct Deadlines {
    time: Duration,
    /// In the order in which they begin, which is that of their ends.
    queue: VecDeque<Deadline>,
}

#[derive(Debug)]
struct Deadline {
    until: Instant,
    /// The connection's number in the ready set, which another may have after it, and its peer.
    number: usize,
    peer: Peer,
    /// The bytes there at its deadline were looked at.
    is_read: bool,
}

/// The action on a connection whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// To read its bytes so far, as after a stop of this process; then it is to be asked again.
    Read(usize),
    /// To end it.
    End(usize, Peer),
}

impl Deadlines {
    pub(super) const fn new(time: Duration) -> Self {
        Self {
            time,
            queue: VecDeque::new(),
        }
    }

    pub(super) const fn time(&self) -> Duration {
        self.time
    }

    /// A connection's time begins.
    pub(super) fn begin(&mut self, now: Instant, number: usize, peer: Peer) {
        let Some(until) = now.checked_add(self.time) else {
            return;
        };
        self.queue.push_back(Deadline {
            until,
            number,
            peer,
            is_read: false,
        });
    }

    /// The next whose time is over, of those of which `waits` says that nothing has come yet.
    pub(super) fn late(
        &mut self,
        now: Instant,
        waits: impl Fn(usize, Peer) -> bool,
    ) -> Option<Late> {
        if self.queue.len() > FEW {
            self.queue
                .retain(|deadline| waits(deadline.number, deadline.peer));
        }
        while let Some(first) = self.queue.front_mut() {
            let (number, peer) = (first.number, first.peer);
            if waits(number, peer) {
                if now < first.until {
                    return None;
                }
                if !first.is_read {
                    first.is_read = true;
                    return Some(Late::Read(number));
                }
                self.queue.pop_front();
                return Some(Late::End(number, peer));
            }
            self.queue.pop_front();
        }
        None
    }

    /// When the next may be over.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.front().map(|first| first.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u64) -> Peer {
        let address = ([127, 0, 0, 1], 1).into();
        Peer::Connection { number, address }
    }

    #[test]
    fn connections_are_read_once_more_and_ended_in_the_order_in_which_they_began() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut deadlines = Deadlines::new(Duration::from_secs(1));
        for number in 0..4 {
            deadlines.begin(at(number * 10), number as usize, peer(number));
        }
        let all = |_, _| true;
        assert_eq!(deadlines.late(at(999), all), None);
        assert_eq!(deadlines.next(), Some(at(1_000)));
        // Whatever the time, each is read before it ends.
        let late = |deadlines: &mut Deadlines, millis| deadlines.late(at(millis), all);
        assert_eq!(late(&mut deadlines, 1_005), Some(Late::Read(0)));
        assert_eq!(late(&mut deadlines, 1_005), Some(Late::End(0, peer(0))));
        assert_eq!(late(&mut deadlines, 1_005), None);
        assert_eq!(deadlines.next(), Some(at(1_010)));
        assert_eq!(late(&mut deadlines, 600_000), Some(Late::Read(1)));
        // Something had come.
        let not_1 = |number, _| number != 1;
        assert_eq!(deadlines.late(at(600_000), not_1), Some(Late::Read(2)));
        assert_eq!(
            deadlines.late(at(600_000), not_1),
            Some(Late::End(2, peer(2)))
        );
        // Its number belongs to another now.
        let not_its_own = |_, other| other != peer(3);
        assert_eq!(deadlines.late(at(600_000), not_its_own), None);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn behind_one_that_waits_for_long_no_others_gather() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(Duration::from_secs(3_600));
        for number in 0..100_000 {
            deadlines.begin(start, 0, peer(number));
            assert_eq!(deadlines.late(start, |_, other| other == peer(0)), None);
            assert!(deadlines.queue.len() <= FEW + 1);
        }
    }
}
