//! The conversations that are open.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::ops::{Index, IndexMut};
use std::time::Instant;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use slab::Slab;

use super::session::Session;
use crate::wire::StreamId;

/// Whose conversations are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin<P> {
    Of(u128),
    Client(P),
}

/// Sessions by slots, by their ids, and by when they have something to do.
#[derive(Debug)]
pub(super) struct Sessions<P> {
    by_slot: Slab<Session<P>>,
    by_server_id: HashMap<StreamId, usize>,
    /// Those of each client.
    pub(super) of_client: HashMap<P, BTreeSet<usize>>,
    /// Those that hold a recorded conversation and have not begun it.
    holders: HashMap<usize, BTreeSet<usize>>,
    wakes: BTreeSet<(Instant, usize)>,
    /// Those of which bytes are kept, by their number.
    by_size: BTreeSet<(usize, usize)>,
    origin_of: fn(P) -> Option<u128>,
    /// Number of sessions whose client has not proven its address, and that we have not closed.
    unproven: HashMap<Origin<P>, usize>,
    /// Those that we have closed and whose client may still prove its address, by the number of our
    /// close.
    closed: BTreeMap<u64, usize>,
    /// Number of closes so far.
    close_count: u64,
    /// Bytes that are kept of all.
    held_bytes: usize,
}

impl<P> Index<usize> for Sessions<P> {
    type Output = Session<P>;

    fn index(&self, slot: usize) -> &Session<P> {
        &self.by_slot[slot]
    }
}

impl<P> IndexMut<usize> for Sessions<P> {
    fn index_mut(&mut self, slot: usize) -> &mut Session<P> {
        &mut self.by_slot[slot]
    }
}

