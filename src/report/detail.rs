//! `-V` and `-x`: everything about a message, with the place of each field.

use std::io;

use super::hexdump::put_hexdump;
use super::lines::TextPrinter;
use super::style::{Style, put_duration};
use super::table::put_type;
use crate::conversation::{Level, MessageEvent};
use crate::field::highest_level;
use crate::record::printer::{Notice, Printer};
use crate::record::tally::Sight;
use crate::text::escape::escape_lines;
use crate::text::wrap::put_wrapped;
use crate::text::write::{
    put, put_address, put_conversation, put_display, put_number, put_seconds,
};
use crate::wire::{
    Destination, Direction, FrameType, HEADER_BYTES, PayloadShape, RawFrame, RawMessage,
};

/// Bytes of a key that are shown.
const KEY_PREVIEW_BYTES: usize = 8;

/// The parts of a message that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// The fields as a tree (`-V`).
    Tree,
    /// A line, and the bytes (`-x`).
    Hex,
    /// The tree, and the bytes.
    TreeAndHex,
}

/// Writes messages with their fields or bytes.
#[derive(Debug)]
pub struct DetailPrinter {
    details: Details,
    style: Style,
    lines: TextPrinter,
    tree: Vec<u8>,
}

impl DetailPrinter {
    /// A printer of these details.
    pub const fn new(details: Details, style: Style) -> Self {
        Self {
            details,
            style,
            lines: TextPrinter::new(style),
            tree: Vec::new(),
        }
    }

    /// Appends a message.
    pub(crate) fn put(&mut self, event: &MessageEvent<'_>, out: &mut Vec<u8>) {
        match self.details {
            Details::Hex => self.lines.put_line(event, out),
            Details::Tree | Details::TreeAndHex => {
                self.tree.clear();
                put_tree(event, &self.style, &mut self.tree);
                let tree = String::from_utf8_lossy(&self.tree);
                put_wrapped(&tree, self.style.width, out);
            }
        }
        match self.details {
            Details::Tree => {}
            Details::Hex | Details::TreeAndHex => put_message_hex(event, out),
        }
    }
}

/// Appends the fields of a message as a tree; offsets count from the start of the message.
fn put_tree(event: &MessageEvent<'_>, style: &Style, out: &mut Vec<u8>) {
    put(out, "message ");
    put_number(out, event.number);
    put(out, ": ");
    put_type(&event.message, out);
    put(out, ", ");
    put_number(out, event.message.message_bytes());
    put(out, " bytes\n  packet ");
    put_number(out, event.packet);
    put(out, ", ");
    put_display(out, event.time);
    put(out, ", ");
    put_seconds(out, event.elapsed_us, 6);
    put(out, " s\n  ");
    put(out, event.carrier.name());
    put(out, ", ");
    put_address(out, event.source);
    out.push(b' ');
    put(out, style.charset.right_arrow());
    out.push(b' ');
    put_address(out, event.target);
    if !event.encapsulation.is_none() {
        put(out, ", encapsulation ");
        put_display(out, event.encapsulation);
    }
    put_session(event, style, out);
    put_place(event, style, out);
    match event.message {
        RawMessage::Frame(frame) => put_frame(&frame, style, out),
        RawMessage::Ping => put(out, "  0000  the single byte 0xff\n"),
        RawMessage::Short(bytes) => put_hexdump(out, bytes, 0, "  "),
    }
    for finding in event.findings {
        put(out, "  ");
        let colour = style.colour_of_level(Some(finding.level));
        colour.put(out, finding.level.name());
        out.push(b' ');
        put(out, finding.code.code());
        put(out, ": ");
        put(out, &style.escaped(&finding.text));
        out.push(b'\n');
    }
}

fn put_session(event: &MessageEvent<'_>, style: &Style, out: &mut Vec<u8>) {
    if let Some(session) = event.session {
        put(out, ", session");
        if let Some(wire_id) = session.wire_id {
            out.push(b' ');
            put_number(out, wire_id);
        }
        if let Some(nickname) = &session.nickname {
            put(out, " (");
            put(out, &style.escaped(nickname));
            put(out, ")");
        }
    }
    if let Some(nanos) = event.router_ns {
        put(out, ", ");
        put_duration(out, nanos, style.charset);
        put(out, " in the router");
    }
    out.push(b'\n');
}

