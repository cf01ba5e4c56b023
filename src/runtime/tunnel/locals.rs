//! Local streams by their numbers, and which of them want something.

use std::collections::VecDeque;
use std::io;
use std::task::Context;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use slab::Slab;
use tracing::{info, warn};

use super::local::{Local, Phase, Read};
use super::notices::{Trouble, Troubles};
use crate::endpoint::Handle;
use crate::runtime::ready::ReadySet;

/// Bytes that are taken in from either side before they are passed on. More
/// means fewer wake-ups of whoever reads them; less, that they are still in the
/// cache.
pub(super) const ROUND_BYTES: usize = 1024 * 1024;

/// Most bytes read from a local stream at once. Few large reads cost the system a quarter less than
/// many small ones.
pub(super) const READ_BYTES: usize = 1024 * 1024;

/// The memory into which local streams are read, one behind the other: a round's worth, so that
/// most of the time all of it has been passed on when it is full, and it can be used again.
const SCRATCH_BYTES: usize = ROUND_BYTES + READ_BYTES;

/// Reads of this size and more are passed on where they are; smaller ones are
/// copied, so that they do not hold the memory of a whole read while they wait.
const PASSED_ON_BYTES: usize = 64 * 1024;

/// The least room for a read.
const MIN_READ_BYTES: usize = 64 * 1024;

/// Time for a local side to end its stream after we have ended ours.
const LINGER: Duration = Duration::from_secs(2);

/// The longest farewell of an application that notices the end of its conversation.
const FAREWELL_BYTES: usize = 256;

/// The local ends of all conversations.
///
/// They have numbers in the ready set behind those that the driver has for itself.
#[derive(Debug)]
pub(super) struct Locals {
    ready: ReadySet,
    slots: Slab<Option<Local>>,
    /// Those with something new to write.
    unwritten: Vec<usize>,
    /// Those that linger, and until when.
    lingering: VecDeque<(Instant, usize, Handle)>,
    /// The memory into which they are read.
    scratch: BytesMut,
}

impl Locals {
    /// None yet; the first `reserved` numbers are the driver's.
    pub(super) fn new(reserved: usize) -> Self {
        let mut ready = ReadySet::default();
        let mut slots = Slab::new();
        for _ in 0..reserved {
            // The slabs of both number alike.
            ready.insert();
            slots.insert(None);
        }
        Self {
            ready,
            slots,
            unwritten: Vec::new(),
            lingering: VecDeque::new(),
            scratch: BytesMut::new(),
        }
    }

    /// The ready set of local streams and the rest.
    pub(super) const fn ready(&self) -> &ReadySet {
        &self.ready
    }

    /// Has a local end looked at in the next round.
    pub(super) fn mark(&self, number: usize) {
        self.ready.mark(number);
    }

    pub(super) fn insert(&mut self, local: Local) -> usize {
        let number = self.ready.insert();
        let same = self.slots.insert(Some(local));
        debug_assert_eq!(number, same, "both slabs number alike");
        number
    }

    pub(super) fn remove(
        &mut self,
        now: Instant,
        number: usize,
        troubles: &mut Troubles,
    ) -> Option<Local> {
        self.ready.remove(number);
        let local = self.slots.remove(number)?;
        log_lost_bytes(now, &local, troubles);
        Some(local)
    }

    pub(super) fn get(&self, number: usize) -> Option<&Local> {
        self.slots.get(number)?.as_ref()
    }

    /// A local end, with the waker of the driver for it.
    pub(super) fn get_mut(&mut self, number: usize) -> Option<(&mut Local, Context<'_>)> {
        let local = self.slots.get_mut(number)?.as_mut()?;
        Some((local, Context::from_waker(self.ready.waker(number))))
    }

    /// Has the data of a local end written in this round.
    pub(super) fn line_up(&mut self, number: usize) {
        if let Some(Some(local)) = self.slots.get_mut(number)
            && !local.in_line
        {
            local.in_line = true;
            self.unwritten.push(number);
        }
    }

    /// The next that [`line_up`](Self::line_up) named.
    pub(super) fn next_in_line(&mut self) -> Option<usize> {
        self.unwritten.pop()
    }

    /// Whether any is in line.
    pub(super) const fn are_in_line(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Whether all that came for them has been written.
    pub(super) fn are_flushed(&self) -> bool {
        self.slots
            .iter()
            .all(|(_, local)| local.as_ref().is_none_or(Local::is_flushed))
    }

    /// Reads from a local end, at most so many bytes, which stay here until
    /// [`take`](Self::take) or [`discard`](Self::discard).
    pub(super) fn read(&mut self, number: usize, most: usize) -> io::Result<Read> {
        let Some(Some(local)) = self.slots.get_mut(number) else {
            return Ok(Read::Later);
        };
        if self.scratch.capacity() < MIN_READ_BYTES {
            self.scratch.reserve(SCRATCH_BYTES);
        }
        let mut cx = Context::from_waker(self.ready.waker(number));
        local.read(&mut cx, &mut (&mut self.scratch).limit(most))
    }

    /// The bytes read, to be passed on.
    pub(super) fn take(&mut self) -> Bytes {
        if self.scratch.len() >= PASSED_ON_BYTES {
            return self.scratch.split().freeze();
        }
        let bytes = Bytes::copy_from_slice(&self.scratch);
        self.scratch.clear();
        bytes
    }

    /// The bytes read are for nobody.
    pub(super) fn discard(&mut self) {
        self.scratch.clear();
    }

    /// Waits a while for the other side of a stream whose direction from us has ended.
    pub(super) fn linger(&mut self, now: Instant, number: usize) {
        if let Some(Some(local)) = self.slots.get_mut(number) {
            local.phase = Phase::Lingering;
            let handle = local.handle;
            self.lingering.push_back((now + LINGER, number, handle));
            self.ready.mark(number);
        }
    }

    /// When the first of those that linger has done so long enough.
    pub(super) fn linger_until(&self) -> Option<Instant> {
        self.lingering.front().map(|(until, ..)| *until)
    }

    /// The next that has lingered for long enough.
    pub(super) fn next_lingered(&mut self, now: Instant) -> Option<usize> {
        while let Some((until, number, handle)) = self.lingering.front().copied()
            && until <= now
        {
            self.lingering.pop_front();
            // Its number may be another's by now.
            if self.get(number).is_some_and(|local| local.handle == handle) {
                return Some(number);
            }
        }
        None
    }
}

/// Data that a local side sent after the peer's close have no receiver. A few bytes at once are a
/// farewell, as that of TLS or of a mail client.
fn log_lost_bytes(now: Instant, local: &Local, troubles: &mut Troubles) {
    if local.discarded <= FAREWELL_BYTES && !local.spoke_late {
        return;
    }
    if let Some(count) = troubles.count(now, Trouble::SentTooLate) {
        warn!(
            leg = "target",
            conv = %local.handle,
            lost_bytes = local.discarded,
            count,
            "the local side went on sending after the peer had closed"
        );
    } else {
        info!(
            leg = "target",
            conv = %local.handle,
            lost_bytes = local.discarded,
            "the local side went on sending after the peer had closed"
        );
    }
}
