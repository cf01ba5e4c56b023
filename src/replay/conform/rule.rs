//! Rules for every message of a peer.

use std::collections::{HashMap, HashSet};

use super::tested::Tested;
use crate::wire::{
    Destination, Direction, FrameKind, FrameType, MAX_DATA_PAYLOAD_BYTES, PayloadShape, RawFrame,
    RawMessage, ServerId, StreamId,
};

/// Something that every message of a peer has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageRule {
    /// Its type is one of the three that its sender may use, or chaff.
    Types,
    /// Its id is one that we chose, or the client's own in a SYN.
    Ids,
    /// An ACK hands out an id of three bytes that is not 000000; a SYN has such an id.
    NewIds,
    /// A SYN carries a destination.
    Destination,
    /// A close carries nothing; a server's may carry three bytes.
    Close,
    /// Data are at most 32768 bytes.
    Data,
}

/// Sees all messages of a run.
#[derive(Debug)]
pub struct RuleWatcher {
    tested: Tested,
    /// The ids that we chose and announced to the peer.
    ours: HashSet<StreamId>,
    /// Those of them that only earlier trials used.
    earlier: HashSet<StreamId>,
    /// The rules that were about some message, with the first that broke them.
    applied: HashMap<MessageRule, Option<Vec<u8>>>,
}

impl RuleWatcher {
    /// Has seen nothing.
    pub fn new(tested: Tested) -> Self {
        Self {
            tested,
            ours: HashSet::new(),
            earlier: HashSet::new(),
            applied: HashMap::new(),
        }
    }

    /// Sees a message of ours.
    pub fn sent(&mut self, message: &[u8]) {
        let RawMessage::Frame(frame) = RawMessage::parse(message) else {
            return;
        };
        let chosen = match (self.tested, frame.frame_type) {
            (Tested::Server, FrameType::SYN) => Some(frame.id),
            (Tested::Client, _) => frame.announced_id().map(|ServerId(id)| id),
            _ => None,
        };
        if let Some(id) = chosen {
            self.ours.insert(id);
            self.earlier.remove(&id);
        }
    }

    /// A trial begins: messages for the ids of those before it are not for it.
    pub fn begin_trial(&mut self) {
        self.earlier = self.ours.clone();
    }

    /// Whether a message of the peer concerns the trial. Late ones do not, nor do pings, chaff and
    /// data without bytes: a client may prove its address by them.
    pub fn concerns_trial(&self, message: &[u8]) -> bool {
        let RawMessage::Frame(frame) = RawMessage::parse(message) else {
            return false;
        };
        let says_nothing = match frame.frame_type.kind() {
            FrameKind::Chaff => true,
            FrameKind::Data => frame.payload.is_empty(),
            _ => false,
        };
        let is_late = frame.frame_type != FrameType::SYN && self.earlier.contains(&frame.id);
        !says_nothing && !is_late
    }

    /// Sees a message of the peer. Those too short are ignored by everybody, and pings and chaff
    /// have no meaning.
    pub fn received(&mut self, message: &[u8]) {
        let RawMessage::Frame(frame) = RawMessage::parse(message) else {
            return;
        };
        if frame.frame_type.kind() == FrameKind::Chaff {
            return;
        }
        for rule in [
            MessageRule::Types,
            MessageRule::Ids,
            MessageRule::NewIds,
            MessageRule::Destination,
            MessageRule::Close,
            MessageRule::Data,
        ] {
            let Some(keeps) = self.keeps(rule, &frame) else {
                continue;
            };
            let breach = self.applied.entry(rule).or_default();
            if !keeps && breach.is_none() {
                *breach = Some(message.to_vec());
            }
        }
    }

    /// The first message that broke a rule.
    pub fn breach(&self, rule: MessageRule) -> Option<&[u8]> {
        self.applied.get(&rule)?.as_deref()
    }

    /// Whether there was any message that the rule is about.
    pub fn has_applied(&self, rule: MessageRule) -> bool {
        self.applied.contains_key(&rule)
    }

    /// Whether a message keeps to a rule; `None` if the rule is not about it.
    fn keeps(&self, rule: MessageRule, frame: &RawFrame<'_>) -> Option<bool> {
        let kind = frame.frame_type.kind();
        let from_peer = match self.tested {
            Tested::Server => Direction::ServerToClient,
            Tested::Client => Direction::ClientToServer,
        };
        match rule {
            MessageRule::Types => {
                Some(kind != FrameKind::Unknown && frame.frame_type.direction() == Some(from_peer))
            }
            MessageRule::Ids => (kind != FrameKind::Syn).then(|| self.ours.contains(&frame.id)),
            MessageRule::NewIds => match kind {
                FrameKind::Syn => Some(frame.id != StreamId::ZERO),
                FrameKind::Ack => Some(frame.announced_id().is_some_and(|id| !id.0.is_zero())),
                _ => None,
            },
            MessageRule::Destination => {
                (kind == FrameKind::Syn).then(|| Destination::split(frame.payload).is_ok())
            }
            MessageRule::Close => (kind == FrameKind::Close).then(|| match frame.payload_shape() {
                PayloadShape::Nothing => true,
                PayloadShape::UnusedId => self.tested == Tested::Server,
                _ => false,
            }),
            MessageRule::Data => {
                (kind == FrameKind::Data).then_some(frame.payload.len() <= MAX_DATA_PAYLOAD_BYTES)
            }
        }
    }
}
