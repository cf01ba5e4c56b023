//! The texts of findings about a message.

use super::finding::{DetailName, FindingCode, FindingDetail, Level};
use super::id::ConversationId;
use super::id_table::Space;
use super::remarks::{Words, number};
use super::state::ConversationState;
use crate::carrier::Carrier;
use crate::wire::{
    DestinationError, Direction, MAX_DATA_PAYLOAD_BYTES, MAX_MESSAGE_BYTES, RawFrame, RawMessage,
    StreamId,
};

pub(super) fn ping() -> Words {
    ("single 0xff byte".to_owned(), Vec::new())
}

pub(super) fn too_short(bytes: &[u8]) -> Words {
    let text = format!("{} bytes are no message", bytes.len());
    (text, vec![(DetailName::MessageBytes, number(bytes.len()))])
}

pub(super) fn chaff(message: &RawMessage<'_>) -> Words {
    let text = format!("chaff of {} bytes", message.message_bytes());
    (text, Vec::new())
}

pub(super) fn zero_id(frame: &RawFrame<'_>) -> Words {
    let text = format!("{} uses 000000, which is reserved", frame.frame_type);
    (text, Vec::new())
}

pub(super) fn oversize(message: &RawMessage<'_>, frame: &RawFrame<'_>) -> Words {
    let message_bytes = message.message_bytes();
    let (limit, text) = if message_bytes > MAX_MESSAGE_BYTES {
        (
            MAX_MESSAGE_BYTES,
            format!(
                "{message_bytes} bytes; the reference implementation accepts {MAX_MESSAGE_BYTES}"
            ),
        )
    } else {
        (
            MAX_DATA_PAYLOAD_BYTES,
            format!(
                "{} bytes of data; the reference implementation sends at most {MAX_DATA_PAYLOAD_BYTES}",
                frame.payload.len()
            ),
        )
    };
    let detail = vec![
        (DetailName::MessageBytes, number(message_bytes)),
        (DetailName::LimitBytes, number(limit)),
    ];
    (text, detail)
}

pub(super) fn bad_destination(
    carrier: Carrier,
    frame: &RawFrame<'_>,
    error: &DestinationError,
) -> Words {
    let text = match carrier {
        Carrier::I2cp => error.to_string(),
        _ => format!("not an I2P destination: {error}"),
    };
    let detail = vec![(DetailName::PayloadBytes, number(frame.payload.len()))];
    (text, detail)
}

pub(super) fn id_reuse(space: &str, id: StreamId, other: ConversationId) -> Words {
    let text = format!("{space} id {id} is announced again while {other} uses it");
    let detail = vec![
        (DetailName::Id, FindingDetail::Text(id.to_string())),
        (
            DetailName::OtherConv,
            FindingDetail::Text(other.to_string()),
        ),
    ];
    (text, detail)
}

pub(super) fn wrong_direction(
    frame: &RawFrame<'_>,
    id: ConversationId,
    sender: Direction,
) -> Words {
    let (sender, owner) = match sender {
        Direction::ClientToServer => ("client", "server"),
        Direction::ServerToClient => ("server", "client"),
    };
    let text = format!(
        "the {sender} of {id} sends type {:#04x}, which is the {owner}'s",
        frame.frame_type.0
    );
    (
        text,
        vec![(DetailName::Id, FindingDetail::Text(frame.id.to_string()))],
    )
}

pub(super) fn orphan(space: Space, id: StreamId, level: Level) -> Words {
    let owner = match space {
        Space::Client => "client",
        Space::Server => "server",
    };
    let doubt = match level {
        Level::Note => "; it may be one that was forgotten for want of memory",
        Level::Warn | Level::Error => "",
    };
    let text = format!("no conversation has {owner} id {id}{doubt}");
    (
        text,
        vec![(DetailName::Id, FindingDetail::Text(id.to_string()))],
    )
}

pub(super) fn transition(
    code: FindingCode,
    frame: &RawFrame<'_>,
    id: ConversationId,
    before: ConversationState,
) -> Words {
    let payload_bytes = frame.payload.len();
    let text = match code {
        FindingCode::DataBeforeAck => format!("{payload_bytes} bytes before the ACK of {id}"),
        FindingCode::DataAfterClose => {
            format!("{} for {id}, which is {before}", frame.frame_type)
        }
        FindingCode::AckDuplicate => format!("{id} was acknowledged before"),
        FindingCode::AckEmpty => format!("ACK without server id, read as the close of {id}"),
        _ => format!("ACK carries {payload_bytes} bytes instead of a 3-byte server id"),
    };
    (
        text,
        vec![(DetailName::PayloadBytes, number(payload_bytes))],
    )
}
