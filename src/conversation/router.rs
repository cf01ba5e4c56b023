//! Two views of one conversation at one I2P router, compared: the messages that one session handed
//! to the router, and those that the router handed to the other.

use std::hash::BuildHasher;
use std::mem;

use hashbrown::hash_map::Entry;
use hashbrown::{DefaultHashBuilder, HashMap};

use super::RouterTime;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction, RawMessage, StreamId};

/// Messages of one direction that may be in the router at once and are still
/// compared; older ones are then given up without a finding.
const MAX_IN_FLIGHT: usize = 16_384;

/// Empty places that are kept besides as many as have a message.
const FEW_PLACES: usize = 16;

/// Bytes of memory that a place of a message is reckoned to take, with that of its fingerprint in
/// a table that is half empty. The real size of the table depends on hashes, and no output may.
const PLACE_BYTES: usize =
    size_of::<Option<Place>>() + size_of::<usize>() + 2 * (size_of::<(u64, Equals)>() + 1);

/// The key by which both views of a conversation find each other: the client's id and the content
/// of the SYN.
pub(super) type LinkKey = (StreamId, SynContent);

/// The content of a SYN, as far as it identifies its views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SynContent {
    Destination(DestinationHash),
    /// Bytes that are no destination. A router carries them all the same.
    Bytes(u64),
}

/// A message that was handed to the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    pub(super) fingerprint: u64,
    pub(super) time: Timestamp,
    pub(super) number: u64,
    /// Messages that were sent after it and came out before it.
    pub(super) overtaken_by: usize,
}

