//! The notation of the specification's samples, as `ministream-dump -T spec` writes it.
//!
//! ```text
//! C->S  A1 12 34 56 key... (SYN, client ID = 12 34 56)
//! S->C  51 12 34 56 98 76 54
//! ```
//!
//! The client's messages are sent, and so are those of unknown senders (`?->?`: pings and the
//! like); the server's are expected, but for its pings and chaff, which come at any time. The id
//! that an ACK hands out stands for the one that the live server chooses. The words of the notation
//! have no bytes: `key...` is our destination; any other word is sent as it is, and stands for any
//! bytes where it is expected.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;

use super::script::{Action, Expect, Expected, Id, Payload, Want};
use super::text::{Read, fail, skip};
use crate::wire::{FrameKind, FrameType, IdOwner, PayloadShape, RawFrame, ServerId, StreamId};

/// Time for an expected message.
const WITHIN: Duration = Duration::from_secs(5);

/// Whether a line is the heading of a conversation: `c1) refused, …`.
pub(super) fn is_heading(line: &str) -> bool {
    let line = line.trim();
    let names = |name: &str| {
        (1..=12).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    line == "no conversation"
        || line
            .split_once(')')
            .is_some_and(|(name, rest)| names(name) && rest.starts_with(' '))
}

/// Whether a line is a message of the notation.
pub(super) fn is_message(line: &str) -> bool {
    let line = skip(line);
    ["C->S", "S->C", "?->?", "…"]
        .iter()
        .any(|arrow| line.starts_with(arrow))
}

/// Reads a line.
pub(super) fn line(input: &str) -> Read<'_, Option<Action>> {
    let start = skip(input);
    let ours = start
        .strip_prefix("C->S")
        .or_else(|| start.strip_prefix("?->?"));
    match (ours, start.strip_prefix("S->C")) {
        (Some(rest), _) => sent(rest),
        (None, Some(rest)) => expected(rest),
        (None, None) => fail(start, "messages were left out here when this was written"),
    }
}

/// A message as it is written.
struct Written<'a> {
    header: Option<(FrameType, StreamId)>,
    /// Bytes that are written as such.
    bytes: Vec<u8>,
    /// The word that stands for bytes.
    word: Option<&'a str>,
}

/// Reads bytes, and the word behind them, up to the remark.
fn written(input: &str) -> Read<'_, Written<'_>> {
    let start = skip(input);
    let text = without_remark(start);
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = next_byte(rest) {
        bytes.push(byte);
        rest = after;
    }
    let word = Some(rest.trim()).filter(|word| !word.is_empty());
    if bytes.is_empty() {
        return fail(start, "a message begins with bytes, as in A1 12 34 56");
    }
    let header = match bytes[..] {
        [frame_type, a, b, c, ..] => {
            bytes.drain(..4);
            Some((FrameType(frame_type), StreamId([a, b, c])))
        }
        _ if word.is_some() => return fail(start, "a type and an id are four bytes"),
        _ => None,
    };
    Ok((
        "",
        Written {
            header,
            bytes,
            word,
        },
    ))
}

fn next_byte(text: &str) -> Option<(u8, &str)> {
    let text = text.trim_start_matches(' ');
    let digits = text.get(..2)?;
    let rest = &text[2..];
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    (rest.is_empty() || rest.starts_with([' ', '.'])).then_some((byte[0], rest))
}

/// The message without remarks: they stand in parentheses, or behind two spaces.
fn without_remark(text: &str) -> &str {
    let end = text.find(" (").into_iter().chain(text.find("  ")).min();
    end.map_or(text, |end| &text[..end])
}

fn sent(input: &str) -> Read<'_, Option<Action>> {
    let (rest, message) = written(input)?;
    let Some((frame_type, id)) = message.header else {
        return Ok((rest, Some(Action::Raw(message.bytes.into()))));
    };
    let payload = match message.word {
        Some("key...") => Payload::Destination { then: Bytes::new() },
        Some(word) => {
            if word.starts_with("...") {
                return fail(
                    skip(input),
                    "only the beginning of this payload is written here",
                );
            }
            Payload::Bytes([&message.bytes, word.as_bytes()].concat().into())
        }
        None => Payload::Bytes(message.bytes.into()),
    };
    let action = Action::Send {
        frame_type,
        id: match (frame_type.kind(), frame_type.id_owner()) {
            // An unknown type is sent as it is written.
            (FrameKind::Unknown, _) => Id::Literal(id),
            (_, Some(IdOwner::Server)) => Id::Variable(server_variable(id)),
            (_, Some(IdOwner::Client) | None) => Id::Literal(id),
        },
        payload,
    };
    Ok((rest, Some(action)))
}

fn expected(input: &str) -> Read<'_, Option<Action>> {
    let (rest, message) = written(input)?;
    let (frame_type, id) = match message.header {
        Some((FrameType::CHAFF, _)) => return Ok((rest, None)),
        None if message.bytes == [FrameType::CHAFF.0] => return Ok((rest, None)),
        Some(header) => header,
        None => return fail(skip(input), "a message without an id cannot be expected"),
    };
    let mut expect = Expect {
        expected: Expected::Type(frame_type),
        id: Id::Literal(id),
        bind: None,
        want: Want::Anything,
        within: WITHIN,
    };
    let frame = RawFrame {
        frame_type,
        id,
        payload: &message.bytes,
    };
    match (frame.payload_shape(), frame.announced_id()) {
        (_, Some(ServerId(id))) => expect.bind = Some(server_variable(id)),
        (PayloadShape::NoServerId, _) => expect.expected = Expected::Close,
        _ if frame_type.kind() == FrameKind::Close => expect.expected = Expected::Close,
        _ if message.word.is_some_and(|word| word.starts_with("...")) => {
            expect.want = Want::Prefix(message.bytes.into());
        }
        _ if message.word.is_none() => expect.want = Want::Exactly(Bytes::from(message.bytes)),
        _ => {}
    }
    Ok((rest, Some(Action::Expect(expect))))
}

/// A server id that no ACK before this line hands out is sent as it is written:
/// it is one that the recorded server did not know either.
pub(super) fn write_out_server_id(action: &mut Action, bound: &HashSet<String>) {
    if let Action::Send { id, .. } = action
        && let Id::Variable(name) = &*id
        && !bound.contains(name)
        && let Some(written) = name.strip_prefix(SERVER_VARIABLE)
        && let Ok(written) = written.parse()
    {
        *id = Id::Literal(written);
    }
}

/// No step can name a variable like that.
const SERVER_VARIABLE: &str = "server id ";

/// The variable that stands for a server id of the notation.
fn server_variable(id: StreamId) -> String {
    format!("{SERVER_VARIABLE}{id}")
}