impl<P: Copy + Eq + Hash> Sessions<P> {
    pub(super) fn new(origin_of: fn(P) -> Option<u128>) -> Self {
        Self {
            by_slot: Slab::new(),
            by_server_id: HashMap::new(),
            of_client: HashMap::new(),
            holders: HashMap::new(),
            wakes: BTreeSet::new(),
            by_size: BTreeSet::new(),
            origin_of,
            unproven: HashMap::new(),
            closed: BTreeMap::new(),
            close_count: 0,
            held_bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_slot.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    pub(super) fn contains(&self, slot: usize) -> bool {
        self.by_slot.contains(slot)
    }

    /// Number of a client's sessions.
    pub(super) fn count_of(&self, client: P) -> usize {
        self.of_client.get(&client).map_or(0, BTreeSet::len)
    }

    fn origin(&self, client: P) -> Origin<P> {
        (self.origin_of)(client).map_or(Origin::Client(client), Origin::Of)
    }

    /// Number of open sessions of a client's origin that have not proven its address.
    pub(super) fn unproven_count(&self, client: P) -> usize {
        let count = self.unproven.get(&self.origin(client));
        count.copied().unwrap_or_default()
    }

    /// The client of a session has proven its address.
    pub(super) fn prove(&mut self, slot: usize) {
        let session = &mut self.by_slot[slot];
        let (peer, close) = (session.peer, session.close);
        let counted = session.counts_as_unproven();
        session.allowance.lift();
        if counted {
            self.count_one_less(peer);
        }
        self.forget_close(close);
    }

    /// We have closed a session, just now.
    pub(super) fn close(&mut self, slot: usize) {
        let session = &mut self.by_slot[slot];
        let peer = session.peer;
        let counted = session.counts_as_unproven();
        session.close = Some(self.close_count);
        if counted {
            self.closed.insert(self.close_count, slot);
            self.count_one_less(peer);
        }
        self.close_count += 1;
    }

    fn forget_close(&mut self, close: Option<u64>) {
        if let Some(number) = close {
            self.closed.remove(&number);
        }
    }

    /// Of the closed sessions whose clients have not proven their addresses, the first, if there
    /// are more than `bound`.
    pub(super) fn closed_beyond(&self, bound: usize) -> Option<usize> {
        let is_beyond = self.closed.len() > bound;
        self.closed.values().next().copied().filter(|_| is_beyond)
    }

    /// One of a peer's sessions is not unproven any more.
    fn count_one_less(&mut self, peer: P) {
        if let Entry::Occupied(mut entry) = self.unproven.entry(self.origin(peer)) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    /// Those of a client; `None`: of all.
    pub(super) fn slots_of(&self, client: Option<P>) -> Vec<usize> {
        match client {
            Some(client) => {
                let slots = self.of_client.get(&client);
                slots.into_iter().flatten().copied().collect()
            }
            None => self.by_slot.iter().map(|(slot, _)| slot).collect(),
        }
    }

    /// The one that a client names.
    pub(super) fn named(&self, id: StreamId) -> Option<usize> {
        self.by_server_id.get(&id).copied()
    }

    /// One that holds this recorded conversation and has not begun it.
    pub(super) fn holder(&self, script: usize) -> Option<usize> {
        self.holders.get(&script)?.first().copied()
    }

    /// Has a session hold a recorded conversation, and no other.
    pub(super) fn hold(&mut self, slot: usize, script: usize) {
        self.let_go(slot);
        self.by_slot[slot].held = Some(script);
        self.holders.entry(script).or_default().insert(slot);
    }

    /// Has a session hold none; gives the one that it held.
    pub(super) fn let_go(&mut self, slot: usize) -> Option<usize> {
        let script = self.by_slot[slot].held.take()?;
        remove_from(&mut self.holders, script, slot);
        Some(script)
    }

    /// The one of which most is kept.
    pub(super) fn largest(&self) -> Option<usize> {
        self.by_size.last().map(|(_, slot)| *slot)
    }

    pub(super) fn insert(&mut self, session: Session<P>) -> usize {
        let (peer, server_id) = (session.peer, session.server_id.0);
        if session.allowance.is_limited() {
            *self.unproven.entry(self.origin(peer)).or_default() += 1;
        }
        let slot = self.by_slot.insert(session);
        self.of_client.entry(peer).or_default().insert(slot);
        self.by_server_id.insert(server_id, slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: usize) -> Session<P> {
        let held = self.let_go(slot);
        let mut session = self.by_slot.remove(slot);
        if session.counts_as_unproven() {
            self.count_one_less(session.peer);
        }
        self.forget_close(session.close);
        session.held = held;
        self.by_server_id.remove(&session.server_id.0);
        self.held_bytes -= session.received.len();
        self.by_size.remove(&(session.received.len(), slot));
        remove_from(&mut self.of_client, session.peer, slot);
        if let Some(at) = session.wake {
            self.wakes.remove(&(at, slot));
        }
        session
    }

    /// Keeps bytes received for a session, up to a bound.
    pub(super) fn keep(&mut self, slot: usize, bytes: &[u8], bound: usize) {
        let session = &mut self.by_slot[slot];
        let before = session.received.len();
        let kept_bytes = session.keep(bytes, bound);
        if kept_bytes > 0 {
            self.by_size.remove(&(before, slot));
            self.by_size.insert((before + kept_bytes, slot));
            self.held_bytes += kept_bytes;
        }
    }

    /// Forgets the bytes received for a session.
    pub(super) fn drop_received(&mut self, slot: usize) {
        let received = std::mem::take(&mut self.by_slot[slot].received);
        self.held_bytes -= received.len();
        self.by_size.remove(&(received.len(), slot));
    }

    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Has a session looked at again at a time.
    pub(super) fn wake_at(&mut self, at: Instant, slot: usize) {
        let session = &mut self.by_slot[slot];
        if session.wake == Some(at) {
            return;
        }
        if let Some(old) = session.wake.replace(at) {
            self.wakes.remove(&(old, slot));
        }
        self.wakes.insert((at, slot));
    }

    /// When the next has to be looked at.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// The next that has to be looked at by now.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let &(at, slot) = self.wakes.first()?;
        if at > now {
            return None;
        }
        self.wakes.pop_first();
        self.by_slot[slot].wake = None;
        Some(slot)
    }
}

/// Takes a slot from those of a key; forgets the key with the last.
fn remove_from<K: Eq + Hash>(slots: &mut HashMap<K, BTreeSet<usize>>, key: K, slot: usize) {
    if let Entry::Occupied(mut entry) = slots.entry(key) {
        entry.get_mut().remove(&slot);
        if entry.get().is_empty() {
            entry.remove();
        }
    }
}
