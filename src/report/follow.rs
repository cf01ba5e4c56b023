//! `-z follow,cN`: the data from both ends of a conversation, written as they come.

use std::io;

use super::hexdump::put_hexdump;
use super::style::{Style, TimeWriter};
use crate::conversation::{ConversationId, MessageEvent};
use crate::field::payload;
use crate::record::printer::{Notice, Printer};
use crate::record::tally::Sight;
use crate::text::escape::escape_lines;
use crate::text::write::{put, put_address, put_conversation, put_number};
use crate::wire::{Direction, FrameKind};

/// The form of the payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FollowFormat {
    /// As text, escaped.
    #[default]
    Text,
    /// As hex with the offset in the direction's stream.
    Hex,
    /// The bytes alone, of both directions, unescaped.
    Raw,
}

/// Writes the data of one conversation.
#[derive(Debug)]
pub struct FollowPrinter {
    conversation: ConversationId,
    format: FollowFormat,
    style: Style,
    times: TimeWriter,
    offsets: [u64; 2],
    began: bool,
}

impl FollowPrinter {
    /// Follows a conversation.
    pub const fn new(conversation: ConversationId, format: FollowFormat, style: Style) -> Self {
        Self {
            conversation,
            format,
            style,
            times: TimeWriter::new(style.times),
            offsets: [0; 2],
            began: false,
        }
    }

    fn put_heading(&mut self, event: &MessageEvent<'_>, out: &mut Vec<u8>) {
        if !self.began {
            self.began = true;
            let (client, server) = match event.direction {
                Some(Direction::ServerToClient) => (event.target, event.source),
                Some(Direction::ClientToServer) | None => (event.source, event.target),
            };
            put_conversation(out, self.conversation);
            put(out, "  client ");
            put_address(out, client);
            put(out, "  server ");
            put_address(out, server);
            put(out, "  ");
            put(out, event.carrier.name());
            out.push(b'\n');
        }
        let (arrow, colour) = match event.direction {
            Some(Direction::ServerToClient) => (
                self.style.charset.left_arrow(),
                self.style.colour(super::grid::Colour::Cyan),
            ),
            Some(Direction::ClientToServer) | None => (
                self.style.charset.right_arrow(),
                self.style.colour(super::grid::Colour::Green),
            ),
        };
        let mut heading = Vec::new();
        put_conversation(&mut heading, self.conversation);
        heading.push(b' ');
        put(&mut heading, arrow);
        heading.push(b' ');
        self.times.put(event, &mut heading);
        put(&mut heading, "  ");
        put_number(&mut heading, payload(&event.message).len());
        put(&mut heading, " B");
        colour.put(out, &heading);
        out.push(b'\n');
    }
}

impl Printer for FollowPrinter {
    fn notice(&self) -> Notice {
        match self.format {
            FollowFormat::Text | FollowFormat::Hex => Notice::Line,
            FollowFormat::Raw => Notice::Nowhere,
        }
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(frame) = event.message.frame() else {
            return Ok(());
        };
        if event.conversation != Some(self.conversation)
            || frame.frame_type.kind() != FrameKind::Data
        {
            return Ok(());
        }
        if self.format == FollowFormat::Raw {
            out.extend_from_slice(frame.payload);
            return Ok(());
        }
        self.put_heading(event, out);
        match self.format {
            FollowFormat::Hex => {
                let sender = usize::from(event.direction == Some(Direction::ServerToClient));
                put_hexdump(out, frame.payload, self.offsets[sender], "");
                self.offsets[sender] += frame.payload.len() as u64;
            }
            FollowFormat::Text | FollowFormat::Raw => {
                escape_lines(frame.payload, self.style.charset, out);
                if !frame.payload.ends_with(b"\n") {
                    out.push(b'\n');
                }
            }
        }
        Ok(())
    }
}
