//! The table of clients and their servers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::leg::ClientLeg;
use super::pair::Pair;
use crate::proxy::ConnectionId;
use crate::runtime::link::{Peer, Scope};

/// All pairs, by their connections and by their peers on the clients' link.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// In the order in which they came, in which several of them are treated.
    by_id: BTreeMap<ConnectionId, Pair>,
    by_peer: HashMap<Peer, ConnectionId>,
}

impl Pairs {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn insert(&mut self, id: ConnectionId, pair: Pair) {
        if let ClientLeg::Peer(peer) = pair.client {
            self.by_peer.insert(peer, id);
        }
        self.by_id.insert(id, pair);
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Pair> {
        let pair = self.by_id.remove(&id)?;
        if let ClientLeg::Peer(peer) = pair.client {
            self.by_peer.remove(&peer);
        }
        Some(pair)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Pair> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Pair> {
        self.by_id.get_mut(&id)
    }

    /// The connection of a peer on the clients' link.
    pub(super) fn of_peer(&self, peer: Peer) -> Option<ConnectionId> {
        self.by_peer.get(&peer).copied()
    }

    /// Whether servers take the messages of clients in this scope.
    pub(super) fn take_from(&self, scope: Scope) -> bool {
        match scope {
            Scope::Peer(peer) => self
                .of_peer(peer)
                .and_then(|id| self.get(id))
                .is_none_or(Pair::takes_from_client),
            Scope::All => self.by_id.values().all(Pair::takes_from_client),
        }
    }

    /// Those in a scope of the clients' link.
    pub(super) fn in_scope_mut(&mut self, scope: Scope) -> impl Iterator<Item = &mut Pair> {
        self.by_id
            .values_mut()
            .filter(move |pair| match (scope, &pair.client) {
                (Scope::All, _) => true,
                (Scope::Peer(peer), ClientLeg::Peer(own)) => peer == *own,
                (Scope::Peer(_), ClientLeg::Frames(_)) => false,
            })
    }

    /// Of those that are asked for, the one that was silent for longest.
    pub(super) fn most_silent(
        &self,
        wanted: impl Fn(ConnectionId) -> bool,
    ) -> Option<ConnectionId> {
        let candidates = self.by_id.iter().filter(|(id, _)| wanted(**id));
        let most_silent = candidates.min_by_key(|(_, pair)| pair.last_received);
        most_silent.map(|(id, _)| *id)
    }

    /// The same of those of a peer's origin, if there are as many as `limit`.
    pub(super) fn most_silent_of_origin(
        &self,
        peer: Peer,
        limit: usize,
        wanted: impl Fn(ConnectionId) -> bool,
    ) -> Option<ConnectionId> {
        let origin = peer.origin();
        let is_of_origin = |id: ConnectionId| {
            self.get(id).is_some_and(|pair| match pair.client {
                ClientLeg::Peer(other) => other.origin() == origin && wanted(id),
                ClientLeg::Frames(_) => false,
            })
        };
        let count = self.by_id.keys().filter(|id| is_of_origin(**id)).count();
        (count >= limit).then(|| self.most_silent(is_of_origin))?
    }

    /// Of those whose client has left, the one that was silent for longest.
    pub(super) fn most_silent_leaving(&self) -> Option<ConnectionId> {
        let leaving = self.by_id.iter().filter(|(_, pair)| pair.shut[1]);
        let most_silent = leaving.min_by_key(|(_, pair)| pair.last_received);
        most_silent.map(|(id, _)| *id)
    }

    /// Whether one was silent for longer than `time`.
    pub(super) fn is_silent_for(&self, id: ConnectionId, time: Duration, now: Instant) -> bool {
        self.get(id)
            .is_some_and(|pair| now.saturating_duration_since(pair.last_received) > time)
    }

    /// Those that were silent for longer than `time`.
    pub(super) fn silent_for(&self, time: Duration, now: Instant) -> Vec<ConnectionId> {
        let ids = self.by_id.keys().copied();
        ids.filter(|id| self.is_silent_for(*id, time, now))
            .collect()
    }
}
