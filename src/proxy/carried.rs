//! Items on their way through the proxy.

use std::sync::Arc;

use bytes::Bytes;

use super::{ConnectionId, i2cp};
use crate::allocation::ALLOCATION_BYTES;
use crate::fault::{AppliedFaults, Parcelled};
use crate::net::Side;

/// A message, or another item that keeps its place among messages.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) content: Content,
    /// The effect of a rule on it.
    pub(super) comment: Option<Arc<str>>,
    /// The faults that it met.
    pub(super) faults: AppliedFaults,
    /// Number of bytes missing at its end, because the connection breaks.
    pub(super) missing_bytes: usize,
    /// Bytes counted as on their way to a client that has not proven its address, while this is.
    pub(super) doubted_bytes: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A message, with the I2CP frame it came in.
    Message {
        bytes: Bytes,
        frame: Option<Bytes>,
        /// Whether the frame still holds these bytes.
        changed: bool,
    },
    /// An I2CP frame that carries no message.
    Frame(Bytes),
    /// The end of one side's messages.
    End,
}

impl Carried {
    pub(super) fn message(bytes: Bytes, frame: Option<Bytes>) -> Self {
        Self {
            content: Content::Message {
                bytes,
                frame,
                changed: false,
            },
            comment: None,
            faults: AppliedFaults::default(),
            missing_bytes: 0,
            doubted_bytes: 0,
        }
    }

    pub(super) fn frame(frame: Bytes) -> Self {
        Self {
            content: Content::Frame(frame),
            comment: None,
            faults: AppliedFaults::default(),
            missing_bytes: 0,
            doubted_bytes: 0,
        }
    }

    pub(super) fn end() -> Self {
        Self {
            content: Content::End,
            comment: None,
            faults: AppliedFaults::default(),
            missing_bytes: 0,
            doubted_bytes: 0,
        }
    }

    /// Puts other bytes in the place of the message.
    pub(super) fn set_bytes(&mut self, new: Vec<u8>) {
        if let Content::Message { bytes, changed, .. } = &mut self.content {
            *bytes = new.into();
            *changed = true;
        }
    }

    /// The bytes to be sent: the message, on I2CP the frame; `None` for an end.
    pub(super) fn wire_bytes(&self, wrapper: &mut i2cp::Wrapper) -> Option<Bytes> {
        match &self.content {
            Content::Message {
                bytes, frame: None, ..
            } => Some(bytes.clone()),
            Content::Message {
                frame: Some(frame),
                changed: false,
                ..
            } => Some(frame.clone()),
            Content::Message {
                bytes,
                frame: Some(frame),
                ..
            } => wrapper.wrap(frame, bytes).map(Bytes::from),
            Content::Frame(frame) => Some(frame.clone()),
            Content::End => None,
        }
    }
}

impl Parcelled for Carried {
    fn bytes(&self) -> usize {
        match &self.content {
            Content::Message { bytes, .. } => bytes.len(),
            Content::Frame(frame) => frame.len(),
            Content::End => 0,
        }
    }

    /// A second one of the message. Only the first of the two is counted as on its way.
    fn copy(&self) -> Self {
        Self {
            doubted_bytes: 0,
            ..self.clone()
        }
    }

    fn held_bytes(&self) -> usize {
        let comment_bytes = self
            .comment
            .as_ref()
            .map_or(0, |comment| comment.len() + ALLOCATION_BYTES);
        let frame_bytes = match &self.content {
            Content::Message {
                frame: Some(frame), ..
            } => frame.len() + ALLOCATION_BYTES,
            _ => 0,
        };
        self.bytes() + frame_bytes + comment_bytes + self.faults.held_bytes()
    }

    fn own_memory(&mut self) {
        match &mut self.content {
            Content::Message { bytes, frame, .. } => {
                bytes.own_memory();
                if let Some(frame) = frame {
                    frame.own_memory();
                }
            }
            Content::Frame(frame) => frame.own_memory(),
            Content::End => {}
        }
    }

    fn damage(&mut self, place: usize, mask: u8) {
        if let Content::Message { bytes, changed, .. } = &mut self.content {
            bytes.damage(place, mask);
            *changed = true;
        }
    }

    fn tear(&mut self, bytes: usize) -> bool {
        self.missing_bytes = self.bytes().saturating_sub(bytes);
        true
    }

    fn take_note(&mut self, applied: &AppliedFaults) {
        self.faults = applied.clone();
    }
}

/// Something that waits, and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) connection: ConnectionId,
    pub(super) from: Side,
    pub(super) carried: Carried,
}

/// The comment on a message that a rule or faults met.
pub(super) fn comment_on(rule: Option<Arc<str>>, applied: &AppliedFaults) -> Option<Arc<str>> {
    match (rule, applied.is_empty()) {
        (rule, true) => rule,
        (None, false) => Some(format!("fault: {applied}").into()),
        (Some(rule), false) => Some(format!("{rule}; fault: {applied}").into()),
    }
}
