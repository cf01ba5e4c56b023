//! A client's connection, with that to the server behind it.

use std::fmt;

use hashbrown::HashMap;

use super::rule::KnownIds;
use crate::conversation::ConversationId;
use crate::dissect::{PassingFlow, PassingFrames};
use crate::net::Side;
use crate::wire::{Direction, FrameKind, IdOwner, RawMessage, ServerId, StreamId};

/// Names a connection of a proxy, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
pub(super) enum Flow {
    Messages(PassingFlow),
    Frames(Box<PassingFrames>),
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) flow: Flow,
    /// The direction of each side's messages, by [`Side::index`].
    pub(super) directions: [Direction; 2],
    /// Whether that is known: on I2CP an application may be either.
    pub(super) directions_known: bool,
    /// On I2CP, frames in which messages can be put, by [`Side::index`].
    pub(super) envelopes: [Option<Vec<u8>>; 2],
}

impl Connection {
    pub(super) const fn new(flow: Flow) -> Self {
        let directions_known = matches!(flow, Flow::Messages(_));
        Self {
            flow,
            directions: [Direction::ClientToServer, Direction::ServerToClient],
            directions_known,
            envelopes: [None, None],
        }
    }

    pub(super) const fn direction(&self, from: Side) -> Direction {
        self.directions[from.index()]
    }

    /// The side whose messages go this way.
    pub(super) fn sender(&self, direction: Direction) -> Side {
        if self.direction(Side::Initiator) == direction {
            Side::Initiator
        } else {
            Side::Responder
        }
    }

    /// Learns from a message which way those of its sender go.
    pub(super) fn learn(&mut self, from: Side, direction: Option<Direction>) {
        if let (false, Some(direction)) = (self.directions_known, direction) {
            self.directions_known = true;
            self.directions[from.index()] = direction;
            self.directions[from.opposite().index()] = reversed(direction);
        }
    }
}

const fn reversed(direction: Direction) -> Direction {
    match direction {
        Direction::ClientToServer => Direction::ServerToClient,
        Direction::ServerToClient => Direction::ClientToServer,
    }
}

/// The known ids of the conversations that pass.
#[derive(Debug, Default)]
pub(super) struct Known {
    conversations: HashMap<ConversationId, Conversation>,
    /// The conversation that opened last: they are numbered as they open.
    newest: Option<ConversationId>,
}

#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) connection: ConnectionId,
    pub(super) client: Option<StreamId>,
    pub(super) server: Option<StreamId>,
    /// On I2CP, frames in which messages can be put, by [`Side::index`].
    pub(super) envelopes: [Option<Box<[u8]>>; 2],
}

impl Known {
    /// Takes note of a message; returns the ids that it and its conversation have.
    pub(super) fn learn(
        &mut self,
        connection: ConnectionId,
        conversation: Option<ConversationId>,
        message: &RawMessage<'_>,
    ) -> KnownIds {
        let frame = message.frame();
        let mut ids = KnownIds {
            message: frame.map(|frame| frame.id),
            ..KnownIds::default()
        };
        let Some(id) = conversation else { return ids };
        self.newest = self.newest.max(Some(id));
        let known = self.conversations.entry(id).or_insert(Conversation {
            connection,
            client: None,
            server: None,
            envelopes: [None, None],
        });
        // The effect of an unknown type on its id is unknown, too.
        if let Some(frame) = frame.filter(|frame| frame.frame_type.kind() != FrameKind::Unknown) {
            let side = match frame.frame_type.id_owner() {
                Some(IdOwner::Client) => Some(&mut known.client),
                Some(IdOwner::Server) => Some(&mut known.server),
                None => None,
            };
            if let Some(side) = side {
                side.get_or_insert(frame.id);
            }
            if let Some(ServerId(id)) = frame.announced_id() {
                known.server.get_or_insert(id);
            }
        }
        ids.client = known.client;
        ids.server = known.server;
        ids
    }

    /// Whether a conversation is over and was forgotten: a message of it is late.
    pub(super) fn is_forgotten(&self, id: ConversationId) -> bool {
        Some(id) <= self.newest && !self.conversations.contains_key(&id)
    }

    pub(super) fn get(&self, id: ConversationId) -> Option<&Conversation> {
        self.conversations.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        self.conversations.get_mut(&id)
    }

    pub(super) fn forget(&mut self, id: ConversationId) {
        self.conversations.remove(&id);
    }
}
