//! IP fragments to whole datagrams.
//!
//! Fragments may come in any order and more than once. Where IPv4 fragments overlap, the bytes seen
//! first win; IPv6 forbids overlap, and a datagram with it is dropped whole (RFC 8200, 4.5).
//! Waiting fragments are bounded in number, bytes and age; each datagram given up is reported as a
//! [`LostDatagram`].

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::net::IpAddr;

use etherparse::{IpNumber, ip_number};
use hashbrown::HashMap;

use super::captured::Captured;
use super::runs::{RUN_BYTES, Runs};
use super::slice::{self, Fragment, IpPacket, Route, Upper};
use super::{Arrival, NetworkLimits, Skip, Transport};
use crate::time::Timestamp;

/// The longest payload of an IP packet, in bytes.
const MAX_PAYLOAD: usize = 65_535;

/// Memory of a waiting fragment beside its bytes, with the run that it may be.
const PIECE_OVERHEAD: usize = 64 + RUN_BYTES;

/// Datagrams completed last whose late duplicate fragments do not count as loss.
const COMPLETED: usize = 64;

/// A datagram of which some fragments, but not all, were in the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostDatagram {
    /// The packet that brought its first fragment.
    pub arrival: Arrival,
    /// Its sender.
    pub source: IpAddr,
    /// Its receiver.
    pub destination: IpAddr,
    /// UDP or TCP, where a fragment says.
    pub transport: Option<Transport>,
    /// Source and destination port, when the fragment with the header is there.
    pub ports: Option<(u16, u16)>,
    /// Bytes of its IP payload that were there.
    pub received_bytes: u32,
    /// Length of its IP payload in bytes, when the last fragment is there.
    pub total_bytes: Option<u32>,
    /// The reason.
    pub reason: LossReason,
}

/// Why the fragments of a datagram were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// The others did not come in time.
    Expired,
    /// Too many others waited.
    Crowded,
    /// They overlap, which IPv6 forbids.
    Overlap,
    /// The capture ended.
    CaptureEnd,
}

/// The key of a datagram's fragments: RFC 791 includes the protocol, RFC 8200 does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SetKey {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    protocol: Option<u8>,
}

/// The fragments of a datagram so far.
#[derive(Debug)]
struct Set {
    serial: u64,
    first: Arrival,
    /// Of the fragment that came first, until the one with offset 0 comes:
    /// only that one's counts (RFC 8200, 4.5).
    protocol: IpNumber,
    /// By offset; nothing overlaps.
    pieces: BTreeMap<usize, Piece>,
    /// Where they are, without the boundaries between those that touch.
    runs: Runs<usize>,
    /// Bytes that the pieces cover, captured or not.
    covered: usize,
    total: Option<usize>,
    cost: usize,
    is_refused: bool,
    /// Whether its datagram was completed before: these are copies that came late, until they
    /// are a datagram of their own.
    is_late: bool,
}

#[derive(Debug)]
struct Piece {
    bytes: Box<[u8]>,
    missing: usize,
}

impl Piece {
    fn captured(&self) -> Captured<'_> {
        Captured::new(&self.bytes, self.missing)
    }

    fn end(&self, offset: usize) -> usize {
        offset + self.captured().len()
    }
}

/// The relation of a fragment to those in its set.
enum Fit {
    /// It is in; others are missing.
    Waits,
    /// It was the last one missing.
    Completes,
    /// It contradicts the others.
    Contradicts,
    /// The datagram is not to be completed.
    Refused,
}

/// Datagrams that wait for fragments.
#[derive(Debug)]
pub(super) struct Defrag {
    sets: HashMap<SetKey, Set>,
    /// When each began, and its name, in the order of appearance.
    by_age: BTreeMap<u64, (Timestamp, SetKey)>,
    next_serial: u64,
    cost: usize,
    completed: VecDeque<SetKey>,
    lost: VecDeque<LostDatagram>,
    lost_count: u64,
    /// The datagram completed last.
    whole: Vec<u8>,
    max_sets: usize,
    max_bytes: usize,
    max_age_nanos: i64,
}

impl Defrag {
    pub(super) fn new(limits: &NetworkLimits) -> Self {
        Self {
            sets: HashMap::new(),
            by_age: BTreeMap::new(),
            next_serial: 0,
            cost: 0,
            completed: VecDeque::new(),
            lost: VecDeque::new(),
            lost_count: 0,
            whole: Vec::new(),
            max_sets: limits.fragmented_datagrams,
            max_bytes: limits.fragment_bytes,
            max_age_nanos: i64::try_from(limits.fragment_age.as_nanos()).unwrap_or(i64::MAX),
        }
    }

