//! Keys and values in JSON.

use super::cells::Cells;
use crate::conversation::{Finding, FindingDetail};
use crate::field::Value;
use crate::text::escape::hex_pair;
use crate::text::write::{put, put_address, put_display, put_hex, put_json_string, put_number};

/// Appends the keys of an object with their values.
pub(super) struct Keys<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

impl Keys<'_> {
    /// Appends a key; its value comes next.
    // Names are known to the compiler where it is called: a few stores are left of it.
    #[inline(always)]
    pub(super) fn value_of(&mut self, name: &str) -> &mut Vec<u8> {
        // Byte by byte: a text of either length would be copied by a call.
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        put(self.out, name);
        put(self.out, "\":");
        self.out
    }
}

impl Cells for Keys<'_> {
    #[inline(always)]
    fn put(&mut self, name: &'static str, value: Value<'_>) {
        put_value(self.value_of(name), value);
    }

    fn put_numbers<const N: usize>(
        &mut self,
        name: &'static str,
        numbers: Option<[(&'static str, i64); N]>,
    ) {
        match numbers {
            Some(numbers) => put_numbers(self.value_of(name), numbers),
            None => self.put(name, Value::Null),
        }
    }

    fn put_detail(&mut self, name: &'static str, finding: &Finding) {
        put_detail(self.value_of(name), finding);
    }
}

/// Appends an object.
pub(super) fn put_object(out: &mut Vec<u8>, put: impl FnOnce(&mut Keys<'_>)) {
    out.push(b'{');
    put(&mut Keys { out });
    out.push(b'}');
}

/// Appends an array.
pub(super) fn put_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    put: impl Fn(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put(out, item);
    }
    out.push(b']');
}

/// Appends a value. Bytes from the wire are escaped; nothing else needs it.
// Of a known column nothing is left of the choice.
#[inline(always)]
pub(super) fn put_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Null => put(out, "null"),
        Value::Number(number) => put_number(out, number),
        Value::Text(text) => put_json_string(out, text),
        Value::Id(id) => {
            let [a, b, c] = id.0.map(hex_pair);
            out.extend_from_slice(&[b'"', a[0], a[1], b[0], b[1], c[0], c[1], b'"']);
        }
        Value::Conversation(id) => {
            put(out, "\"c");
            put_number(out, id.0);
            out.push(b'"');
        }
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
    put_list(out, words, |out, word| put_value(out, Value::Word(word)));
}

/// Appends an object of numbers.
pub(super) fn put_numbers(
    out: &mut Vec<u8>,
    numbers: impl IntoIterator<Item = (&'static str, impl itoa::Integer)>,
) {
    put_object(out, |keys| {
        for (name, number) in numbers {
            put_number(keys.value_of(name), number);
        }
    });
}

/// Appends the facts of a finding as an object.
pub(crate) fn put_detail(out: &mut Vec<u8>, finding: &Finding) {
    put_object(out, |keys| {
        for (name, detail) in &finding.detail {
            let out = keys.value_of(name.name());
            match detail {
                FindingDetail::Number(number) => put_number(out, *number),
                FindingDetail::Text(text) => put_json_string(out, text),
            }
        }
    });
}

pub(super) fn put_hex_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_quoted(out, |out| put_hex(out, bytes));
}
