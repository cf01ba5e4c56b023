//! The unit that a link takes to a peer.

use bytes::Bytes;

use crate::fault::Parcelled as _;
use crate::wire::{FrameType, HEADER_BYTES, Message};

/// The bytes of one message, in up to two pieces so that a payload need not be
/// copied behind its header.
#[derive(Clone, Debug)]
pub struct Parcel {
    header: Option<[u8; HEADER_BYTES]>,
    rest: Bytes,
    /// Bytes that are announced and never come.
    missing_bytes: usize,
}

impl Parcel {
    /// Bytes that are sent as they are, even where they are no message.
    pub const fn raw(bytes: Bytes) -> Self {
        Self::torn(bytes, 0)
    }

    /// The beginning of a message after which its connection breaks, and the number of bytes
    /// missing. Carriers of whole messages do not send it.
    pub(in crate::runtime) const fn torn(bytes: Bytes, missing_bytes: usize) -> Self {
        Self {
            header: None,
            rest: bytes,
            missing_bytes,
        }
    }

    /// Whether it is the beginning of a message only.
    pub(super) const fn is_torn(&self) -> bool {
        self.missing_bytes > 0
    }

    /// Length of the whole message in bytes.
    pub(super) fn announced_bytes(&self) -> usize {
        self.bytes() + self.missing_bytes
    }

    /// The first piece; may be empty.
    pub(super) fn header(&self) -> &[u8] {
        self.header.as_ref().map_or(&[], |header| &header[..])
    }

    /// The bytes behind the first piece.
    pub(super) const fn rest(&self) -> &Bytes {
        &self.rest
    }

    /// The bytes behind the first piece; of raw bytes all.
    pub(in crate::runtime) fn into_rest(self) -> Bytes {
        self.rest
    }

    /// Length of both pieces in bytes.
    pub(in crate::runtime) fn bytes(&self) -> usize {
        self.header().len() + self.rest.len()
    }

    /// Whether it opens a conversation.
    pub(super) fn is_syn(&self) -> bool {
        let first = self.header().first().or(self.rest.first());
        self.bytes() >= HEADER_BYTES && first == Some(&FrameType::SYN.0)
    }

    /// Moves it to memory of its own, to wait there.
    pub(in crate::runtime) fn own_memory(&mut self) {
        self.rest.own_memory();
    }

    /// Appends both pieces.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.header());
        out.extend_from_slice(&self.rest);
    }
}

impl From<Message> for Parcel {
    fn from(message: Message) -> Self {
        Self {
            header: Some(message.header()),
            rest: message.payload,
            missing_bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::StreamId;

    #[test]
    fn a_message_and_its_raw_bytes_are_the_same_parcel() {
        for (frame_type, is_syn) in [(FrameType::SYN, true), (FrameType::CLIENT_DATA, false)] {
            let message = Message {
                frame_type,
                id: StreamId([1, 2, 3]),
                payload: Bytes::from_static(b"payload"),
            };
            let whole = message.to_vec();
            for parcel in [Parcel::from(message), Parcel::raw(whole.clone().into())] {
                let mut bytes = Vec::new();
                parcel.put(&mut bytes);
                assert_eq!(bytes, whole);
                assert_eq!(parcel.bytes(), whole.len());
                assert_eq!(parcel.is_syn(), is_syn);
            }
        }
    }

    #[test]
    fn less_than_a_header_opens_nothing() {
        for bytes in [&b""[..], b"\xa1", b"\xa1\x01\x02"] {
            assert!(!Parcel::raw(Bytes::from_static(bytes)).is_syn());
        }
    }
}
