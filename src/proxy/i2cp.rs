//! Messages in I2CP frames: wrapped anew when they were changed.

use crate::carrier::i2cp::gzip::Deflater;
use crate::carrier::i2cp::{Message, MessageType};

/// Length of the body, and type.
const FRAME_HEADER_BYTES: usize = 4 + 1;

/// The two ports in the wrapper of a message, and further on the protocol: in MTIME and OS of
/// the gzip header (RFC 1952, 2.3; I2CP overview, "I2CP Payload Data Format and Multiplexing").
const GZIP_PORTS: std::ops::Range<usize> = 4..8;
const GZIP_PROTOCOL: usize = 9;

/// Makes frames around messages.
#[derive(Debug, Default)]
pub(super) struct Wrapper {
    deflater: Deflater,
}

impl Wrapper {
    /// A frame like `frame` with another message in it; `None` if that carries no message, or
    /// the new one is too long for a frame.
    pub(super) fn wrap(&mut self, frame: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let decoded = decode(frame)?;
        let old = payload(&decoded)?;
        let mut wrapped = Vec::new();
        self.deflater.deflate(message, &mut wrapped);
        // The ports and the protocol are not ours to change: routers and applications dispatch by
        // them.
        if let (Some(old), Some(new)) = (old.get(GZIP_PORTS), wrapped.get_mut(GZIP_PORTS)) {
            new.copy_from_slice(old);
        }
        if let (Some(old), Some(new)) = (old.get(GZIP_PROTOCOL), wrapped.get_mut(GZIP_PROTOCOL)) {
            *new = *old;
        }
        let mut made = Vec::new();
        with_payload(decoded, &wrapped).encode(&mut made).ok()?;
        Some(made)
    }
}

/// The frame without its message, from which others can be made.
pub(super) fn envelope(frame: &[u8]) -> Option<Vec<u8>> {
    let decoded = decode(frame)?;
    payload(&decoded)?;
    let mut made = Vec::new();
    with_payload(decoded, &[]).encode(&mut made).ok()?;
    Some(made)
}

fn decode(frame: &[u8]) -> Option<Message<'_>> {
    let message_type = MessageType(*frame.get(FRAME_HEADER_BYTES - 1)?);
    Message::decode(message_type, frame.get(FRAME_HEADER_BYTES..)?).ok()
}

const fn payload<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    match message {
        Message::SendMessage { payload, .. }
        | Message::SendMessageExpires { payload, .. }
        | Message::MessagePayload { payload, .. } => Some(payload),
        _ => None,
    }
}

const fn with_payload<'a>(mut message: Message<'a>, new: &'a [u8]) -> Message<'a> {
    if let Message::SendMessage { payload, .. }
    | Message::SendMessageExpires { payload, .. }
    | Message::MessagePayload { payload, .. } = &mut message
    {
        *payload = new;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::i2cp::gzip::Inflater;
    use crate::wire::Destination;

    fn frame(message: &Message<'_>) -> Vec<u8> {
        let mut frame = Vec::new();
        message.encode(&mut frame).unwrap();
        frame
    }

    fn sent<'a>(destination: Destination<'a>, payload: &'a [u8]) -> Message<'a> {
        Message::SendMessage {
            session: 5,
            destination,
            payload,
            nonce: 6,
        }
    }

    #[test]
    fn a_frame_with_another_message_in_it_is_the_same_beside_it() {
        let mut old = Vec::new();
        Deflater::new().deflate(b"old", &mut old);
        old[GZIP_PORTS].copy_from_slice(&[1, 2, 3, 4]);
        old[GZIP_PROTOCOL] = 17;
        let destination = [&[7; 384][..], &[0; 3]].concat();
        let (destination, _) = Destination::split(&destination).unwrap();
        let mut wrapper = Wrapper::default();
        for message in [&b"new"[..], &[3; 50_000]] {
            let made = wrapper
                .wrap(&frame(&sent(destination, &old)), message)
                .unwrap();
            let decoded = decode(&made).unwrap();
            let wrapped = payload(&decoded).unwrap();
            assert_eq!(frame(&sent(destination, wrapped)), made);
            assert_eq!(
                (&wrapped[GZIP_PORTS], wrapped[GZIP_PROTOCOL]),
                (&[1, 2, 3, 4][..], 17)
            );
            let mut inflater = Inflater::new();
            assert_eq!(inflater.inflate(wrapped).unwrap().message, message);
        }
        let without = frame(&Message::DestroySession { session: 5 });
        assert_eq!(wrapper.wrap(&without, b"new"), None);
        assert_eq!(wrapper.wrap(b"", b"new"), None);
    }
}
