//! Second copies of packets.
//!
//! A capture can hold one packet several times: a span port mirrors both incoming and outgoing
//! packets, a bridge and a container's interface both show it, a router sends it on with a lower
//! time to live, `any` shows it outgoing and incoming, tunnels show it bare and wrapped, files of
//! two capture points overlap. Compared are the UDP datagram, or the TCP segment by its numbers,
//! with addresses and IPv4's identification.
//!
//! - **A sender that numbers its packets** gives one identification to one packet, so
//!   that an equal packet within a few milliseconds is a copy.
//! - **Without a number** (IPv6, or 0) an equal packet may have been sent anew. It is a
//!   copy where its place (interface, way, link addresses, time to live, wrapping) has
//!   shown it fewer times, lately, than another place has. At one and the same place it
//!   is a copy, unless none of the last packets came twice: then nothing else speaks for
//!   a capture that doubles.

use std::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;

use super::captured::Captured;
use super::link::Tap;
use super::slice::{Mark, Route, Segment, TransportHeader};
use crate::capture::InterfaceId;
use crate::time::Timestamp;

/// Most time between copies at different places.
const PLACES_NANOS: i64 = 20_000_000;

/// Most time between copies at one place.
const PLACE_NANOS: i64 = 5_000_000;

/// Most time between copies without a number on the loopback device, whose senders are fast.
const LOOPBACK_NANOS: i64 = 500_000;

/// Packets that share a bucket; the oldest of them leaves for a new one.
const WAYS: usize = 4;

/// Buckets to begin with, and at most: while a capture holds copies, there are enough
/// for all packets between one and the other.
const BUCKETS: usize = 256;
const MAX_BUCKETS: usize = 1 << 14;

/// Number of places through which a packet is followed.
const MAX_PLACES: usize = 3;

/// Pairs of interfaces that are distinguished.
const MAX_PAIRS: usize = 16;

/// Packets before one that say whether the capture doubles.
const HISTORY: u32 = 8;

/// A datagram or segment as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting<'a> {
    pub(super) route: Route<'a>,
    pub(super) mark: Mark,
    pub(super) segment: Segment<'a>,
    pub(super) interface: InterfaceId,
    pub(super) tap: Tap,
    /// Whatever else distinguishes places: link addresses, wrapping.
    pub(super) surroundings: u64,
}

/// Number of copies left out, and the interfaces between which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyCounts {
    /// All of them.
    pub total: u64,
    /// By the interface that showed the packet first, and the one that showed it again;
    /// of a few pairs.
    pub pairs: Vec<(InterfaceId, InterfaceId, u64)>,
}

impl CopyCounts {
    #[cold]
    fn add(&mut self, first: InterfaceId, second: InterfaceId) {
        self.total += 1;
        let pair = (first.min(second), first.max(second));
        let known = self
            .pairs
            .iter_mut()
            .find(|known| (known.0, known.1) == pair);
        if let Some((_, _, count)) = known {
            *count += 1;
        } else if self.pairs.len() < MAX_PAIRS {
            self.pairs.push((pair.0, pair.1, 1));
        }
    }
}

/// Recognises second copies.
#[derive(Debug)]
pub(super) struct Copies {
    hasher: DefaultHashBuilder,
    /// Found by the lowest bits of hashes.
    buckets: Vec<Bucket>,
    /// State of the packets in each.
    details: Vec<[Detail; WAYS]>,
    /// Packets so far that were no copies.
    originals: u64,
    /// One bit for each of the last packets that were no copies: whether it came twice; the newest
    /// lowest.
    doubled: u64,
    counts: CopyCounts,
}

/// Packets whose hashes have the same lowest bits.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// 0 for none.
    hashes: [u64; WAYS],
    /// The one that leaves next.
    oldest: u8,
}

/// State of one packet.
#[derive(Clone, Copy, Debug, Default)]
struct Detail {
    time: Timestamp,
    /// Its number among the packets that were no copies.
    serial: u64,
    interface: InterfaceId,
    /// The places at which it was seen.
    places: [u32; MAX_PLACES],
    /// The count at each of these; 0 behind the last.
    times: [u8; MAX_PLACES],
    /// The number of times that it was sent, as far as can be seen.
    sent: u8,
}

