//! The effects of a rule on a message.

use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use crate::select::filter::Filter;
use crate::wire::{Direction, FrameType, HEADER_BYTES, StreamId};

/// One thing that a rule does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Nothing: later rules do not see the message either.
    Pass,
    /// The message does not go on.
    Drop,
    /// It goes on twice.
    Duplicate,
    /// It goes on later; others overtake it.
    Delay(Duration),
    /// It goes on behind the next message of its conversation that matches.
    HoldUntil(Arc<Filter>),
    /// It goes on behind the next message of its conversation in its direction.
    SwapWithNext,
    /// It has another id.
    SetId(IdSource),
    /// It has another type.
    SetType(u8),
    /// Its payload has other bytes wherever the pattern matches.
    Replace(Regex, Vec<u8>),
    /// Its payload is cut to so many bytes.
    Truncate(usize),
    /// Its payload has more bytes at the end.
    Append(Vec<u8>),
    /// Another message is sent in a direction.
    Inject(Direction, Made),
    /// Its conversation is closed towards these; the message goes on before.
    Close(Ends),
}

/// The source of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdSource {
    /// The rule.
    Literal(StreamId),
    /// `$id`: the message.
    Message,
    /// `$client_id`: the message's conversation.
    Client,
    /// `$server_id`: the message's conversation.
    Server,
}

/// A message that a rule makes.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// A type, an id, and a payload.
    Frame(FrameType, IdSource, Payload),
}

/// The payload of a message that a rule makes.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Bytes.
    Bytes(Vec<u8>),
    /// An id, as in an ACK.
    Id(IdSource),
}

/// The ends to which a conversation is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Client,
    Server,
    Both,
}

/// The ids that a message and its conversation have, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownIds {
    pub(crate) message: Option<StreamId>,
    pub(crate) client: Option<StreamId>,
    pub(crate) server: Option<StreamId>,
}

impl KnownIds {
    fn of(self, source: IdSource) -> Option<StreamId> {
        match source {
            IdSource::Literal(id) => Some(id),
            IdSource::Message => self.message,
            IdSource::Client => self.client,
            IdSource::Server => self.server,
        }
    }
}

impl Made {
    /// The message, if all its ids are known.
    pub(crate) fn bytes(&self, ids: KnownIds) -> Option<Vec<u8>> {
        match self {
            Self::Raw(bytes) => Some(bytes.clone()),
            Self::Frame(frame_type, id, payload) => {
                let mut bytes = vec![frame_type.0];
                bytes.extend(ids.of(*id)?.0);
                match payload {
                    Payload::Bytes(payload) => bytes.extend(payload),
                    Payload::Id(id) => bytes.extend(ids.of(*id)?.0),
                }
                Some(bytes)
            }
        }
    }
}

/// A message that a rule has changed, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Changed,
    /// It has no such part: too short for an id, or nothing matches.
    Unchanged,
}

impl Action {
    /// Changes the bytes of a message, if it is an action that does.
    pub(crate) fn change(&self, message: &mut Vec<u8>, ids: KnownIds) -> Change {
        let before = message.clone();
        match self {
            Self::SetId(source) => {
                if let (Some(id), Some(place)) = (ids.of(*source), message.get_mut(1..HEADER_BYTES))
                {
                    place.copy_from_slice(&id.0);
                }
            }
            Self::SetType(byte) => {
                if let Some(first) = message.first_mut() {
                    *first = *byte;
                }
            }
            Self::Replace(pattern, with) => {
                if let Some(payload) = message.get(HEADER_BYTES..) {
                    let replaced = pattern.replace_all(payload, &with[..]).into_owned();
                    message.truncate(HEADER_BYTES);
                    message.extend(replaced);
                }
            }
            Self::Truncate(bytes) => message.truncate(HEADER_BYTES.saturating_add(*bytes)),
            Self::Append(bytes) => message.extend(bytes),
            _ => {}
        }
        if before == *message {
            Change::Unchanged
        } else {
            Change::Changed
        }
    }
}
