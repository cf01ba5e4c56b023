//! One line a message: `-T text`, `-T fields` and `-T csv`.

use std::io;

use super::describe::put_info;
use super::style::{PREVIEW_COLUMNS, Style, TimeWriter};
use super::table::put_type;
use crate::conversation::MessageEvent;
use crate::field::{Field, FieldKind, PayloadDetail, Value, payload};
use crate::record::printer::{HeaderContext, Notice, Printer};
use crate::record::put_preview;
use crate::record::tally::Sight;
use crate::text::escape::{Charset, columns_of_bytes, escape};
use crate::text::write::{
    UtcClock, put, put_address, put_conversation, put_display, put_hex, put_id, put_number,
};

/// Writes a line for people and grep: number, time, conversation, addresses,
/// carrier, type, id, payload length, meaning.
#[derive(Debug)]
pub struct TextPrinter {
    style: Style,
    times: TimeWriter,
    type_text: Vec<u8>,
}

impl TextPrinter {
    /// A printer of lines.
    pub const fn new(style: Style) -> Self {
        Self {
            style,
            times: TimeWriter::new(style.times),
            type_text: Vec::new(),
        }
    }

    /// Appends the line of a message.
    pub(super) fn put_line(&mut self, event: &MessageEvent<'_>, out: &mut Vec<u8>) {
        let style = &self.style;
        let line = out.len();
        let start = line;
        put_number(out, event.number);
        align_right(out, start, 5);
        out.push(b' ');
        let start = out.len();
        self.times.put(event, out);
        align_right(out, start, 10);
        out.push(b' ');
        match event.conversation {
            Some(id) => put_conversation(out, id),
            None => out.push(b'-'),
        }
        out.push(b' ');
        put_address(out, event.source);
        out.push(b' ');
        put(out, style.charset.right_arrow());
        out.push(b' ');
        put_address(out, event.target);
        out.push(b' ');
        put(out, event.carrier.name());
        out.push(b' ');
        put(
            out,
            event.direction.map_or("-", |direction| direction.name()),
        );
        out.push(b' ');
        self.type_text.clear();
        put_type(&event.message, &mut self.type_text);
        let before_type = columns_of_bytes(&out[line..]);
        style
            .colour_of_type(&event.message)
            .put(out, &self.type_text);
        let behind_type = out.len();
        out.push(b' ');
        match event.message.frame() {
            Some(frame) => style.put_id(frame.id, out),
            None => out.push(b'-'),
        }
        out.push(b' ');
        put_number(out, payload(&event.message).len());
        out.push(b' ');
        let used = before_type + self.type_text.len() + columns_of_bytes(&out[behind_type..]);
        let style = Style {
            previews: style.previews.saturating_sub(used).max(PREVIEW_COLUMNS),
            ..*style
        };
        put_info(event, &style, out);
        while out.last() == Some(&b' ') {
            out.pop();
        }
        out.push(b'\n');
    }
}

/// Moves the text from `start` on to the right end of `columns` columns.
fn align_right(out: &mut Vec<u8>, start: usize, columns: usize) {
    let missing = columns.saturating_sub(out.len() - start);
    out.splice(start..start, std::iter::repeat_n(b' ', missing));
}

/// The separation of a line's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separation {
    /// Tabs, no heading (`-T fields`).
    Tabs,
    /// Commas and quotes after RFC 4180, with a heading (`-T csv`).
    Commas,
}

/// Writes chosen fields of each message.
#[derive(Debug)]
pub struct FieldPrinter {
    fields: Vec<Field>,
    separation: Separation,
    payload: PayloadDetail,
    clock: UtcClock,
    value: Vec<u8>,
}

impl FieldPrinter {
    /// A printer of these fields, in this order, with so much of payloads.
    pub const fn new(fields: Vec<Field>, separation: Separation, payload: PayloadDetail) -> Self {
        Self {
            fields,
            separation,
            payload,
            clock: UtcClock::new(b'T'),
            value: Vec::new(),
        }
    }

    /// The fields of a CSV line unless others are asked for: all of the record
    /// but the payload in hex.
    pub fn default_fields() -> Vec<Field> {
        let wanted = |field: &Field| field.in_record() && *field != Field::PayloadHex;
        Field::ALL.iter().copied().filter(wanted).collect()
    }
}

/// Appends a value as plain text; nothing for [`Value::Null`].
fn put_value(field: Field, value: Value<'_>, clock: &mut UtcClock, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Number(number) => put_number(out, number),
        Value::Time(time) => clock.put(out, time),
        Value::Text(text) | Value::Word(text) => escape(text.as_bytes(), Charset::Unicode, out),
        Value::Id(id) => put_id(out, id),
        Value::Conversation(id) => put_conversation(out, id),
        Value::Address(address) => put_address(out, address),
        Value::Bytes(bytes) => match (field, field.kind()) {
            (_, FieldKind::HexBytes) => put_hex(out, bytes),
            (Field::PayloadText, _) => put_preview(out, bytes),
            _ => escape(bytes, Charset::Unicode, out),
        },
        Value::Hash(hash) => put_display(out, hash),
        Value::Encapsulation(encapsulation) => put_display(out, encapsulation),
        Value::Codes(findings) => {
            for (index, finding) in findings.iter().enumerate() {
                put(out, if index == 0 { "" } else { " " });
                put(out, finding.code.code());
            }
        }
        Value::Level(level) => put(out, level.name()),
    }
}

/// Whether a spreadsheet would run the value as a formula. Numbers it may read as such.
fn is_formula(value: &[u8]) -> bool {
    let number = std::str::from_utf8(value).is_ok_and(|text| text.parse::<f64>().is_ok());
    matches!(value.first(), Some(b'=' | b'+' | b'-' | b'@')) && !number
}

/// Appends a value, in quotes where RFC 4180 (section 2, rule 6) asks for them, and behind an
/// apostrophe where a spreadsheet would run it.
fn put_csv_value(value: &[u8], out: &mut Vec<u8>) {
    if is_formula(value) {
        return put_csv_value(&[b"'", value].concat(), out);
    }
    if !value.iter().any(|byte| matches!(byte, b',' | b'"')) {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    for &byte in value {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

impl Printer for TextPrinter {
    fn notice(&self) -> Notice {
        Notice::Comment
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        self.put_line(event, out);
        Ok(())
    }
}

impl Printer for FieldPrinter {
    fn header(&mut self, _: HeaderContext<'_>, out: &mut Vec<u8>) {
        if self.separation == Separation::Commas {
            for (index, field) in self.fields.iter().enumerate() {
                put(out, if index == 0 { "" } else { "," });
                put(out, field.name());
            }
            put(out, "\r\n");
        }
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        for (index, &field) in self.fields.iter().enumerate() {
            self.value.clear();
            let value = field.shown_value(event, self.payload);
            put_value(field, value, &mut self.clock, &mut self.value);
            match self.separation {
                Separation::Tabs => {
                    put(out, if index == 0 { "" } else { "\t" });
                    out.extend_from_slice(&self.value);
                }
                Separation::Commas => {
                    put(out, if index == 0 { "" } else { "," });
                    put_csv_value(&self.value, out);
                }
            }
        }
        put(
            out,
            match self.separation {
                Separation::Tabs => "\n",
                // RFC 4180, section 2, rule 1.
                Separation::Commas => "\r\n",
            },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_to_a_spreadsheet() {
        for (value, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd", "'+cmd"),
            ("-2+3,x", "\"'-2+3,x\""),
            ("-", "'-"),
            ("-1.5", "-1.5"),
            ("+7", "+7"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            put_csv_value(value.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), cell, "{value}");
        }
    }
}
