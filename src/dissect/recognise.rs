//! The protocol, as carriers are lent it.

use crate::carrier::detect::{Kind, Protocol, Sketch};
use crate::wire::{Destination, FrameType, HEADER_BYTES, looks_like_message};

/// The properties that distinguish our messages from those of other protocols.
pub(crate) const PROTOCOL: Protocol = Protocol {
    plausible: looks_like_message,
    recognise,
};

fn recognise(prefix: &[u8], length: usize) -> Option<Sketch> {
    if !looks_like_message(prefix, length) {
        return None;
    }
    let frame_type = FrameType(*prefix.first()?);
    let id = prefix.get(1..HEADER_BYTES).and_then(<[u8]>::first_chunk);
    let payload = prefix.get(HEADER_BYTES..).unwrap_or_default();
    let kind = match frame_type {
        FrameType::SYN if is_destination(payload, length) => Kind::Destination,
        FrameType::SYN => Kind::Opening,
        FrameType::ACK => match payload.first_chunk() {
            Some(server) => Kind::Accept { server: *server },
            None => Kind::Other,
        },
        FrameType::CLIENT_DATA => Kind::ClientData,
        FrameType::SERVER_DATA => Kind::ServerData,
        FrameType::CLIENT_CLOSE => Kind::ClientClose,
        FrameType::SERVER_CLOSE => Kind::ServerClose,
        _ => Kind::Idle,
    };
    Some(Sketch {
        kind,
        id: id.copied(),
    })
}

/// Whether a message of another protocol number on I2CP is ours all the same. A SYN is when it
/// carries a destination, without which nobody could answer it there.
pub(super) fn is_ours_on_i2cp(message: &[u8]) -> bool {
    let is_syn = message.first() == Some(&FrameType::SYN.0);
    let payload = message.get(HEADER_BYTES..).unwrap_or_default();
    looks_like_message(message, message.len()) && (!is_syn || Destination::split(payload).is_ok())
}

/// Whether a whole message is a SYN with a destination and nothing else.
pub(super) fn is_syn_with_destination(message: &[u8]) -> bool {
    let payload = message.get(HEADER_BYTES..).unwrap_or_default();
    message.first() == Some(&FrameType::SYN.0) && is_destination(payload, message.len())
}

/// Whether the whole payload is one destination and nothing else.
fn is_destination(payload: &[u8], length: usize) -> bool {
    payload.len() + HEADER_BYTES == length
        && Destination::split(payload).is_ok_and(|(_, trailing)| trailing.is_empty())
}
