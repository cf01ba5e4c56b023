//! Ladders: a conversation as a picture of its messages in order.
//!
//! A `Ladder` has the contents: the lanes, and the rows from top to bottom. `text`, `mermaid` and
//! `svg` draw them. The two views that a router's connections give of one conversation make one
//! ladder of three lanes.

mod build;
mod mermaid;
pub(crate) mod message_log;
mod printer;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use build::{View, info, label};
pub use printer::{DrawnConversations, LadderFormat, LadderPrinter};
#[cfg(feature = "endpoints")]
pub(crate) use svg::{COLUMN_TENTHS, fitted, put_stroke, put_words};
pub(crate) use svg::{Container, STYLE, put_svg};

use super::grid::Colour;
use super::style::{Style, put_duration};
use crate::conversation::{Conversation, Level};
use crate::text::write::{put, put_conversation, put_display, text_of};
use crate::wire::StreamId;

/// Messages that a ladder holds; further ones are counted.
pub const MAX_MESSAGES: usize = 10_000;

/// Messages that are held of all conversations that are not over.
pub const MAX_MESSAGES_HELD: usize = 200_000;

/// Silence of this many nanoseconds or more is folded into a row of its own.
pub const IDLE_NS: i64 = 100_000_000;

/// A picture of a conversation, as seen on one connection or on both sides of a router.
#[derive(Debug)]
pub(crate) struct Ladder<'a> {
    /// The conversation as the first view, the client's, has it.
    pub(crate) conversation: &'a Conversation,
    /// The server's view, where there is one.
    pub(crate) peer: Option<&'a Conversation>,
    /// From left to right: two, or three with a router between them.
    pub(crate) lanes: Vec<Lane>,
    /// From top to bottom.
    pub(crate) rows: Vec<Row>,
    /// Messages that are not among the rows.
    pub(crate) messages_left_out: u64,
    /// Findings that are not among the rows.
    pub(crate) findings_left_out: u64,
}

/// A participant.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Its role: `client`, `router`, `server`.
    pub(crate) role: &'static str,
    /// Its name or address, escaped.
    pub(crate) name: String,
}

/// One step down the ladder.
#[derive(Debug)]
pub(crate) enum Row {
    /// A message.
    Arrow(Arrow),
    /// Silence, in nanoseconds.
    Idle(i64),
    /// A finding, below the message that showed it.
    Note(Note),
}

/// A message.
#[derive(Debug)]
pub(crate) struct Arrow {
    /// Its number in the dissection.
    pub(crate) number: u64,
    /// The lane that it comes from.
    pub(crate) from: usize,
    /// The lane next to it that it goes to.
    pub(crate) to: usize,
    /// Whether its direction is known.
    pub(crate) heading: Heading,
    /// Its type as the JSON records name it.
    pub(crate) type_name: &'static str,
    /// The colour of its type on a terminal.
    pub(crate) colour: Colour,
    /// Its time, in the style that was asked for.
    pub(crate) time: String,
    /// Nanoseconds since the message above it, unless they are folded.
    pub(crate) since_ns: Option<i64>,
    /// Type, ids and length: `DATA ffffff  27 B`.
    pub(crate) label: String,
    /// Its meaning, or the beginning of its payload; escaped.
    pub(crate) info: String,
}

/// Whether the direction of a message is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    /// It is.
    Known,
    /// Neither the type nor the sender says.
    Unknown,
}

/// A finding.
#[derive(Debug)]
pub(crate) struct Note {
    /// Its severity.
    pub(crate) level: Level,
    /// Code and text, escaped: `ms.orphan_id: …`.
    pub(crate) text: String,
}

/// `c1  111111/ffffff  server closed, udp, 206 ms`
pub(crate) fn title(ladder: &Ladder<'_>, style: &Style) -> String {
    let conversation = ladder.conversation;
    text_of(|out| {
        put_conversation(out, conversation.id);
        if let Some(peer) = ladder.peer {
            put(out, " and ");
            put_conversation(out, peer.id);
        }
        put(out, "  ");
        put_id_or_dash(conversation.client_id.map(StreamId::from), style, out);
        out.push(b'/');
        put_id_or_dash(conversation.server_id.map(StreamId::from), style, out);
        put(out, "  ");
        put_display(out, conversation.state);
        put(out, ", ");
        put(out, conversation.carrier.name());
        put(out, ", ");
        put_duration(out, conversation.duration_ns(), style.charset);
    })
}

fn put_id_or_dash(id: Option<StreamId>, style: &Style, out: &mut Vec<u8>) {
    match id {
        Some(id) => style.put_id(id, out),
        None => out.push(b'-'),
    }
}

/// Remarks on a ladder besides its rows: the parts that it leaves out, and the redacted ones.
pub(crate) fn remarks(ladder: &Ladder<'_>, style: &Style) -> impl Iterator<Item = String> {
    let notice = style.redacted.notice().map(str::to_owned);
    left_out(ladder).into_iter().chain(notice)
}

/// `3 more messages and 1 more finding not drawn`, if there are any.
pub(crate) fn left_out(ladder: &Ladder<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for (count, one, many) in [
        (ladder.messages_left_out, "message", "messages"),
        (ladder.findings_left_out, "finding", "findings"),
    ] {
        if count > 0 {
            parts.push(format!(
                "{count} more {}",
                if count == 1 { one } else { many }
            ));
        }
    }
    if parts.is_empty() {
        return None;
    }
    Some(format!("{} not drawn", parts.join(" and ")))
}