fn put_place(event: &MessageEvent<'_>, style: &Style, out: &mut Vec<u8>) {
    put(out, "  ");
    match event.conversation {
        Some(id) => put_conversation(out, id),
        None => put(out, "no conversation"),
    }
    put(out, ", ");
    put(
        out,
        match event.direction {
            Some(Direction::ClientToServer) => "client to server",
            Some(Direction::ServerToClient) => "server to client",
            None => "direction unknown",
        },
    );
    put(out, ": ");
    let worst = highest_level(event.findings).filter(|&level| level > Level::Note);
    let text = event.meaning.kind().name().replace('_', " ");
    style.colour_of_level(worst).put(out, &text);
    out.push(b'\n');
}

fn put_frame(frame: &RawFrame<'_>, style: &Style, out: &mut Vec<u8>) {
    put(out, "  0000  type     0x");
    put_display(out, format_args!("{:02x}", frame.frame_type.0));
    out.push(b' ');
    put(out, frame.frame_type.name().unwrap_or("unknown"));
    put(out, "\n  0001  id       ");
    style.put_id(frame.id, out);
    out.push(b'\n');
    match frame.payload_shape() {
        PayloadShape::Key => put_syn(frame.payload, style, out),
        PayloadShape::ServerId => {
            put(out, "  0004  server   ");
            put_display(out, hex::encode(frame.payload));
            out.push(b'\n');
        }
        _ => put_payload(frame.payload, style, out),
    }
}

fn put_syn(payload: &[u8], style: &Style, out: &mut Vec<u8>) {
    let Ok((destination, trailing)) = Destination::split(payload) else {
        return put_payload(payload, style, out);
    };
    let bytes = destination.as_bytes();
    put(out, "  0004  destination, ");
    put_number(out, bytes.len());
    put(out, " bytes\n          hash      ");
    put_display(out, destination.hash());
    put(out, "\n          name      ");
    put(out, &destination.hash().to_b32_name());
    out.push(b'\n');
    let (padding, signing) = destination.signing_key();
    let algorithm = match destination.signature_type() {
        known if known.name().is_some() => known.name().unwrap_or_default().to_owned(),
        unknown => format!("type {}", unknown.0),
    };
    // KeysAndCert of the I2P common structures: 256 bytes for the encryption key, 128 in which the
    // signing key stands at the end, behind padding, and then the certificate.
    let mut at = HEADER_BYTES;
    for (field, name, note) in [
        (&bytes[..256], "encryption", ""),
        (padding, "padding", ""),
        (signing, "signing", &*algorithm),
    ] {
        if !field.is_empty() {
            let separator = if note.is_empty() { "" } else { ", " };
            let length = field.len();
            put_display(
                out,
                format_args!("    {at:04x}  {name:<11} {note}{separator}{length} bytes, "),
            );
            put(out, &hex::encode(&field[..length.min(KEY_PREVIEW_BYTES)]));
            put(out, style.charset.ellipsis());
            out.push(b'\n');
        }
        at += field.len();
    }
    let certificate = &bytes[256 + 128..];
    put_display(
        out,
        format_args!(
            "    {:04x}  certificate {}\n",
            HEADER_BYTES + 256 + 128,
            hex::encode(certificate)
        ),
    );
    if !trailing.is_empty() {
        let at = HEADER_BYTES + bytes.len();
        let length = trailing.len();
        put_display(out, format_args!("  {at:04x}  trailing, {length} bytes\n"));
    }
}

fn put_payload(payload: &[u8], style: &Style, out: &mut Vec<u8>) {
    if payload.is_empty() {
        return;
    }
    put(out, "  0004  payload, ");
    put_number(out, payload.len());
    put(out, " bytes\n");
    for line in payload
        .split_inclusive(|&byte| byte == b'\n')
        .take(MAX_TEXT_LINES)
    {
        put(out, "        ");
        let shown = &line[..line.len().min(MAX_LINE_BYTES)];
        escape_lines(shown, style.charset, out);
        if shown.len() < line.len() {
            put(out, style.charset.ellipsis());
        }
        if out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
    }
}

/// Lines of a payload that the tree shows; `-x` shows all bytes.
const MAX_TEXT_LINES: usize = 16;

/// Bytes of each such line.
const MAX_LINE_BYTES: usize = 256;

/// Appends the whole message as hex.
fn put_message_hex(event: &MessageEvent<'_>, out: &mut Vec<u8>) {
    let mut message = Vec::new();
    match event.message {
        RawMessage::Frame(frame) => frame.encode(&mut message),
        RawMessage::Ping => message.push(FrameType::CHAFF.0),
        RawMessage::Short(bytes) => message.extend_from_slice(bytes),
    }
    put_hexdump(out, &message, 0, "  ");
}

impl Printer for DetailPrinter {
    fn notice(&self) -> Notice {
        Notice::Comment
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        self.put(event, out);
        Ok(())
    }
}
