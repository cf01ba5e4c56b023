//! Second copies of packets.
//!
//! A capture of Linux's `any` pseudo-device or of its loopback device can hold
//! each packet twice: as it went out and as it came in. Only such captures are
//! looked at; on other links a repeated packet is a repeated packet.
//!
//! - **Cooked captures** tell the place (interface and way) at which a packet
//!   was seen. A packet is a copy if its place has shown it fewer times, lately,
//!   than some other place has; a repeat at the same place is genuine.
//! - **The loopback device** under Ethernet tells no place. There a packet that
//!   equals an earlier one, which was not paired yet, byte for byte is a copy,
//!   unless none of the last eight packets came twice: most tools suppress the
//!   copies themselves.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::captured::Captured;
use super::link::{LinkPayload, Place, Tap};
use crate::time::Timestamp;

/// How many packets back a copy is looked for.
const RECENT: usize = 64;

/// How far apart the copies may be on the loopback device.
const LOOPBACK_NANOS: i64 = 500_000;

/// How far apart the copies may be in a cooked capture, where a repeat at the
/// same place is not mistaken for one.
const COOKED_NANOS: i64 = 20_000_000;

/// How many places a packet is followed through.
const MAX_PLACES: usize = 4;

/// Recognises second copies.
#[derive(Debug)]
pub(super) struct Copies {
    hasher: DefaultHashBuilder,
    cooked: VecDeque<Recent<Sightings>>,
    loopback: VecDeque<Recent<Pairing>>,
    /// How many of these have each lowest byte of the hash: mostly none, which
    /// spares the search.
    loopback_hashes: [u8; 256],
    /// Which of the last eight loopback packets came twice, newest lowest.
    /// All of them, before any is known.
    history: u8,
}

#[derive(Debug)]
struct Recent<T> {
    hash: u64,
    time: Timestamp,
    seen: T,
}

/// How often a packet was seen, by place.
#[derive(Debug, Default)]
struct Sightings {
    places: [Option<(Place, u32)>; MAX_PLACES],
    kept: u32,
}

/// Whether a packet had its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pairing {
    Single,
    Paired,
}

impl Copies {
    pub(super) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            cooked: VecDeque::new(),
            loopback: VecDeque::new(),
            loopback_hashes: [0; 256],
            history: u8::MAX,
        }
    }

    /// Whether the packet is the second copy of one before.
    #[inline(always)]
    pub(super) fn is_copy(&mut self, packet: LinkPayload<'_>, time: Timestamp) -> bool {
        match packet.tap {
            Tap::Once => false,
            Tap::Loopback => self.is_loopback_copy(packet.ip, time),
            Tap::Cooked(place) => self.is_cooked_copy(packet.ip, place, time),
        }
    }

    fn is_cooked_copy(&mut self, ip: Captured<'_>, place: Place, time: Timestamp) -> bool {
        let hash = self.hasher.hash_one((ip.bytes(), ip.missing()));
        if let Some(recent) = find(&mut self.cooked, hash, time, COOKED_NANOS) {
            recent.time = time;
            return recent.seen.is_copy_at(place);
        }
        let mut seen = Sightings::default();
        let is_copy = seen.is_copy_at(place);
        if self.cooked.len() == RECENT {
            self.cooked.pop_front();
        }
        self.cooked.push_back(Recent { hash, time, seen });
        is_copy
    }

    fn is_loopback_copy(&mut self, ip: Captured<'_>, time: Timestamp) -> bool {
        self.forget_old_loopback(time);
        let hash = self.hasher.hash_one((ip.bytes(), ip.missing()));
        let is_doubled = self.history != 0;
        let alike = &mut self.loopback_hashes[lowest_byte(hash)];
        if *alike > 0
            && let Some(recent) = find(&mut self.loopback, hash, time, LOOPBACK_NANOS)
            && recent.seen == Pairing::Single
        {
            // Without an identification an equal packet may have been sent anew,
            // and says nothing about how the capture was made.
            if is_doubled || has_identification(ip.bytes()) {
                recent.seen = Pairing::Paired;
            }
            if is_doubled {
                return true;
            }
        }
        let seen = Pairing::Single;
        *alike += 1;
        self.loopback.push_back(Recent { hash, time, seen });
        false
    }

    fn forget_old_loopback(&mut self, now: Timestamp) {
        while let Some(oldest) = self.loopback.front()
            && (self.loopback.len() >= RECENT || apart(now, oldest.time) > LOOPBACK_NANOS)
        {
            let was_paired = oldest.seen == Pairing::Paired;
            self.history = self.history << 1 | u8::from(was_paired);
            self.loopback_hashes[lowest_byte(oldest.hash)] -= 1;
            self.loopback.pop_front();
        }
    }
}

const fn lowest_byte(hash: u64) -> usize {
    (hash & 0xff) as usize
}

impl Sightings {
    /// Notes that the packet was seen at `place`; whether as a copy.
    fn is_copy_at(&mut self, place: Place) -> bool {
        let seen = self
            .places
            .iter_mut()
            .find(|seen| seen.is_none_or(|(known, _)| known == place));
        let Some(seen) = seen else {
            // Too many places to tell which are new: more copies, most likely.
            return true;
        };
        let (_, count) = seen.get_or_insert((place, 0));
        *count = count.saturating_add(1);
        if *count <= self.kept {
            return true;
        }
        self.kept = *count;
        false
    }
}

/// The newest packet with this hash, not longer ago than `nanos`.
fn find<T>(
    recent: &mut VecDeque<Recent<T>>,
    hash: u64,
    now: Timestamp,
    nanos: i64,
) -> Option<&mut Recent<T>> {
    recent
        .iter_mut()
        .rev()
        .take_while(|recent| apart(now, recent.time) <= nanos)
        .find(|recent| recent.hash == hash)
}

/// Nanoseconds between two moments, whichever is earlier: the copies can be
/// stamped in another order than they are written.
const fn apart(one: Timestamp, other: Timestamp) -> i64 {
    one.nanos_since(other).saturating_abs()
}

/// Whether the sender numbers its packets, so that an equal one is a copy.
fn has_identification(ip: &[u8]) -> bool {
    matches!(ip, [first, _, _, _, high, low, ..] if first >> 4 == 4 && (*high, *low) != (0, 0))
}

#[cfg(test)]
mod tests;
