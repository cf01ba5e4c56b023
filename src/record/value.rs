//! Values in JSON: counts, names and ids, which need no escapes, and `null`.

use crate::conversation::Tally;
use crate::net::Encapsulation;
use crate::text::escape::hex_pair;
use crate::text::write::{put, put_display, put_hex, put_json_string, put_number};
use crate::wire::{DestinationHash, StreamId};

pub(super) fn put_tally_object(out: &mut Vec<u8>, tally: Tally) {
    put(out, r#"{"message_count":"#);
    put_number(out, tally.message_count);
    put(out, r#","payload_bytes":"#);
    put_number(out, tally.payload_bytes);
    out.push(b'}');
}

pub(super) fn put_counts(out: &mut Vec<u8>, counts: impl IntoIterator<Item = (&'static str, u64)>) {
    for (index, (name, count)) in counts.into_iter().enumerate() {
        put(out, if index == 0 { "\"" } else { ",\"" });
        put(out, name);
        put(out, "\":");
        put_number(out, count);
    }
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

pub(super) fn put_text_or_null(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_json_string(out, text),
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

pub(super) fn put_hash_or_null(out: &mut Vec<u8>, hash: Option<DestinationHash>) {
    match hash {
        // Base64 needs no escapes.
        Some(hash) => {
            out.push(b'"');
            out.extend_from_slice(&hash.to_base64());
            out.push(b'"');
        }
        None => put(out, "null"),
    }
}

/// The names of wrappers need no escapes.
pub(super) fn put_encapsulation_or_null(out: &mut Vec<u8>, encapsulation: Encapsulation) {
    if encapsulation.is_none() {
        return put(out, "null");
    }
    out.push(b'"');
    put_display(out, encapsulation);
    out.push(b'"');
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
