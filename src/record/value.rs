//! Keys and values in JSON.

use crate::conversation::Tally;
use crate::field::Value;
use crate::text::escape::hex_pair;
use crate::text::write::{put, put_address, put_display, put_hex, put_json_string, put_number};
use crate::wire::StreamId;

/// Appends a key that is not the first.
#[inline]
pub(super) fn put_key(out: &mut Vec<u8>, name: &str) {
    put(out, ",\"");
    put(out, name);
    put(out, "\":");
}

/// Appends a value. What comes from the wire is escaped; nothing else needs it.
// Of a known column nothing is left of the choice.
#[inline(always)]
pub(super) fn put_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Null => put(out, "null"),
        Value::Number(number) => put_number(out, number),
        Value::Text(text) => put_json_string(out, text),
        Value::Id(id) => put_id_or_null(out, Some(id)),
        Value::Conversation(id) => put_conversation_or_null(out, Some(id.0)),
        Value::Bytes(bytes) => put_hex_string(out, bytes),
        Value::Word(word) => put_quoted(out, |out| put(out, word)),
        Value::Level(level) => put_quoted(out, |out| put(out, level.name())),
        Value::Time(time) => put_quoted(out, |out| put_display(out, time)),
        Value::Address(address) => put_quoted(out, |out| put_address(out, address)),
        Value::Hash(hash) => put_quoted(out, |out| out.extend_from_slice(&hash.to_base64())),
        Value::Encapsulation(wrappers) => put_quoted(out, |out| put_display(out, wrappers)),
        Value::Codes(findings) => {
            put_words(out, findings.iter().map(|finding| finding.code.code()));
        }
    }
}

fn put_quoted(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    put(out);
    out.push(b'"');
}

/// Appends an array of words of ours, which need no escapes.
pub(super) fn put_words(out: &mut Vec<u8>, words: impl IntoIterator<Item = &'static str>) {
    out.push(b'[');
    for (index, word) in words.into_iter().enumerate() {
        put(out, if index == 0 { "\"" } else { ",\"" });
        put(out, word);
        out.push(b'"');
    }
    out.push(b']');
}

pub(super) fn put_tally(out: &mut Vec<u8>, tally: Tally) {
    put_numbers(
        out,
        [
            ("message_count", tally.message_count),
            ("payload_bytes", tally.payload_bytes),
        ],
    );
}

/// Appends an object of numbers.
pub(super) fn put_numbers(
    out: &mut Vec<u8>,
    numbers: impl IntoIterator<Item = (&'static str, impl itoa::Integer)>,
) {
    out.push(b'{');
    for (index, (name, number)) in numbers.into_iter().enumerate() {
        put(out, if index == 0 { "\"" } else { ",\"" });
        put(out, name);
        put(out, "\":");
        put_number(out, number);
    }
    out.push(b'}');
}

pub(super) fn put_hex_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    put_hex(out, bytes);
    out.push(b'"');
}

pub(super) fn put_number_or_null(out: &mut Vec<u8>, number: Option<impl itoa::Integer>) {
    match number {
        Some(number) => put_number(out, number),
        None => put(out, "null"),
    }
}

/// A word of ours, which needs no escapes.
pub(super) fn put_word_or_null(out: &mut Vec<u8>, word: Option<&'static str>) {
    match word {
        Some(word) => {
            out.push(b'"');
            put(out, word);
            out.push(b'"');
        }
        None => put(out, "null"),
    }
}

pub(super) fn put_id_or_null(out: &mut Vec<u8>, id: Option<StreamId>) {
    match id {
        Some(id) => {
            let [a, b, c] = id.0.map(hex_pair);
            out.extend_from_slice(&[b'"', a[0], a[1], b[0], b[1], c[0], c[1], b'"']);
        }
        None => put(out, "null"),
    }
}

pub(super) fn put_conversation_or_null(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => {
            put(out, "\"c");
            put_number(out, number);
            out.push(b'"');
        }
        None => put(out, "null"),
    }
}
