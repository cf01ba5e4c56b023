//! The peers of an endpoint, and whose turn it is to send.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;
use slab::Slab;

use super::output::{Handle, Scope};
use crate::wire::Message;

/// Answers to SYNs that became no conversation, or none whose peer has proven its address or was
/// sent its ACK, waiting to be sent to all peers together; beyond it such a SYN stays without an
/// answer if its peer takes nothing at the moment.
const MAX_WAITING_REFUSALS: usize = 1_024;

/// State of one peer while it has conversations, output or a blocked link.
#[derive(Debug)]
pub(super) struct Peer<P> {
    pub(super) id: P,
    /// Conversations of both roles, whether live or ended.
    pub(super) conversations: usize,
    /// Slot of the counts of its origin.
    origin: usize,
    /// Conversations whose unread bytes pause the link.
    pub(super) pausing: usize,
    /// Closes and refusals; they go before data.
    farewells: VecDeque<Farewell>,
    /// Conversations that have output, in the order of their turns.
    line: VecDeque<Handle>,
    /// The carrier takes nothing more for this peer at the moment.
    blocked: bool,
    /// The peer stands in the line of peers.
    in_line: bool,
}

impl<P> Peer<P> {
    /// Turns of conversations that wait, of those that have ended, too.
    #[cfg(test)]
    pub(super) fn line_len(&self) -> usize {
        self.line.len()
    }

    fn has_output(&self) -> bool {
        !self.farewells.is_empty() || !self.line.is_empty()
    }
}

#[derive(Debug)]
struct Farewell {
    message: Message,
    kind: FarewellKind,
}

#[derive(Debug, PartialEq, Eq)]
enum FarewellKind {
    Close,
    Refusal,
}

/// Counts for all peers of one origin; for one peer, if it has none.
#[derive(Debug)]
pub(super) struct Origin {
    key: Option<u128>,
    /// Peers that there are of it.
    peers: usize,
    /// Accepted conversations that are live.
    pub(super) accepted: usize,
    /// Accepted conversations that have ended.
    pub(super) ended: usize,
    /// Accepted conversations that are half-open.
    pub(super) half_open: usize,
}

impl Origin {
    /// Number of live conversations that were accepted and are not half-open any more.
    pub(super) const fn proven(&self) -> usize {
        self.accepted - self.half_open
    }
}

/// The next output of a peer.
#[derive(Debug)]
pub(super) enum Turn<P> {
    /// This message.
    Message(P, Message),
    /// Output of this conversation.
    Conversation(Handle),
}

/// All peers. Their turns go round, one message each, and within a peer the
/// turns of its conversations do.
#[derive(Debug)]
pub(super) struct Links<P> {
    peers: Slab<Peer<P>>,
    by_id: HashMap<P, usize>,
    origins: Slab<Origin>,
    by_key: HashMap<u128, usize>,
    origin_of: fn(P) -> Option<u128>,
    line: VecDeque<usize>,
    /// Times that a peer of which nothing is left was seen in line since such were looked for.
    seen_idle: usize,
    all_blocked: bool,
    waiting_refusals: usize,
    /// Conversations of all peers whose unread bytes pause the link.
    pausing: usize,
    /// Accepted conversations of all peers that are half-open.
    half_open: usize,
}

impl<P: Copy + Eq + Hash> Links<P> {
    pub(super) fn new(origin_of: fn(P) -> Option<u128>) -> Self {
        Self {
            peers: Slab::new(),
            by_id: HashMap::new(),
            origins: Slab::new(),
            by_key: HashMap::new(),
            origin_of,
            line: VecDeque::new(),
            seen_idle: 0,
            all_blocked: false,
            waiting_refusals: 0,
            pausing: 0,
            half_open: 0,
        }
    }

    /// The slot of a peer, known before or not.
    pub(super) fn slot(&mut self, id: P) -> usize {
        if let Some(slot) = self.known_slot(id) {
            return slot;
        }
        let origin = self.origin_slot((self.origin_of)(id));
        self.origins[origin].peers += 1;
        let slot = self.peers.insert(Peer {
            id,
            conversations: 0,
            origin,
            pausing: 0,
            farewells: VecDeque::new(),
            line: VecDeque::new(),
            blocked: false,
            in_line: false,
        });
        self.by_id.insert(id, slot);
        slot
    }

