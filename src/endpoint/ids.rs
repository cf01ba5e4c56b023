//! By which ids conversations are found: those that we chose in either role, and those of SYNs.

use hashbrown::HashMap;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::conversation::{Conversation, Role};
use super::id_pool::IdPool;
use crate::wire::{ClientId, ServerId};

/// Ids, with the slots of the conversations that have them.
#[derive(Debug)]
pub(super) struct Ids {
    rng: ChaCha12Rng,
    clients: IdPool,
    servers: IdPool,
    /// Accepted conversations by the peer's slot and id, if [`DuplicateSyn::AnswerAgain`]
    /// needs them.
    ///
    /// [`DuplicateSyn::AnswerAgain`]: super::DuplicateSyn::AnswerAgain
    syns: HashMap<(usize, ClientId), usize>,
}

impl Ids {
    /// Whoever knows the seed can guess the ids.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            rng: ChaCha12Rng::from_seed(seed),
            clients: IdPool::default(),
            servers: IdPool::default(),
            syns: HashMap::new(),
        }
    }

    /// Takes a client id that was asked for; false if it is in use.
    pub(super) fn claim_client(&mut self, id: ClientId, slot: usize) -> bool {
        self.clients.claim(id.0, slot)
    }

    pub(super) fn draw_client(&mut self, slot: usize) -> ClientId {
        ClientId(self.clients.draw(&mut self.rng, slot))
    }

    pub(super) fn draw_server(&mut self, slot: usize) -> ServerId {
        ServerId(self.servers.draw(&mut self.rng, slot))
    }

    /// The conversation that we opened with this id.
    pub(super) fn of_client(&self, id: ClientId) -> Option<usize> {
        self.clients.slot(id.0)
    }

    /// The conversation that we accepted with this id.
    pub(super) fn of_server(&self, id: ServerId) -> Option<usize> {
        self.servers.slot(id.0)
    }

    pub(super) fn note_syn(&mut self, peer: usize, client_id: ClientId, slot: usize) {
        self.syns.insert((peer, client_id), slot);
    }

    /// The conversation of which another SYN with this id may be a copy.
    pub(super) fn of_syn(&self, peer: usize, client_id: ClientId) -> Option<usize> {
        self.syns.get(&(peer, client_id)).copied()
    }

    /// Forgets the ids of a conversation that has ended.
    pub(super) fn release(&mut self, conversation: &Conversation) {
        match conversation.role {
            Role::Client => self.clients.release(conversation.client_id.0),
            Role::Server => {
                if let Some(id) = conversation.server_id {
                    self.servers.release(id.0);
                }
                // While the entry is there a SYN with the same key opens nothing, so it is ours.
                self.syns
                    .remove(&(conversation.peer, conversation.client_id));
            }
        }
    }

    /// Whether no conversation has any.
    pub(super) fn is_empty(&self) -> bool {
        self.clients.live_count() == 0 && self.servers.live_count() == 0 && self.syns.is_empty()
    }
}
