//! `-T spec`: each conversation in the notation of the specification's samples.
//!
//! ```text
//! c1) refused, udp 127.0.0.1:40112 -> 127.0.0.1:9004
//!
//! C->S  A1 12 34 56 key... (SYN, client ID = 12 34 56)
//! S->C  52 12 34 56        (Close)
//! ```
//!
//! Conversations interleave, so each is kept, line by line of at most
//! `MAX_BYTES_SHOWN` bytes, until it is over. A message that comes later stands by itself:
//!
//! ```text
//! c1) later
//!
//! C->S  A0 12 34 56 data (Send data)
//! ```

use std::collections::BTreeMap;
use std::io;

use crate::conversation::{Conversation, ConversationId, Meaning, MessageEvent};
use crate::number_set::NumberSet;
use crate::record::Summary;
use crate::record::printer::{Notice, Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::text::write::{pad_to, put, put_address, put_conversation, put_display, put_number};
use crate::wire::{Direction, FrameKind, FrameType, PayloadShape, RawMessage, StreamId};

/// Lines that are kept of one conversation, and of the messages that belong to none.
pub const MAX_LINES: usize = 10_000;

/// Lines that are kept in all.
pub const MAX_LINES_HELD: usize = 1_000_000;

/// Payload bytes that a line shows where the notation has no word for them.
const MAX_BYTES_SHOWN: usize = 8;

/// Collects conversations and writes each when it is over.
#[derive(Debug, Default)]
pub struct SpecPrinter {
    open: BTreeMap<Option<ConversationId>, Block>,
    /// Conversations that were written.
    over: NumberSet,
    lines_held: usize,
}

#[derive(Debug, Default)]
struct Block {
    lines: Vec<Line>,
    left_out: u64,
}

/// The parts of a message that its line needs.
#[derive(Clone, Debug)]
struct Line {
    direction: Option<Direction>,
    header: Option<[u8; 4]>,
    payload_start: [u8; MAX_BYTES_SHOWN],
    payload_bytes: usize,
    closes: bool,
}

impl Block {
    fn put(&self, out: &mut Vec<u8>) {
        let bytes: Vec<String> = self.lines.iter().map(Line::bytes).collect();
        let width = bytes.iter().map(String::len).max().unwrap_or(0);
        for (line, bytes) in self.lines.iter().zip(&bytes) {
            put(
                out,
                match line.direction {
                    Some(Direction::ClientToServer) => "C->S  ",
                    Some(Direction::ServerToClient) => "S->C  ",
                    None => "?->?  ",
                },
            );
            put(out, bytes);
            pad_to(out, bytes, width);
            put(out, " (");
            put(out, &line.label());
            put(out, ")\n");
        }
        if self.left_out > 0 {
            put(out, "… ");
            put_number(out, self.left_out);
            put(out, " more messages\n");
        }
        out.push(b'\n');
    }
}

impl Line {
    fn of(event: &MessageEvent<'_>) -> Self {
        let (header, payload) = match event.message {
            RawMessage::Frame(frame) => (Some(frame.header()), frame.payload),
            RawMessage::Ping => (None, &[FrameType::CHAFF.0][..]),
            RawMessage::Short(bytes) => (None, bytes),
        };
        let mut payload_start = [0; MAX_BYTES_SHOWN];
        let shown = payload.len().min(MAX_BYTES_SHOWN);
        payload_start[..shown].copy_from_slice(&payload[..shown]);
        Self {
            direction: event.direction,
            header,
            payload_start,
            payload_bytes: payload.len(),
            closes: matches!(
                event.meaning,
                Meaning::Closes { .. } | Meaning::ClosesAgain | Meaning::Refuses { .. }
            ),
        }
    }

    fn frame_type(&self) -> Option<FrameType> {
        self.header.map(|[frame_type, ..]| FrameType(frame_type))
    }

    /// The message's bytes: `A1 12 34 56 key...`.
    fn bytes(&self) -> String {
        let mut text = self.header.map_or(String::new(), |header| spaced(&header));
        let payload = match self.frame_type().map(FrameType::kind) {
            _ if self.payload_bytes == 0 => return text,
            Some(FrameKind::Syn) => "key...".to_owned(),
            Some(FrameKind::Data) => "data".to_owned(),
            _ => self.payload_start_text(),
        };
        if !text.is_empty() {
            text.push(' ');
        }
        text + &payload
    }

    fn payload_start_text(&self) -> String {
        let shown = self.payload_bytes.min(MAX_BYTES_SHOWN);
        let text = spaced(&self.payload_start[..shown]);
        if self.payload_bytes > shown {
            text + "..."
        } else {
            text
        }
    }

    /// The words that the specification has for the message.
    fn label(&self) -> String {
        let Some(header) = self.header else {
            return match (self.payload_bytes, self.payload_start[0]) {
                (1, 0xff) => "ping".to_owned(),
                _ => "too short".to_owned(),
            };
        };
        let frame_type = FrameType(header[0]);
        match frame_type.kind() {
            FrameKind::Syn => format!("SYN, client ID = {}", spaced(&header[1..])),
            FrameKind::Ack if self.closes => "Close".to_owned(),
            _ if frame_type.payload_shape(self.payload_bytes) == PayloadShape::ServerId => {
                let id = &self.payload_start[..StreamId::BYTES];
                format!("ACK, server ID = {}", spaced(id))
            }
            FrameKind::Ack => "ACK".to_owned(),
            FrameKind::Data => "Send data".to_owned(),
            FrameKind::Close => "Close".to_owned(),
            FrameKind::Chaff => "chaff".to_owned(),
            FrameKind::Unknown => "unknown type".to_owned(),
        }
    }
}

/// `A1 12 34 56`
fn spaced(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(" ")
}

/// Appends messages of a conversation that has been written, or left out.
fn put_later(id: Option<ConversationId>, block: &Block, out: &mut Vec<u8>) {
    if let Some(id) = id {
        put_conversation(out, id);
        put(out, ") later\n\n");
        block.put(out);
    }
}

impl Printer for SpecPrinter {
    fn notice(&self) -> Notice {
        Notice::Comment
    }

    /// Keeps the message until its conversation is over; writes it when it was before.
    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(id) = event.conversation
            && self.over.contains(id.0)
        {
            let late = Block {
                lines: vec![Line::of(event)],
                left_out: 0,
            };
            put_later(Some(id), &late, out);
            return Ok(());
        }
        let block = self.open.entry(event.conversation).or_default();
        if block.lines.len() >= MAX_LINES || self.lines_held >= MAX_LINES_HELD {
            block.left_out += 1;
        } else {
            block.lines.push(Line::of(event));
            self.lines_held += 1;
        }
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation, out: &mut Vec<u8>) -> io::Result<()> {
        self.over.insert(conversation.id.0);
        let Some(block) = self.open.remove(&Some(conversation.id)) else {
            return Ok(());
        };
        self.lines_held -= block.lines.len();
        put_conversation(out, conversation.id);
        put(out, ") ");
        put_display(out, conversation.state);
        put(out, ", ");
        put(out, conversation.carrier.name());
        out.push(b' ');
        put_address(out, conversation.client.address);
        put(out, " -> ");
        put_address(out, conversation.server.address);
        put(out, "\n\n");
        block.put(out);
        Ok(())
    }

    /// Appends the messages that belong to no conversation, and those whose conversation was not
    /// shown because it was over before the first of them that is selected.
    fn finish(
        &mut self,
        _: &Totals,
        _: &Summary<'_>,
        out: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        if let Some(block) = self.open.remove(&None) {
            put(out.buffer, "no conversation\n\n");
            block.put(out.buffer);
        }
        for (id, block) in std::mem::take(&mut self.open) {
            put_later(id, &block, out.buffer);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Written, conversation, event};

    #[test]
    fn a_message_that_comes_behind_its_conversation_is_written_and_not_held() {
        let mut printer = SpecPrinter::default();
        let (told, mut out) = (event(b"\xa0\xff\xff\xffa"), Vec::new());
        printer.message(&told, Sight::First, &mut out).unwrap();
        printer.conversation(&conversation(1), &mut out).unwrap();
        let block = String::from_utf8(out.clone()).unwrap();
        let (_, line) = block.split_once("\n\n").unwrap();
        for _ in 0..2 {
            out.clear();
            printer.message(&told, Sight::First, &mut out).unwrap();
            assert_eq!(
                String::from_utf8_lossy(&out),
                format!("c1) later\n\n{line}")
            );
        }
        assert_eq!((printer.lines_held, printer.open.len()), (0, 0));
    }

    #[test]
    fn messages_whose_conversation_is_left_out_come_at_the_end() {
        let mut written = Written::by(SpecPrinter::default());
        written.message(&event(b"\xa0\xff\xff\xffa"));
        assert_eq!(written.text(), "");
        written.finish(&Totals::default(), &[]);
        assert_eq!(
            written.text(),
            "c1) later\n\nC->S  A0 FF FF FF data (Send data)\n\n"
        );
    }
}