/// The relation of a delivered message to those that were sent.
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
    in_flight: [Waiting; 2],
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
        let waiting = &mut self.in_flight[direction as usize];
        if waiting.count == MAX_IN_FLIGHT {
            waiting.give_up_oldest();
        }
        waiting.push(InFlight {
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
        let sent = self.in_flight[direction as usize].deliver(fingerprint)?;
        Some(Delivered {
            router_ns: time.nanos_since(sent.time),
            overtaken_by: sent.overtaken_by,
            sent_as: sent.number,
        })
    }

    /// Bytes of memory that messages on their way take.
    pub(super) fn bytes(&self) -> usize {
        self.in_flight.iter().map(Waiting::bytes).sum()
    }

    /// Whether a message of a direction that was sent at `since` or later has not come out.
    pub(super) fn has_sent(&self, direction: Direction, since: Timestamp) -> bool {
        let waiting = &self.in_flight[direction as usize];
        // The last ones are at the end.
        let mut places = waiting.places[waiting.first..].iter().rev().flatten();
        places.any(|place| place.sent.time >= since)
    }

    /// Messages of a direction that never came out.
    pub(super) fn undelivered(&self, direction: Direction) -> impl Iterator<Item = InFlight> {
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

/// The messages of one direction that are in the router. The work on one does not grow with their
/// number, but for a logarithm.
#[derive(Debug, Default)]
struct Waiting {
    /// In the order in which they were sent; nothing is where one came out or was given up.
    places: Vec<Option<Place>>,
    /// For every place a part of the messages that overtook it, as in a Fenwick tree: a message
    /// that comes out is added to all places before its own at once.
    overtaking: Vec<usize>,
    /// Before it, all places are empty.
    first: usize,
    /// Places that are not empty.
    count: usize,
    by_fingerprint: HashMap<u64, Equals>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Without those that overtook it since the places were last tidied.
    sent: InFlight,
    /// The place of the next message that equals it.
    next_equal: Option<usize>,
}

/// Places of equal messages, which follow one another by `Place::next_equal`.
#[derive(Clone, Copy, Debug)]
struct Equals {
    first: usize,
    last: usize,
}

impl Waiting {
    fn push(&mut self, sent: InFlight) {
        let place = self.places.len();
        match self.by_fingerprint.entry(sent.fingerprint) {
            Entry::Vacant(entry) => {
                entry.insert(Equals {
                    first: place,
                    last: place,
                });
            }
            Entry::Occupied(mut entry) => {
                let equals = entry.get_mut();
                if let Some(last) = &mut self.places[equals.last] {
                    last.next_equal = Some(place);
                }
                equals.last = place;
            }
        }
        self.places.push(Some(Place {
            sent,
            next_equal: None,
        }));
        self.overtaking.push(0);
        self.count += 1;
    }

    /// Takes the oldest message of a fingerprint out, which overtakes all before it.
    fn deliver(&mut self, fingerprint: u64) -> Option<InFlight> {
        let place = self.by_fingerprint.get(&fingerprint)?.first;
        let mut sent = self.empty(place)?;
        sent.overtaken_by += self.overtaken_since(place);
        self.overtake_before(place);
        self.tidy();
        Some(sent)
    }

    fn give_up_oldest(&mut self) {
        while self.first < self.places.len() {
            let place = self.first;
            self.first += 1;
            if self.empty(place).is_some() {
                break;
            }
        }
        self.tidy();
    }

    /// Empties a place whose message is the oldest of its equals, as the oldest of all is, too.
    fn empty(&mut self, place: usize) -> Option<InFlight> {
        let Place { sent, next_equal } = self.places[place].take()?;
        match next_equal {
            None => {
                self.by_fingerprint.remove(&sent.fingerprint);
            }
            Some(next) => {
                if let Some(equals) = self.by_fingerprint.get_mut(&sent.fingerprint) {
                    equals.first = next;
                }
            }
        }
        self.count -= 1;
        Some(sent)
    }

    /// Drops the empty places if they are most of all: the moves were paid for by the messages that
    /// have left.
    fn tidy(&mut self) {
        if self.count == 0 {
            self.places.clear();
            self.overtaking.clear();
            self.first = 0;
        } else if self.places.len() > 2 * self.count + FEW_PLACES {
            let places = mem::take(self);
            for sent in places.iter() {
                self.push(sent);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = InFlight> {
        let places = self.places.iter().enumerate().skip(self.first);
        places.filter_map(|(place, waiting)| {
            let mut sent = waiting.as_ref()?.sent;
            sent.overtaken_by += self.overtaken_since(place);
            Some(sent)
        })
    }

    /// Counts a message as one that overtook those waiting before its place.
    fn overtake_before(&mut self, place: usize) {
        let mut end = place;
        while end > 0 {
            self.overtaking[end - 1] += 1;
            // Without its lowest bit: the end of the part before this one.
            end &= end - 1;
        }
    }

    /// Messages behind a place that came out since the places were last tidied.
    fn overtaken_since(&self, place: usize) -> usize {
        let mut end = place + 1;
        let mut count = 0;
        while let Some(part) = self.overtaking.get(end - 1) {
            count += part;
            // Plus its lowest bit: the end of the next part that has the place.
            end += end & end.wrapping_neg();
        }
        count
    }

    fn bytes(&self) -> usize {
        self.places.capacity() * PLACE_BYTES
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
    use std::collections::VecDeque;

    use proptest::prelude::*;

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
        let most = u32::try_from(MAX_IN_FLIGHT).unwrap();
        let count = 3 * most;
        let mut most_bytes = 0;
        for number in 1..=count {
            let message = bytes(number);
            let message = RawMessage::parse(&message);
            link.sent(TO_SERVER, &message, at(0), u64::from(number));
            most_bytes = most_bytes.max(link.bytes());
        }
        let most_places = 2 * MAX_IN_FLIGHT + FEW_PLACES;
        let room = most_places.next_power_of_two() * PLACE_BYTES;
        assert!(most_bytes <= room, "{most_bytes}");
        assert_eq!(link.undelivered(TO_SERVER).count(), MAX_IN_FLIGHT);
        for (number, is_known) in [
            (count - most, false),
            (count - most + 1, true),
            (count, true),
        ] {
            let message = bytes(number);
            let delivered = link.delivered(TO_SERVER, &RawMessage::parse(&message), at(9));
            let sent_as = delivered.map(|delivered| delivered.sent_as);
            assert_eq!(sent_as, is_known.then_some(u64::from(number)));
        }
    }

    #[test]
    fn the_room_of_a_burst_is_not_kept() {
        let mut link = RouterLink::default();
        let message = RawMessage::parse(&[0xa0, 1, 2, 3, 4]);
        for number in 1..=1_000 {
            link.sent(TO_SERVER, &message, at(0), number);
        }
        assert!(link.bytes() > 1_000 * PLACE_BYTES);
        while link.delivered(TO_SERVER, &message, at(1)).is_some() {}
        let few = 4 * FEW_PLACES * PLACE_BYTES;
        assert!(link.bytes() <= few, "{}", link.bytes());
    }

    /// The expected result, by a walk over all that wait.
    fn deliver_by_a_walk(queue: &mut VecDeque<InFlight>, fingerprint: u64) -> Option<InFlight> {
        let position = queue
            .iter()
            .position(|sent| sent.fingerprint == fingerprint)?;
        for overtaken in queue.iter_mut().take(position) {
            overtaken.overtaken_by += 1;
        }
        queue.remove(position)
    }

    proptest! {
        #[test]
        fn what_waits_is_found_and_counted_as_by_a_walk(
            steps in prop::collection::vec((0..10_u8, 0..100_u64), 0..600),
            sent_of_ten in 3..8_u8,
            fingerprints in prop::sample::select(vec![1_u64, 5, 100]),
            limit in prop::sample::select(vec![1_usize, 7, 60, 600]),
        ) {
            let mut waiting = Waiting::default();
            let mut queue = VecDeque::new();
            for (number, (step, fingerprint)) in (0..).zip(steps) {
                let fingerprint = fingerprint % fingerprints;
                if step < sent_of_ten {
                    let sent = InFlight { fingerprint, time: at(1), number, overtaken_by: 0 };
                    if queue.len() == limit {
                        queue.pop_front();
                        waiting.give_up_oldest();
                    }
                    queue.push_back(sent);
                    waiting.push(sent);
                } else {
                    let expected = deliver_by_a_walk(&mut queue, fingerprint);
                    prop_assert_eq!(waiting.deliver(fingerprint), expected);
                }
                prop_assert!(waiting.iter().eq(queue.iter().copied()));
                prop_assert_eq!(waiting.count, queue.len());
                prop_assert!(waiting.places.len() <= 2 * queue.len() + FEW_PLACES + 1);
            }
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
