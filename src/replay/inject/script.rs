//! A script that was read and checked.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use regex::bytes::Regex;

use crate::wire::{FrameType, HEADER_BYTES, StreamId};

/// The longest payload that a script may ask for.
pub const MAX_SCRIPT_PAYLOAD_BYTES: usize = 1 << 20;

/// Steps in their order. Every variable has a value where it is used, and
/// every `repeat` its `end`.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub(super) steps: Vec<Step>,
}

impl Script {
    /// The steps, with loops as they are written.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Makes the steps that wait for an ACK or a refusal wait for at least so long.
    pub fn wait_for_acks(&mut self, at_least: Duration) {
        for step in &mut self.steps {
            if let Action::Expect(expect) = &mut step.action
                && matches!(
                    expect.expected,
                    Expected::Type(FrameType::ACK) | Expected::Refusal
                )
            {
                expect.within = expect.within.max(at_least);
            }
        }
    }

    /// Appends the steps of another script, which must not use this one's variables.
    pub fn append(&mut self, mut later: Self) {
        let before = self.steps.len();
        for step in &mut later.steps {
            match &mut step.action {
                Action::Repeat { end: place, .. } | Action::End { start: place } => {
                    *place += before;
                }
                _ => {}
            }
        }
        self.steps.append(&mut later.steps);
    }
}

/// One line.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line's number, from 1.
    pub line: usize,
    /// The line, without space around it and comments.
    pub text: String,
    /// The action.
    pub action: Action,
}

impl Step {
    /// Bytes of the message that it sends, if it sends one and its length is
    /// known; our own destination is not.
    pub fn message_bytes(&self) -> Option<usize> {
        match &self.action {
            Action::Raw(bytes) => Some(bytes.len()),
            Action::Send { payload, .. } => Some(
                HEADER_BYTES
                    + match payload {
                        Payload::Bytes(bytes) => bytes.len(),
                        Payload::Random(length) => *length,
                        Payload::Destination { .. } => return None,
                    },
            ),
            _ => None,
        }
    }
}

/// The action of a step.
#[derive(Clone, Debug)]
pub enum Action {
    /// Sends a message.
    Send {
        /// Its type.
        frame_type: FrameType,
        /// Its id.
        id: Id,
        /// The rest of it.
        payload: Payload,
    },
    /// Sends these bytes as one message, whatever they are.
    Raw(Bytes),
    /// Does nothing for a time.
    Wait(Duration),
    /// Waits for a message.
    Expect(Expect),
    /// Waits for a stream of bytes, in however many data messages it comes.
    ExpectBytes {
        /// The id of the messages.
        id: Id,
        /// Their expected payloads, one after the other.
        bytes: Bytes,
        /// Time for all of them.
        within: Duration,
    },
    /// Waits whether nothing comes.
    ExpectNothing {
        /// For this id; `None`: for any.
        id: Option<Id>,
        /// The duration.
        within: Duration,
    },
    /// Makes the client that is tested open a conversation.
    Dial {
        /// The first bytes of its application, sent at once.
        first: Bytes,
    },
    /// Does the steps up to that index so many times.
    Repeat {
        /// The number of rounds.
        count: u64,
        /// The index of its `end`.
        end: usize,
    },
    /// Ends a loop.
    End {
        /// The index of its `repeat`.
        start: usize,
    },
}

/// The id of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// This one.
    Literal(StreamId),
    /// The value of a variable; each `syn` gives its variable a new random one.
    Variable(String),
    /// A random one.
    Random,
}

/// `111111`, `$s`, `rand`.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(id) => id.fmt(f),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Random => f.write_str("rand"),
        }
    }
}

/// The payload of a message that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// These bytes.
    Bytes(Bytes),
    /// So many random bytes.
    Random(usize),
    /// Our own destination.
    Destination {
        /// The bytes behind it: none in a proper SYN.
        then: Bytes,
    },
}

/// A message that is waited for.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Its type.
    pub expected: Expected,
    /// Its id.
    pub id: Id,
    /// The variable that takes the id in an ACK, or that of a SYN.
    pub bind: Option<String>,
    /// Its expected payload.
    pub want: Want,
    /// Time for it.
    pub within: Duration,
}

/// The expected types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This one.
    Type(FrameType),
    /// A server's close, or the empty ACK of the specification's sample (c).
    Close,
    /// A refusal, since there is no service: a server's close, which may carry
    /// three bytes, or an ACK and then the close (docs/protocol.md, "Where the text and the
    /// wire differ").
    Refusal,
}

/// The expected payload.
#[derive(Clone, Debug)]
pub enum Want {
    /// Anything.
    Anything,
    /// These bytes.
    Exactly(Bytes),
    /// It contains a match.
    Matches(Regex),
    /// It begins with these bytes.
    Prefix(Bytes),
}
