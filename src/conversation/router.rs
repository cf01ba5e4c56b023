//! Two views of one conversation at one I2P router, compared: what one session
//! handed to the router, and what the router handed to the other.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::RouterTime;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction, RawMessage, StreamId};

/// Messages of one direction that may be in the router at once and are still
/// compared; older ones are then given up without a finding.
const MAX_IN_FLIGHT: usize = 16_384;

/// What both views of a conversation share, by which they find each other:
/// the client's id and what the SYN carries.
pub(super) type LinkKey = (StreamId, SynContent);

/// What a SYN carries, as far as it identifies its views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SynContent {
    Destination(DestinationHash),
    /// Bytes that are no destination. A router carries them all the same.
    Bytes(u64),
}

/// A message that was handed to the router.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) fingerprint: u64,
    pub(super) time: Timestamp,
    pub(super) number: u64,
    /// Messages that were sent after it and came out before it.
    pub(super) overtaken_by: usize,
}

/// How a delivered message relates to those that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Nanoseconds in the router.
    pub(super) router_ns: i64,
    /// Messages that were sent after it and came out before it.
    pub(super) overtaken_by: usize,
    /// Its number when it was sent.
    pub(super) sent_as: u64,
}

/// The comparison of a linked pair of views.
#[derive(Debug, Default)]
pub(super) struct RouterLink {
    in_flight: [VecDeque<InFlight>; 2],
    hasher: DefaultHashBuilder,
}

impl RouterLink {
    /// Takes note of a message on its way into the router.
    pub(super) fn sent(
        &mut self,
        direction: Direction,
        message: &RawMessage<'_>,
        time: Timestamp,
        number: u64,
    ) {
        let fingerprint = self.fingerprint(message);
        let queue = &mut self.in_flight[direction as usize];
        if queue.len() == MAX_IN_FLIGHT {
            queue.pop_front();
        }
        queue.push_back(InFlight {
            fingerprint,
            time,
            number,
            overtaken_by: 0,
        });
    }

    /// Matches a message that came out of the router; `None` when it never went
    /// in as far as the capture shows.
    pub(super) fn delivered(
        &mut self,
        direction: Direction,
        message: &RawMessage<'_>,
        time: Timestamp,
    ) -> Option<Delivered> {
        let fingerprint = self.fingerprint(message);
        let queue = &mut self.in_flight[direction as usize];
        let position = queue
            .iter()
            .position(|sent| sent.fingerprint == fingerprint)?;
        let sent = queue.remove(position)?;
        for overtaken in queue.iter_mut().take(position) {
            overtaken.overtaken_by += 1;
        }
        Some(Delivered {
            router_ns: time.nanos_since(sent.time),
            overtaken_by: sent.overtaken_by,
            sent_as: sent.number,
        })
    }

    /// Bytes of memory that messages on their way take.
    pub(super) fn bytes(&self) -> usize {
        let messages: usize = self.in_flight.iter().map(VecDeque::len).sum();
        messages * size_of::<InFlight>()
    }

    /// Messages of a direction that never came out.
    pub(super) fn undelivered(&self, direction: Direction) -> impl Iterator<Item = &InFlight> {
        self.in_flight[direction as usize].iter()
    }

    fn fingerprint(&self, message: &RawMessage<'_>) -> u64 {
        match message {
            RawMessage::Frame(frame) => self.hasher.hash_one((frame.header(), frame.payload)),
            RawMessage::Ping => self.hasher.hash_one(()),
            RawMessage::Short(bytes) => self.hasher.hash_one(bytes),
        }
    }
}

impl RouterTime {
    pub(super) fn add(time: &mut Option<Self>, router_ns: i64) {
        *time = Some(match *time {
            None => Self {
                message_count: 1,
                min_ns: router_ns,
                total_ns: router_ns,
                max_ns: router_ns,
            },
            Some(so_far) => Self {
                message_count: so_far.message_count + 1,
                min_ns: so_far.min_ns.min(router_ns),
                total_ns: so_far.total_ns.saturating_add(router_ns),
                max_ns: so_far.max_ns.max(router_ns),
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO_SERVER: Direction = Direction::ClientToServer;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn every_order_of_four_messages_counts_by_how_many_each_was_overtaken() {
        let messages: [[u8; 5]; 4] = std::array::from_fn(|index| [0xa0, 1, 2, 3, index as u8]);
        for order in permutations(4) {
            let mut link = RouterLink::default();
            for (number, message) in (1_u64..).zip(&messages) {
                link.sent(TO_SERVER, &RawMessage::parse(message), at(0), number);
            }
            let mut delivered = Vec::new();
            for index in order {
                let overtaken_by = delivered.iter().filter(|other| **other > index).count();
                delivered.push(index);
                assert_eq!(
                    link.delivered(TO_SERVER, &RawMessage::parse(&messages[index]), at(9)),
                    Some(Delivered {
                        router_ns: 9,
                        overtaken_by,
                        sent_as: index as u64 + 1
                    })
                );
            }
            assert_eq!(link.undelivered(TO_SERVER).count(), 0);
        }
    }

    #[test]
    fn what_was_never_sent_does_not_match() {
        let mut link = RouterLink::default();
        let message = RawMessage::parse(&[0xa2, 1, 2, 3]);
        assert_eq!(link.delivered(TO_SERVER, &message, at(0)), None);
        link.sent(Direction::ServerToClient, &message, at(0), 1);
        assert_eq!(link.delivered(TO_SERVER, &message, at(0)), None);
    }

    #[test]
    fn equal_messages_match_in_the_order_they_were_sent() {
        let mut link = RouterLink::default();
        let message = RawMessage::parse(&[0xa0, 1, 2, 3, 4]);
        link.sent(TO_SERVER, &message, at(1), 1);
        link.sent(TO_SERVER, &message, at(2), 2);
        for sent_as in [1, 2] {
            let delivered = link.delivered(TO_SERVER, &message, at(5)).unwrap();
            assert_eq!((delivered.sent_as, delivered.overtaken_by), (sent_as, 0));
        }
    }

    #[test]
    fn of_too_many_messages_in_a_router_the_oldest_is_given_up() {
        let mut link = RouterLink::default();
        let bytes = |number: u32| [&[0xa0, 1, 2, 3][..], &number.to_be_bytes()].concat();
        let count = u32::try_from(MAX_IN_FLIGHT).unwrap() + 1;
        let mut most_bytes = 0;
        for number in 1..=count {
            let message = bytes(number);
            let message = RawMessage::parse(&message);
            link.sent(TO_SERVER, &message, at(0), u64::from(number));
            most_bytes = most_bytes.max(link.bytes());
        }
        assert_eq!(most_bytes, MAX_IN_FLIGHT * size_of::<InFlight>());
        assert_eq!(link.undelivered(TO_SERVER).count(), MAX_IN_FLIGHT);
        for (number, expected) in [(1, None), (2, Some(2)), (count, Some(u64::from(count)))] {
            let message = bytes(number);
            let delivered = link.delivered(TO_SERVER, &RawMessage::parse(&message), at(9));
            assert_eq!(delivered.map(|delivered| delivered.sent_as), expected);
        }
    }

    fn permutations(count: usize) -> Vec<Vec<usize>> {
        if count == 0 {
            return vec![Vec::new()];
        }
        permutations(count - 1)
            .into_iter()
            .flat_map(|shorter| {
                (0..count).map(move |place| {
                    let mut longer = shorter.clone();
                    longer.insert(place, count - 1);
                    longer
                })
            })
            .collect()
    }
}
