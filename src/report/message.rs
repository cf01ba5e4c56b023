//! A message in one line, for messages sent and received by hand.

use crate::field::PREVIEW_BYTES;
use crate::text::escape::{Charset, escaped};
use crate::wire::{Destination, FrameType, HEADER_BYTES, RawFrame, RawMessage};

/// A message: its header in hex, its payload as text, or by name if it is a
/// destination in a SYN.
pub(crate) fn message_text(message: &[u8], charset: Charset) -> String {
    if let RawMessage::Frame(frame) = RawMessage::parse(message)
        && let Some(text) = syn_text(&frame)
    {
        return text;
    }
    let (header, payload) = message.split_at(message.len().min(HEADER_BYTES));
    let start = &payload[..payload.len().min(PREVIEW_BYTES)];
    let more = if payload.len() > start.len() {
        format!("{} ({} B)", charset.ellipsis(), payload.len())
    } else {
        String::new()
    };
    format!("{} {}{more}", hex::encode(header), escaped(start, charset))
}

/// A step of a script as it was written: a backslash in it stands for itself.
pub(crate) fn step_text(step: &str, charset: Charset) -> String {
    escaped(step.as_bytes(), charset).replace(r"\\", r"\")
}

fn syn_text(frame: &RawFrame<'_>) -> Option<String> {
    if frame.frame_type != FrameType::SYN {
        return None;
    }
    let (destination, rest) = Destination::split(frame.payload).ok()?;
    let then = match rest.len() {
        0 => String::new(),
        count => format!(" and {count} B"),
    };
    Some(format!(
        "{:02x}{} {} ({} B){then}",
        frame.frame_type.0,
        frame.id,
        destination.hash().to_b32_name(),
        destination.as_bytes().len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_as_it_was_written() {
        let step = "expect data $c = \"\\r\\n\u{1b}\"";
        let text = step_text(step, Charset::Ascii);
        assert_eq!(text, r#"expect data $c = "\r\n\x1b""#);
    }

    #[test]
    fn a_message_is_told_in_one_line_whatever_it_holds() {
        let destination = [7; 384].into_iter().chain([0; 3]);
        let syn: Vec<u8> = [0xa1, 1, 2, 3].into_iter().chain(destination).collect();
        let name = Destination::split(&syn[4..])
            .unwrap()
            .0
            .hash()
            .to_b32_name();
        for (message, text) in [
            (&b"\xff"[..], "ff ".to_owned()),
            (b"\xa1\x01\x02\x03key", "a1010203 key".to_owned()),
            (
                b"\x50\x01\x02\x03a\r\n\x1b",
                "50010203 a\\r\\n\\x1b".to_owned(),
            ),
            (&syn, format!("a1010203 {name} (387 B)")),
            (
                &[&syn[..], b"xy"].concat(),
                format!("a1010203 {name} (387 B) and 2 B"),
            ),
            (
                &[b'x'; 100],
                format!("78787878 {}... (96 B)", "x".repeat(64)),
            ),
        ] {
            assert_eq!(message_text(message, Charset::Ascii), text);
        }
    }
}