impl Copies {
    pub(super) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            buckets: vec![Bucket::default(); BUCKETS],
            details: vec![[Detail::default(); WAYS]; BUCKETS],
            originals: 0,
            doubled: 0,
            counts: CopyCounts::default(),
        }
    }

    pub(super) const fn counts(&self) -> &CopyCounts {
        &self.counts
    }

    /// Whether the packet is a second copy of one before.
    #[inline(always)]
    pub(super) fn is_copy(&mut self, seen: &Sighting<'_>, time: Timestamp) -> bool {
        let hash = self.hash(seen);
        let bucket = self.bucket(hash);
        let hashes = &self.buckets[bucket].hashes;
        if let Some(way) = hashes.iter().position(|&known| known == hash) {
            // Copied before its address is taken: `seen` would lie in memory for every packet.
            let seen = *seen;
            return self.is_copy_of(bucket, way, &seen, time);
        }
        let detail = self.original(seen, time);
        // Early evictions matter only where there are copies.
        if self.counts.total > 0 {
            self.make_room(bucket, time);
        }
        self.put(hash, detail);
        false
    }

    /// The properties that make a packet the same one wherever it is seen. Transport checksums are
    /// left out: network cards fill them in after the capture.
    #[inline(always)]
    fn hash(&self, seen: &Sighting<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match seen.route {
            Route::V4 {
                source,
                destination,
            } => {
                let number = |address: &[u8; 4]| u64::from(u32::from_be_bytes(*address));
                hasher.write_u64(number(source) << 32 | number(destination));
            }
            Route::V6 {
                source,
                destination,
            } => {
                hasher.write_u128(u128::from_be_bytes(*source));
                hasher.write_u128(u128::from_be_bytes(*destination));
            }
        }
        let Segment {
            ports,
            header,
            payload,
        } = seen.segment;
        let ports = u64::from(ports.0) << 16 | u64::from(ports.1);
        hasher.write_u64(ports << 32 | u64::from(seen.mark.identification));
        match header {
            TransportHeader::Udp => write_payload(&mut hasher, payload),
            // Its numbers identify the contents of a segment.
            TransportHeader::Tcp(tcp) => {
                let acknowledgment = tcp.acknowledgment.unwrap_or(0);
                hasher.write_u64(u64::from(tcp.sequence) << 32 | u64::from(acknowledgment));
                let flags = [tcp.syn, tcp.fin, tcp.rst, tcp.acknowledgment.is_some()];
                let flags = flags
                    .iter()
                    .fold(1, |bits, &flag| bits << 1 | u64::from(flag));
                hasher.write_u64(flags << 32 | payload.len() as u64);
            }
        }
        // Never 0, which marks an empty place.
        hasher.finish() | 1 << 63
    }

    const fn bucket(&self, hash: u64) -> usize {
        // The number of buckets is a power of two.
        hash as usize & (self.buckets.len() - 1)
    }

    /// State of a packet seen for the first time.
    #[inline(always)]
    fn original(&mut self, seen: &Sighting<'_>, time: Timestamp) -> Detail {
        let serial = self.originals;
        self.originals += 1;
        self.doubled <<= 1;
        Detail {
            time,
            serial,
            interface: seen.interface,
            places: [seen.place(), 0, 0],
            times: [1, 0, 0],
            sent: 1,
        }
    }

    /// Puts a packet into its bucket, in the place of the oldest there.
    #[inline(always)]
    fn put(&mut self, hash: u64, detail: Detail) {
        let index = self.bucket(hash);
        let bucket = &mut self.buckets[index];
        let way = usize::from(bucket.oldest) % WAYS;
        bucket.oldest = bucket.oldest.wrapping_add(1);
        bucket.hashes[way] = hash;
        self.details[index][way] = detail;
    }

    /// Grows where a packet would leave that may still have its copy before it.
    #[inline(never)]
    fn make_room(&mut self, bucket: usize, now: Timestamp) {
        let way = usize::from(self.buckets[bucket].oldest) % WAYS;
        let leaving = &self.details[bucket][way];
        if leaving.sent > 0 && apart(now, leaving.time) <= PLACES_NANOS {
            self.grow();
        }
    }

    /// Four times as many buckets, up to a bound.
    #[cold]
    fn grow(&mut self) {
        if self.buckets.len() >= MAX_BUCKETS {
            return;
        }
        let size = self.buckets.len() * 4;
        let buckets = std::mem::replace(&mut self.buckets, vec![Bucket::default(); size]);
        let details = std::mem::replace(&mut self.details, vec![[Detail::default(); WAYS]; size]);
        for (bucket, details) in buckets.iter().zip(&details) {
            for (&hash, &detail) in bucket.hashes.iter().zip(details) {
                if detail.sent > 0 {
                    self.put(hash, detail);
                }
            }
        }
    }

    /// Whether a packet that equals a known one is a copy of it.
    #[inline(never)]
    fn is_copy_of(
        &mut self,
        bucket: usize,
        way: usize,
        seen: &Sighting<'_>,
        time: Timestamp,
    ) -> bool {
        let place = seen.place();
        let detail = &mut self.details[bucket][way];
        let age = apart(time, detail.time);
        let is_numbered = seen.mark.identification != 0;
        let is_known_place = detail.knows(place);
        let limit = match (is_known_place, is_numbered, seen.tap) {
            (false, _, _) => PLACES_NANOS,
            (true, false, Tap::Loopback) => LOOPBACK_NANOS,
            (true, ..) => PLACE_NANOS,
        };
        // A packet seen at several places is remembered for as long as copies may take.
        let is_followed = detail.times[1] > 0 && age <= PLACES_NANOS;
        if age > limit && !is_followed {
            // An old packet that happens to be equal: this one is new.
            self.details[bucket][way] = self.original(seen, time);
            return false;
        }
        let back = self.originals - 1 - detail.serial;
        let count = detail.count_at(place);
        let tells_places = matches!(seen.tap, Tap::Cooked(_)) || detail.times[1] > 0;
        let sent = if is_numbered && age <= limit {
            1
        } else if !tells_places && doubles(self.doubled, back, detail.serial) {
            count.div_ceil(2)
        } else {
            count
        };
        let is_copy = sent <= detail.sent;
        if is_copy {
            if back < u64::from(u64::BITS) {
                self.doubled |= 1 << back;
            }
            let first = detail.interface;
            self.counts.add(first, seen.interface);
        } else {
            detail.sent = sent;
        }
        is_copy
    }
}

