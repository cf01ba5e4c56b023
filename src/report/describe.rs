//! The meaning of a message, in a line for people.

use super::style::{Style, put_duration};
use crate::conversation::{AFTER_CLOSE, FindingCode, Level, Meaning, MessageEvent};
use crate::field::{PayloadDetail, highest_level, payload};
use crate::text::escape::{escape, preview};
use crate::text::write::{put, put_conversation, put_display, put_number};
use crate::wire::{Direction, FrameType, RawMessage};

/// Appends the meaning of `event`: `server id ffffff, 4.0 ms`. Begins with `!` where a finding is
/// worse than a note.
pub(crate) fn put_info(event: &MessageEvent<'_>, style: &Style, out: &mut Vec<u8>) {
    if highest_level(event.findings) >= Some(Level::Warn) {
        put(out, "! ");
        put_problem(event, style, out);
    } else {
        put_meaning(event, style, out);
    }
}

fn put_problem(event: &MessageEvent<'_>, style: &Style, out: &mut Vec<u8>) {
    let Some(worst) = event
        .findings
        .iter()
        .max_by_key(|finding| (finding.level, std::cmp::Reverse(finding.code)))
    else {
        return;
    };
    match (worst.code, event.message) {
        (FindingCode::UnknownType, RawMessage::Frame(frame)) => {
            put(out, "unknown type ");
            put_display(out, frame.frame_type);
        }
        (FindingCode::OrphanId, RawMessage::Frame(frame)) => {
            put(out, "orphan: no such ");
            put(out, owner_of_id(frame.frame_type));
            put(out, " id");
        }
        (FindingCode::TooShort, _) => {
            put(out, "too short: ");
            put_number(out, event.message.message_bytes());
            put(out, " of 4 bytes");
        }
        _ => put(out, &style.escaped(&worst.text)),
    }
    if worst.code == FindingCode::UnknownType && worst.text.ends_with(AFTER_CLOSE) {
        put(out, AFTER_CLOSE);
    }
}

fn owner_of_id(frame_type: FrameType) -> &'static str {
    match frame_type.direction() {
        Some(Direction::ServerToClient) => "client",
        Some(Direction::ClientToServer) => "server",
        None => "connection",
    }
}

fn put_meaning(event: &MessageEvent<'_>, style: &Style, out: &mut Vec<u8>) {
    match event.meaning {
        Meaning::Opens => {
            put(out, "opens ");
            put_name(event, out);
            if let Some(hash) = event.destination_hash {
                put(out, ", destination ");
                put(out, &style.short_hash(hash));
            }
        }
        Meaning::Accepts {
            server_id,
            handshake_ns,
        } => {
            put(out, "server id ");
            style.put_id(server_id.0, out);
            if let Some(nanos) = handshake_ns {
                put(out, ", ");
                put_duration(out, nanos, style.charset);
            }
        }
        Meaning::Refuses { handshake_ns } => {
            put(out, "refused, ");
            put_duration(out, handshake_ns, style.charset);
        }
        Meaning::Carries | Meaning::Untracked => put_payload(payload(&event.message), style, out),
        Meaning::Closes { by } => {
            put(out, role(by));
            put(out, " closed ");
            put_name(event, out);
        }
        Meaning::ClosesAgain => {
            put_name(event, out);
            put(out, " was closed already");
        }
        Meaning::Ignored => put(out, "without effect"),
        Meaning::Orphan => put(out, "orphan"),
        Meaning::Idle => put_idle(&event.message, out),
        Meaning::Meaningless => put(out, "without meaning"),
    }
    if event
        .findings
        .iter()
        .any(|finding| finding.code == FindingCode::DataAfterClose)
    {
        put(out, AFTER_CLOSE);
    }
}

const fn role(direction: Direction) -> &'static str {
    match direction {
        Direction::ClientToServer => "client",
        Direction::ServerToClient => "server",
    }
}

fn put_name(event: &MessageEvent<'_>, out: &mut Vec<u8>) {
    match event.conversation {
        Some(id) => put_conversation(out, id),
        None => put(out, "a conversation"),
    }
}

fn put_idle(message: &RawMessage<'_>, out: &mut Vec<u8>) {
    match message {
        RawMessage::Frame(frame) => {
            put(out, "chaff, ");
            put_number(out, frame.payload.len());
            put(out, " bytes to be ignored");
        }
        RawMessage::Ping | RawMessage::Short(_) => put(out, "single 0xff byte"),
    }
}

/// Appends as much of a payload as is wanted.
fn put_payload(payload: &[u8], style: &Style, out: &mut Vec<u8>) {
    match style.payload {
        PayloadDetail::None => {}
        PayloadDetail::Preview => preview(payload, style.charset, style.previews, out),
        PayloadDetail::Full => escape(payload, style.charset, out),
    }
}