    /// Takes a fragment; returns the datagram that it completes.
    ///
    /// # Errors
    /// [`Skip::Fragment`] while others are missing, [`Skip::BadHeader`] when it
    /// cannot be part of a datagram, or whatever is wrong with the whole one.
    pub(super) fn push(
        &mut self,
        packet: IpPacket<'_>,
        fragment: Fragment,
        arrival: Arrival,
    ) -> Result<Upper<'_>, Skip> {
        check(&packet, fragment)?;
        let key = SetKey::new(&packet, fragment);
        let serial = self.next_serial;
        let set = self.sets.entry(key).or_insert_with(|| {
            self.by_age.insert(serial, (arrival.time, key));
            self.next_serial += 1;
            Set {
                // Not when it is given up: by then others were completed.
                is_late: self.completed.contains(&key),
                ..Set::new(serial, arrival, packet.upper.protocol)
            }
        });
        let cost_before = set.cost;
        let fit = set.add(key.protocol, &packet.upper, fragment);
        self.cost = self.cost + set.cost - cost_before;
        match fit {
            Fit::Contradicts => Err(Skip::BadHeader),
            Fit::Completes => self.complete(&key),
            Fit::Waits => {
                self.make_room();
                Err(Skip::Fragment)
            }
            Fit::Refused => {
                self.refuse(&key);
                Err(Skip::Fragment)
            }
        }
    }

    fn complete(&mut self, key: &SetKey) -> Result<Upper<'_>, Skip> {
        let Some(set) = self.take(key) else {
            return Err(Skip::Fragment);
        };
        if self.completed.len() == COMPLETED {
            self.completed.pop_front();
        }
        self.completed.push_back(*key);
        let missing = set.assemble(&mut self.whole);
        let upper = slice::upper(set.protocol, Captured::new(&self.whole, missing))?;
        match upper.fragment {
            None => Ok(upper),
            // A fragment header within a fragmented datagram.
            Some(_) => Err(Skip::BadHeader),
        }
    }

    /// Reports a datagram as lost, and keeps its name so that further fragments
    /// of it are refused.
    fn refuse(&mut self, key: &SetKey) {
        if let Some(set) = self.sets.get_mut(key)
            && !set.is_refused
        {
            let lost = set.lost(key, LossReason::Overlap);
            set.is_refused = true;
            set.pieces.clear();
            set.runs = Runs::NONE;
            self.cost -= set.cost;
            set.cost = 0;
            self.record_loss(lost);
        }
    }

    /// Gives up datagrams that began too long before `arrival`.
    #[inline]
    pub(super) fn expire(&mut self, arrival: Arrival) {
        if !self.sets.is_empty() {
            self.expire_waiting(arrival);
        }
    }

    fn expire_waiting(&mut self, arrival: Arrival) {
        while let Some((_, &(began, key))) = self.by_age.first_key_value()
            && arrival.time.nanos_since(began) > self.max_age_nanos
        {
            self.give_up(&key, LossReason::Expired);
        }
    }

    fn make_room(&mut self) {
        while self.sets.len() > self.max_sets || self.cost > self.max_bytes {
            let Some((_, &(_, key))) = self.by_age.first_key_value() else {
                break;
            };
            self.give_up(&key, LossReason::Crowded);
        }
    }

    /// The capture is over: gives up everything that waits.
    pub(super) fn finish(&mut self) {
        while let Some((_, &(_, key))) = self.by_age.first_key_value() {
            self.give_up(&key, LossReason::CaptureEnd);
        }
    }

    fn give_up(&mut self, key: &SetKey, reason: LossReason) {
        if let Some(set) = self.take(key)
            && !set.is_refused
            && !set.is_late
        {
            self.record_loss(set.lost(key, reason));
        }
    }

    fn take(&mut self, key: &SetKey) -> Option<Set> {
        let set = self.sets.remove(key)?;
        self.by_age.remove(&set.serial);
        self.cost -= set.cost;
        Some(set)
    }

    fn record_loss(&mut self, lost: LostDatagram) {
        self.lost_count += 1;
        // Nobody listens when so many wait; they are still counted.
        if self.lost.len() <= self.max_sets {
            self.lost.push_back(lost);
        }
    }

    /// Whether [`next_lost`](Self::next_lost) has one.
    #[inline]
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The next datagram that was given up, in the order in which they were.
    #[inline]
    pub(super) fn next_lost(&mut self) -> Option<LostDatagram> {
        self.lost.pop_front()
    }

    /// Number of datagrams given up.
    pub(super) const fn lost_count(&self) -> u64 {
        self.lost_count
    }
}