/// Whether packets around one came twice, apart from itself. Of the first ones of a
/// capture that is taken for granted.
fn doubles(doubled: u64, back: u64, serial: u64) -> bool {
    if serial < u64::from(HISTORY) {
        return true;
    }
    let Some(around) = u32::try_from(back)
        .ok()
        .filter(|back| *back < u64::BITS - HISTORY)
    else {
        return false;
    };
    let neighbours = u64::MAX >> (u64::BITS - 1 - around - HISTORY);
    doubled & neighbours & !(1 << around) != 0
}

impl Detail {
    /// Whether the packet was seen at `place`.
    fn knows(&self, place: u32) -> bool {
        let mut places = self.places.iter().zip(self.times);
        places.any(|(&known, times)| times > 0 && known == place)
    }

    /// Notes that the packet was seen at `place`; returns the count there.
    fn count_at(&mut self, place: u32) -> u8 {
        let mut places = self.places.iter_mut().zip(&mut self.times);
        match places.find(|(known, times)| **times == 0 || **known == place) {
            Some((known, times)) => {
                *known = place;
                *times = times.saturating_add(1);
                *times
            }
            // Too many places to tell which are new: more copies, most likely.
            None => 1,
        }
    }
}

impl Sighting<'_> {
    /// A number that distinguishes the place from others.
    #[inline(always)]
    fn place(&self) -> u32 {
        // 2^64 over the golden ratio, odd: the upper bits of products with it depend on all bits.
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let interface = u64::from(self.interface.input) << 32 | u64::from(self.interface.number);
        let tap = match self.tap {
            Tap::Once | Tap::Loopback => 0,
            Tap::Cooked(place) => u64::from(place.interface) << 1 | place.direction as u64,
        };
        let mut number = interface.wrapping_mul(MIX) ^ self.surroundings;
        number = (number ^ tap).wrapping_mul(MIX) ^ u64::from(self.mark.hops_left);
        (number.wrapping_mul(MIX) >> 32) as u32
    }
}

#[inline(always)]
fn write_payload(hasher: &mut impl Hasher, payload: Captured<'_>) {
    hasher.write(payload.bytes());
    hasher.write_usize(payload.missing());
}

/// Nanoseconds between two moments, whichever is earlier: the copies can be
/// stamped in another order than they are written.
#[inline(always)]
const fn apart(one: Timestamp, other: Timestamp) -> i64 {
    one.nanos_since(other).saturating_abs()
}

#[cfg(test)]
mod tests;