    fn origin_slot(&mut self, key: Option<u128>) -> usize {
        if let Some(slot) = key.and_then(|key| self.by_key.get(&key)) {
            return *slot;
        }
        let slot = self.origins.insert(Origin {
            key,
            peers: 0,
            accepted: 0,
            ended: 0,
            half_open: 0,
        });
        if let Some(key) = key {
            self.by_key.insert(key, slot);
        }
        slot
    }

    /// The counts of a peer's origin.
    pub(super) fn origin_mut(&mut self, peer: usize) -> &mut Origin {
        &mut self.origins[self.peers[peer].origin]
    }

    /// The slot of a peer's origin, and its counts.
    pub(super) fn origin(&self, peer: usize) -> (usize, &Origin) {
        let slot = self.peers[peer].origin;
        (slot, &self.origins[slot])
    }

    /// The counts of a peer's origin, if the peer is known.
    pub(super) fn known_origin(&self, id: P) -> Option<&Origin> {
        let slot = match (self.origin_of)(id) {
            Some(key) => *self.by_key.get(&key)?,
            None => self.peers[self.known_slot(id)?].origin,
        };
        Some(&self.origins[slot])
    }

    pub(super) fn known_slot(&self, id: P) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn get(&self, slot: usize) -> &Peer<P> {
        &self.peers[slot]
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> &mut Peer<P> {
        &mut self.peers[slot]
    }

    /// Forgets a peer of which nothing is left; one that is in line, when it comes to its turn or
    /// when such are many.
    pub(super) fn forget_if_unused(&mut self, slot: usize) {
        let peer = &self.peers[slot];
        if peer.conversations > 0 || peer.blocked || peer.has_output() {
            return;
        }
        if peer.in_line {
            // While all are blocked nobody comes to his turn.
            self.seen_idle += 1;
            if 2 * self.seen_idle > self.line.len() {
                self.forget_idle();
            }
            return;
        }
        self.by_id.remove(&peer.id);
        let origin = self.peers.remove(slot).origin;
        self.origins[origin].peers -= 1;
        if self.origins[origin].peers == 0
            && let Some(key) = self.origins.remove(origin).key
        {
            self.by_key.remove(&key);
        }
    }

    /// Takes peers without output out of the line.
    fn forget_idle(&mut self) {
        self.seen_idle = 0;
        let mut idle = Vec::new();
        self.line.retain(|&slot| {
            let peer = &mut self.peers[slot];
            peer.in_line = peer.has_output();
            if !peer.in_line {
                idle.push(slot);
            }
            peer.in_line
        });
        for slot in idle {
            self.forget_if_unused(slot);
        }
    }

    /// An accepted conversation with this peer has begun; all begin half-open.
    pub(super) fn begin_half_open(&mut self, slot: usize) {
        self.origin_mut(slot).half_open += 1;
        self.half_open += 1;
    }

    /// It is open, or has ended.
    pub(super) fn end_half_open(&mut self, slot: usize) {
        self.origin_mut(slot).half_open -= 1;
        self.half_open -= 1;
    }

    /// Half-open conversations with all peers.
    pub(super) const fn half_open(&self) -> usize {
        self.half_open
    }

    pub(super) fn add_pausing(&mut self, slot: usize) {
        self.peers[slot].pausing += 1;
        self.pausing += 1;
    }

    pub(super) fn remove_pausing(&mut self, slot: usize) {
        self.peers[slot].pausing -= 1;
        self.pausing -= 1;
    }

    /// Whether a conversation on this link asks for it to be paused.
    pub(super) fn is_paused(&self, scope: Scope<P>) -> bool {
        match scope {
            Scope::All => self.pausing > 0,
            Scope::Peer(id) => self
                .known_slot(id)
                .is_some_and(|slot| self.peers[slot].pausing > 0),
        }
    }

    /// Takes turns out of a peer's line whose conversations have ended, once they are more than
    /// its conversations: a peer that takes nothing could have them pile up.
    pub(super) fn review_line(&mut self, slot: usize, is_live: impl Fn(Handle) -> bool) {
        let peer = &mut self.peers[slot];
        if peer.line.len() > 2 * peer.conversations {
            peer.line.retain(|&handle| is_live(handle));
        }
    }

    /// Queues a conversation's close.
    pub(super) fn push_close(&mut self, slot: usize, message: Message) {
        self.push_farewell(slot, message, FarewellKind::Close);
    }

    /// Queues the refusal of a SYN, or a close that is as good as one; false if too many wait. Where
    /// nothing holds it up it does not wait: who reads nothing takes no place from who does.
    pub(super) fn push_refusal(&mut self, slot: usize, message: Message) -> bool {
        if self.waiting_refusals >= MAX_WAITING_REFUSALS && self.is_blocked(slot) {
            return false;
        }
        self.waiting_refusals += 1;
        self.push_farewell(slot, message, FarewellKind::Refusal);
        true
    }

    fn push_farewell(&mut self, slot: usize, message: Message, kind: FarewellKind) {
        self.peers[slot]
            .farewells
            .push_back(Farewell { message, kind });
        self.join_line(slot);
    }

    /// Puts a conversation at the end of its peer's line.
    pub(super) fn push_conversation(&mut self, slot: usize, handle: Handle) {
        self.peers[slot].line.push_back(handle);
        self.join_line(slot);
    }

    /// Puts a conversation before the others of its peer.
    pub(super) fn push_conversation_first(&mut self, slot: usize, handle: Handle) {
        self.peers[slot].line.push_front(handle);
        self.join_line(slot);
    }

    fn join_line(&mut self, slot: usize) {
        let peer = &mut self.peers[slot];
        if peer.has_output() && !peer.blocked && !peer.in_line {
            peer.in_line = true;
            self.line.push_back(slot);
        }
    }

    /// Takes the next turn off its lines; the peer goes to the end of its line
    /// if it has more.
    pub(super) fn next_turn(&mut self) -> Option<Turn<P>> {
        if self.all_blocked {
            return None;
        }
        while let Some(slot) = self.line.pop_front() {
            let peer = &mut self.peers[slot];
            peer.in_line = false;
            // Unblocking puts it in line again.
            if peer.blocked {
                continue;
            }
            let turn = match peer.farewells.pop_front() {
                Some(Farewell { message, kind }) => {
                    if kind == FarewellKind::Refusal {
                        self.waiting_refusals -= 1;
                    }
                    Some(Turn::Message(peer.id, message))
                }
                None => peer.line.pop_front().map(Turn::Conversation),
            };
            self.join_line(slot);
            self.forget_if_unused(slot);
            if turn.is_some() {
                return turn;
            }
        }
        None
    }

    pub(super) fn block(&mut self, scope: Scope<P>) {
        match scope {
            Scope::All => self.all_blocked = true,
            Scope::Peer(id) => {
                // Also one that is not known: it may be blocked before the first message to it.
                let slot = self.slot(id);
                self.peers[slot].blocked = true;
            }
        }
    }

    /// Whether nothing can be sent to this peer at the moment.
    pub(super) fn is_blocked(&self, slot: usize) -> bool {
        self.all_blocked || self.peers[slot].blocked
    }

    pub(super) fn unblock(&mut self, scope: Scope<P>) {
        match scope {
            Scope::All => self.all_blocked = false,
            Scope::Peer(id) => {
                if let Some(slot) = self.known_slot(id) {
                    self.peers[slot].blocked = false;
                    self.join_line(slot);
                    self.forget_if_unused(slot);
                }
            }
        }
    }

    /// Drops the output for a link that is gone.
    pub(super) fn clear(&mut self, scope: Scope<P>) {
        match scope {
            Scope::All => {
                self.all_blocked = false;
                self.line.clear();
                let slots: Vec<usize> = self.peers.iter().map(|(slot, _)| slot).collect();
                for slot in slots {
                    self.clear_peer(slot);
                }
            }
            Scope::Peer(id) => {
                if let Some(slot) = self.known_slot(id) {
                    self.line.retain(|&other| other != slot);
                    self.clear_peer(slot);
                }
            }
        }
    }

    fn clear_peer(&mut self, slot: usize) {
        let peer = &mut self.peers[slot];
        peer.in_line = false;
        peer.blocked = false;
        peer.line.clear();
        let refusals = peer
            .farewells
            .drain(..)
            .filter(|farewell| farewell.kind == FarewellKind::Refusal);
        self.waiting_refusals -= refusals.count();
        self.forget_if_unused(slot);
    }

    /// Peers that are remembered.
    pub(super) fn peer_count(&self) -> usize {
        self.peers.len()
    }
}
