//! Openings that were given up while their SYN was under way.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::wire::ClientId;

/// Number remembered; the oldest are forgotten first.
const MAX_ABANDONED: usize = 4_096;

/// Client ids whose ACK may still come, with the peer it would come from.
///
/// The reference ignores a late ACK and so leaves the acceptor with a
/// conversation that never ends. A close to the id in that ACK is legal at any
/// time and ends it.
#[derive(Debug)]
pub(crate) struct Abandoned<P> {
    peers: HashMap<ClientId, P>,
    order: VecDeque<ClientId>,
}

impl<P: Copy> Abandoned<P> {
    pub(crate) fn new() -> Self {
        Self {
            peers: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(crate) fn insert(&mut self, id: ClientId, peer: P) {
        if self.peers.insert(id, peer).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > MAX_ABANDONED
            && let Some(oldest) = self.order.pop_front()
        {
            self.peers.remove(&oldest);
        }
    }

    /// The peer of a late ACK.
    pub(crate) fn get(&self, id: ClientId) -> Option<P> {
        self.peers.get(&id).copied()
    }

    /// Forgets an id: its ACK has come, or it is in use again. Returns whose it was.
    pub(crate) fn take(&mut self, id: ClientId) -> Option<P> {
        let peer = self.peers.remove(&id)?;
        self.order.retain(|&other| other != id);
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::StreamId;

    fn id(number: usize) -> ClientId {
        ClientId(StreamId::from_u32(number.try_into().unwrap()))
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_rest_found() {
        let mut abandoned = Abandoned::new();
        for number in 0..=MAX_ABANDONED {
            abandoned.insert(id(number), number);
        }
        assert_eq!(abandoned.get(id(0)), None);
        assert_eq!(abandoned.get(id(1)), Some(1));
        assert_eq!(abandoned.order.len(), abandoned.peers.len());
    }

    #[test]
    fn an_id_is_taken_once_and_may_come_again() {
        let mut abandoned = Abandoned::new();
        abandoned.insert(id(7), 'a');
        abandoned.insert(id(7), 'b');
        assert_eq!(abandoned.get(id(7)), Some('b'));
        abandoned.take(id(7));
        abandoned.take(id(7));
        assert_eq!(abandoned.get(id(7)), None);
        assert!(abandoned.order.is_empty());
    }
}