/// Whether a fragment can be part of any datagram.
fn check(packet: &IpPacket<'_>, fragment: Fragment) -> Result<(), Skip> {
    let length = packet.upper.payload.len();
    let is_ipv4 = matches!(packet.route, Route::V4 { .. });
    let protocol = packet.upper.protocol;
    // The protocol of IPv6 is not known before the fragment with offset 0 (RFC 8200, 4.5).
    if is_ipv4 && !matches!(protocol, ip_number::TCP | ip_number::UDP | ip_number::AUTH) {
        return Err(Skip::NotTransport);
    }
    // Offsets count eight bytes (RFC 791, 3.2; RFC 8200, 4.5): only the last may have another
    // length.
    let is_ragged = fragment.more && !length.is_multiple_of(8);
    if length == 0 || is_ragged || usize::from(fragment.offset) + length > MAX_PAYLOAD {
        return Err(Skip::BadHeader);
    }
    Ok(())
}

impl SetKey {
    fn new(packet: &IpPacket<'_>, fragment: Fragment) -> Self {
        Self {
            source: packet.route.source(),
            destination: packet.route.destination(),
            identification: fragment.identification,
            protocol: match packet.route {
                Route::V4 { .. } => Some(packet.upper.protocol.0),
                Route::V6 { .. } => None,
            },
        }
    }
}

impl Set {
    const fn new(serial: u64, first: Arrival, protocol: IpNumber) -> Self {
        Self {
            serial,
            first,
            protocol,
            pieces: BTreeMap::new(),
            runs: Runs::NONE,
            covered: 0,
            total: None,
            cost: 0,
            is_refused: false,
            is_late: false,
        }
    }

    fn add(&mut self, ipv4_protocol: Option<u8>, upper: &Upper<'_>, fragment: Fragment) -> Fit {
        if self.is_refused {
            return Fit::Refused;
        }
        let start = usize::from(fragment.offset);
        let end = start + upper.payload.len();
        let last_end = self
            .pieces
            .last_key_value()
            .map_or(0, |(&offset, piece)| piece.end(offset));
        let fits = match self.total {
            Some(total) if fragment.more => end <= total,
            Some(total) => end == total,
            None => fragment.more || end >= last_end,
        };
        if !fits {
            return Fit::Contradicts;
        }
        if ipv4_protocol.is_none() && self.overlaps(start, end) {
            // An exact copy is dropped, as RFC 8200, 4.5 allows.
            return if self.has_exactly(start, upper.payload) {
                Fit::Waits
            } else {
                Fit::Refused
            };
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if start == 0 {
            self.protocol = upper.protocol;
        }
        self.fill(start, upper.payload);
        if self.total == Some(self.covered) {
            Fit::Completes
        } else {
            Fit::Waits
        }
    }

    fn overlaps(&self, start: usize, end: usize) -> bool {
        self.pieces
            .range(..end)
            .next_back()
            .is_some_and(|(&offset, piece)| piece.end(offset) > start)
    }

    fn has_exactly(&self, start: usize, payload: Captured<'_>) -> bool {
        self.pieces
            .get(&start)
            .is_some_and(|piece| piece.captured() == payload)
    }

    /// Keeps those parts of a fragment that are not there already.
    fn fill(&mut self, start: usize, payload: Captured<'_>) {
        // Taken out, since it is walked over while what it lacks is kept.
        let mut runs = mem::take(&mut self.runs);
        runs.cover(start..start + payload.len(), |free| {
            let part = payload.after(free.start - start).first(free.len());
            self.covered += part.len();
            self.cost += part.bytes().len() + PIECE_OVERHEAD;
            let piece = Piece {
                bytes: part.bytes().into(),
                missing: part.missing(),
            };
            self.pieces.insert(free.start, piece);
        });
        self.runs = runs;
    }

    /// Writes the payload up to the first byte that was not captured; returns the number of bytes
    /// missing behind.
    fn assemble(&self, whole: &mut Vec<u8>) -> usize {
        whole.clear();
        for piece in self.pieces.values() {
            whole.extend_from_slice(&piece.bytes);
            if piece.missing > 0 {
                break;
            }
        }
        self.covered - whole.len()
    }

    fn lost(&self, key: &SetKey, reason: LossReason) -> LostDatagram {
        let first = self.pieces.get(&0);
        let header = first.and_then(|piece| slice::upper(self.protocol, piece.captured()).ok());
        let transport = match header.map_or(self.protocol, |header| header.protocol) {
            ip_number::UDP => Some(Transport::Udp),
            ip_number::TCP => Some(Transport::Tcp),
            _ => None,
        };
        let ports = header
            .and_then(|header| header.payload.header(4).ok())
            .filter(|_| transport.is_some())
            .map(|ports| {
                (
                    u16::from_be_bytes([ports[0], ports[1]]),
                    u16::from_be_bytes([ports[2], ports[3]]),
                )
            });
        let bytes = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        LostDatagram {
            arrival: self.first,
            source: key.source,
            destination: key.destination,
            transport,
            ports,
            received_bytes: bytes(self.covered),
            total_bytes: self.total.map(bytes),
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
