//! The table of clients and their servers.

use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::leg::ClientLeg;
use super::pair::Pair;
use crate::proxy::ConnectionId;
use crate::runtime::link::{Peer, Scope};

/// All pairs, by their connections and by their peers on the clients' link.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    by_id: HashMap<ConnectionId, Pair>,
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

    /// Whether servers take what comes from clients in this scope.
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

    /// The one that was silent for longest.
    pub(super) fn most_silent(&self) -> Option<ConnectionId> {
        let most_silent = self.by_id.iter().min_by_key(|(_, pair)| pair.heard);
        most_silent.map(|(id, _)| *id)
    }

    /// Of those whose client has left, the one that was silent for longest.
    pub(super) fn most_silent_leaving(&self) -> Option<ConnectionId> {
        let leaving = self.by_id.iter().filter(|(_, pair)| pair.told[1]);
        let most_silent = leaving.min_by_key(|(_, pair)| pair.heard);
        most_silent.map(|(id, _)| *id)
    }

    /// Those that were silent for longer than `time`.
    pub(super) fn silent_for(&self, time: Duration, now: Instant) -> Vec<ConnectionId> {
        self.by_id
            .iter()
            .filter(|(_, pair)| now.saturating_duration_since(pair.heard) > time)
            .map(|(id, _)| *id)
            .collect()
    }
}
