//! Clients whose addresses may be forgeries, and messages waiting for them until it is known.
//!
//! As with a server: until a message of a client carries a server's id that was sent to its address, at most
//! three times the bytes that came from there go back.

use std::collections::VecDeque;

use bytes::Bytes;
use hashbrown::HashMap;

use super::carried::{Carried, Content};
use super::connection::ConnectionId;
use crate::allocation::ALLOCATION_BYTES;
use crate::endpoint::AddressProof;
use crate::endpoint::allowance::Allowance;
use crate::fault::Parcelled as _;
use crate::wire::{FrameType, RawFrame, RawMessage, ServerId, StreamId};

/// Bytes that may wait for one client; its connection is given up with more.
const MAX_CLIENT_BYTES: usize = 1024 * 1024;

/// Bytes that may wait for all of them; the connection that brings more is given up.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Bytes counted for a waiting message beside those that it keeps: its place in a list that may
/// have twice the room, and the memory of its own that its bytes are moved to.
const OVERHEAD_BYTES: usize = 2 * size_of::<Carried>() + ALLOCATION_BYTES;

/// The last ids of servers that a client may repeat: each more that is good eases guessing.
const MAX_SERVER_IDS: usize = 64;

/// One client.
#[derive(Debug)]
struct Client {
    allowance: Allowance,
    /// Ids in the ACKs that were sent to its address.
    server_ids: VecDeque<StreamId>,
    waiting: VecDeque<Carried>,
    /// Their bytes.
    bytes: usize,
    /// Bytes that the server has sent and that are still on their way here, behind rules and faults.
    coming_bytes: usize,
    /// Too much waited: nothing is sent there any more.
    is_given_up: bool,
}

/// Whether something may go to a client.
#[derive(Debug)]
pub(super) enum Passage {
    Goes(Carried),
    Waits,
    /// It does not wait, because too much does. The connection has to end.
    GivenUp,
}

/// All clients that have not proven their addresses.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    clients: HashMap<ConnectionId, Client>,
    bytes: usize,
}

fn cost(carried: &Carried) -> usize {
    carried.held_bytes() + OVERHEAD_BYTES
}

fn frame(message: &[u8]) -> Option<RawFrame<'_>> {
    RawMessage::parse(message).frame().copied()
}

/// Whether a message is a close and nothing else.
fn is_close(message: &[u8]) -> bool {
    frame(message).is_some_and(|frame| {
        frame.frame_type == FrameType::SERVER_CLOSE && frame.payload.is_empty()
    })
}

impl Client {
    /// Whether its message shows that it receives what we send to its address.
    fn is_proven_by(&self, message: &[u8]) -> bool {
        frame(message).is_some_and(|frame| {
            matches!(
                frame.frame_type,
                FrameType::CLIENT_DATA | FrameType::CLIENT_CLOSE
            ) && self.server_ids.contains(&frame.id)
        })
    }

    fn admits(&self, carried: &Carried) -> bool {
        match &carried.content {
            Content::End => true,
            // The room that is left for a close is for this one.
            Content::Message { bytes, .. } if is_close(bytes) => {
                self.allowance.admits_last(bytes.len())
            }
            _ => self.allowance.admits(carried.bytes()),
        }
    }

    /// A message is sent there.
    fn note_sent(&mut self, carried: &Carried) {
        self.allowance.spend(carried.bytes());
        if let Content::Message { bytes, .. } = &carried.content
            && let Some(ServerId(id)) = frame(bytes).and_then(|frame| frame.announced_id())
        {
            if self.server_ids.len() == MAX_SERVER_IDS {
                self.server_ids.pop_front();
            }
            self.server_ids.push_back(id);
        }
    }
}

impl Unproven {
    /// A client is there.
    pub(super) fn insert(&mut self, id: ConnectionId) {
        let client = Client {
            allowance: Allowance::of_syn(AddressProof::Required, 0),
            server_ids: VecDeque::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            coming_bytes: 0,
            is_given_up: false,
        };
        self.clients.insert(id, client);
    }

    pub(super) fn contains(&self, id: ConnectionId) -> bool {
        self.clients.contains_key(&id)
    }

    /// Whether something waits for this client, or will have to when it has come past rules and faults.
    pub(super) fn waits_for(&self, id: ConnectionId) -> bool {
        self.clients.get(&id).is_some_and(|client| {
            let is_too_much =
                || client.coming_bytes > 0 && !client.allowance.admits_last(client.coming_bytes);
            client.is_given_up || !client.waiting.is_empty() || is_too_much()
        })
    }

    /// The server has sent a message to a client, which counts as on its way until it has come
    /// [here](Self::pass) or is [lost](Self::lose).
    pub(super) fn expect(&mut self, id: ConnectionId, carried: &mut Carried) {
        if let Some(client) = self.clients.get_mut(&id) {
            carried.doubted_bytes = carried.bytes();
            client.coming_bytes += carried.doubted_bytes;
        }
    }

    /// An expected message does not come.
    pub(super) fn lose(&mut self, id: ConnectionId, bytes: usize) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.coming_bytes = client.coming_bytes.saturating_sub(bytes);
        }
    }

    /// The bytes of all that waits.
    pub(super) const fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// A client has sent a message; returns those that may go there now.
    pub(super) fn handle_message(&mut self, id: ConnectionId, message: &Bytes) -> Vec<Carried> {
        let Some(client) = self.clients.get_mut(&id) else {
            return Vec::new();
        };
        if client.is_proven_by(message) && !client.is_given_up {
            return self.forget(id);
        }
        client.allowance.grow(message.len());
        let mut released = Vec::new();
        while let Some(first) = client.waiting.front()
            && client.admits(first)
            && let Some(carried) = client.waiting.pop_front()
        {
            client.note_sent(&carried);
            client.bytes -= cost(&carried);
            self.bytes -= cost(&carried);
            released.push(carried);
        }
        released
    }

    /// Asks whether something may go to a client; it waits if not.
    pub(super) fn pass(&mut self, id: ConnectionId, mut carried: Carried) -> Passage {
        let Some(client) = self.clients.get_mut(&id) else {
            return Passage::Goes(carried);
        };
        let came = std::mem::take(&mut carried.doubted_bytes);
        client.coming_bytes = client.coming_bytes.saturating_sub(came);
        if client.is_given_up {
            // Dropped: its connection is about to end.
            return Passage::Waits;
        }
        if client.waiting.is_empty() && client.admits(&carried) {
            client.note_sent(&carried);
            return Passage::Goes(carried);
        }
        carried.own_memory();
        let cost = cost(&carried);
        if client.bytes + cost > MAX_CLIENT_BYTES || self.bytes + cost > MAX_BYTES {
            client.is_given_up = true;
            client.waiting = VecDeque::new();
            self.bytes -= std::mem::take(&mut client.bytes);
            return Passage::GivenUp;
        }
        client.bytes += cost;
        self.bytes += cost;
        client.waiting.push_back(carried);
        Passage::Waits
    }

    /// Asks for no proof of a client any more; returns the messages that have waited for it.
    pub(super) fn forget(&mut self, id: ConnectionId) -> Vec<Carried> {
        let Some(client) = self.clients.remove(&id) else {
            return Vec::new();
        };
        self.bytes -= client.bytes;
        client.waiting.into()
    }
}
