//! Numbers, times, ids and addresses as text in a byte buffer, without
//! allocation: a dump writes millions of lines.

use std::io::Write;
use std::net::SocketAddr;

use super::escape::{columns_of, hex_digit, hex_pair};
use crate::conversation::ConversationId;
use crate::time::{SECOND_NS, Timestamp};
use crate::wire::StreamId;

// Inlined, so that the many pieces of constant length become plain stores.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends anything that has a `Display`; for values that are not written per message.
pub(crate) fn put_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("writing to a Vec never fails");
}

#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A buffer to which text is appended.
pub(crate) trait TextBuffer {
    /// Appends text.
    fn put_bytes(&mut self, text: &[u8]);

    /// Appends a number.
    fn put_decimal(&mut self, number: u64);
}

impl TextBuffer for Vec<u8> {
    #[inline]
    fn put_bytes(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }

    #[inline]
    fn put_decimal(&mut self, number: u64) {
        put_number(self, number);
    }
}

/// Digits of a number.
#[inline]
pub(crate) fn digits(number: u64) -> usize {
    match number {
        // Most numbers are short, and comparing is cheaper than a logarithm.
        0..1_000 => 1 + usize::from(number > 9) + usize::from(number > 99),
        1_000..1_000_000 => 4 + usize::from(number > 9_999) + usize::from(number > 99_999),
        _ => number.ilog10() as usize + 1,
    }
}

/// Appends both hex digits of every byte.
pub(crate) fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    // Computed, not looked up, the digits of sixteen bytes take a few instructions.
    for (pair, &byte) in out[start..].chunks_exact_mut(2).zip(bytes) {
        pair[0] = hex_digit(byte >> 4);
        pair[1] = hex_digit(byte & 0xf);
    }
}

#[inline]
pub(crate) fn put_id(out: &mut impl TextBuffer, id: StreamId) {
    let [a, b, c] = id.0.map(hex_pair);
    out.put_bytes(&[a[0], a[1], b[0], b[1], c[0], c[1]]);
}

/// Appends `c3`.
#[inline]
pub(crate) fn put_conversation(out: &mut impl TextBuffer, id: ConversationId) {
    out.put_bytes(b"c");
    out.put_decimal(id.0);
}

/// Three digits of every number below a thousand.
pub(super) static TRIPLES: [[u8; 3]; 1_000] = {
    let mut triples = [[0; 3]; 1_000];
    let mut number = 0;
    while number < 1_000 {
        let digits = [number / 100, number / 10 % 10, number % 10];
        // Each digit is below ten, so that the casts keep it.
        triples[number] = [
            b'0' + digits[0] as u8,
            b'0' + digits[1] as u8,
            b'0' + digits[2] as u8,
        ];
        number += 1;
    }
    triples
};

/// Every octet of an address with the dot behind it, padded to four bytes: a store of constant
/// length is cheaper than a copy of the exact length.
static OCTETS: [[u8; 4]; 256] = {
    let mut octets = [*b"...."; 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = TRIPLES[octet];
        let zeros = if octet < 10 {
            2
        } else if octet < 100 {
            1
        } else {
            0
        };
        let mut index = zeros;
        while index < 3 {
            octets[octet][index - zeros] = digits[index];
            index += 1;
        }
        octet += 1;
    }
    octets
};

/// Appends `127.0.0.1:9004` or `[::1]:9004`.
pub(crate) fn put_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => {
            let mut text = [0; 16];
            let mut end = 0;
            for octet in v4.ip().octets() {
                text[end..end + 4].copy_from_slice(&OCTETS[usize::from(octet)]);
                end += 2 + usize::from(octet > 9) + usize::from(octet > 99);
            }
            text[end - 1] = b':';
            let end = out.len() + end;
            out.extend_from_slice(&text);
            out.truncate(end);
            put_number(out, v4.port());
        }
        SocketAddr::V6(v6) => put_display(out, v6),
    }
}

/// Appends `value` with leading zeros to `digits` digits; `value` has no more than that.
#[inline]
pub(crate) fn put_padded(out: &mut impl TextBuffer, value: u64, digits: usize) {
    for _ in self::digits(value)..digits {
        out.put_bytes(b"0");
    }
    out.put_decimal(value);
}

/// Appends microseconds as seconds with `decimals` (1 to 6) digits after the
/// point, rounded towards zero: `0.004000`, `-1.500000`.
#[inline]
pub(crate) fn put_seconds(out: &mut impl TextBuffer, micros: i64, decimals: u32) {
    if micros < 0 {
        out.put_bytes(b"-");
    }
    let magnitude = micros.unsigned_abs();
    out.put_decimal(magnitude / 1_000_000);
    out.put_bytes(b".");
    let fraction = magnitude % 1_000_000 / 10_u64.pow(6_u32.saturating_sub(decimals));
    put_padded(out, fraction, usize::try_from(decimals).unwrap_or(6));
}

/// Appends `text` as a JSON string. Besides what JSON requires, every character
/// that takes no room on a line, or ends one, is written as `\u....`, because JSON
/// lines are read on terminals, too, and by programs that know more ends of lines.
pub(crate) fn put_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let plain = |byte: &u8| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
    let start = text.bytes().take_while(plain).count();
    put(out, &text[..start]);
    for c in text[start..].chars() {
        match c {
            '"' => put(out, "\\\""),
            '\\' => put(out, "\\\\"),
            ' '..='~' => out.push(u8::try_from(c).unwrap_or(b'?')),
            '\u{2028}' | '\u{2029}' => put_json_escape(out, c),
            _ if unicode_width::UnicodeWidthChar::width(c).is_some_and(|width| width > 0) => {
                put(out, c.encode_utf8(&mut [0; 4]));
            }
            _ => put_json_escape(out, c),
        }
    }
    out.push(b'"');
}

fn put_json_escape(out: &mut Vec<u8>, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        put(out, "\\u");
        put_hex(out, &unit.to_be_bytes());
    }
}

pub(crate) fn put_spaces(out: &mut Vec<u8>, count: usize) {
    // A store of constant length is cheaper than one of the exact length.
    const SPACES: [u8; 16] = [b' '; 16];
    let end = out.len() + count;
    if count <= SPACES.len() {
        out.extend_from_slice(&SPACES);
        out.truncate(end);
    } else {
        out.resize(end, b' ');
    }
}

/// Appends spaces until `text`, which was just written, fills `columns`.
pub(crate) fn pad_to(out: &mut Vec<u8>, text: &str, columns: usize) {
    put_spaces(out, columns.saturating_sub(columns_of(text)));
}

/// Writes RFC 3339 times; the part down to the second is kept from one call to
/// the next, as most messages share their second with the one before.
#[derive(Debug)]
pub(crate) struct UtcClock {
    second: Option<i64>,
    text: Vec<u8>,
    separator: u8,
}

impl UtcClock {
    /// A clock that writes `separator` between date and time: `T`, or a space for people.
    pub(crate) const fn new(separator: u8) -> Self {
        Self {
            second: None,
            text: Vec::new(),
            separator,
        }
    }

    /// Appends date and time down to the second: `2004-05-25T12:00:00`.
    pub(crate) fn put_second(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        let second = time.as_nanos().div_euclid(SECOND_NS);
        if self.second != Some(second) {
            self.second = Some(second);
            let utc = time.to_utc();
            self.text.clear();
            write!(
                self.text,
                "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}",
                utc.year,
                utc.month,
                utc.day,
                char::from(self.separator),
                utc.hour,
                utc.minute,
                utc.second
            )
            .expect("writing to a Vec never fails");
        }
        out.extend_from_slice(&self.text);
    }

    /// Appends `time` with nine digits: `2004-05-25T12:00:00.005000000Z`.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        self.put_second(out, time);
        let nanos = time.as_nanos().rem_euclid(SECOND_NS);
        let nanos = usize::try_from(nanos).expect("a remainder is not negative");
        let mut fraction = *b".000000000Z";
        fraction[1..4].copy_from_slice(&TRIPLES[nanos / 1_000_000]);
        fraction[4..7].copy_from_slice(&TRIPLES[nanos / 1_000 % 1_000]);
        fraction[7..10].copy_from_slice(&TRIPLES[nanos % 1_000]);
        out.extend_from_slice(&fraction);
    }
}

/// The output of `put`, as a string.
pub(crate) fn text_of(put: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    put(&mut out);
    String::from_utf8(out).expect("only text is appended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_keep_their_sign_and_their_zeros() {
        for (micros, decimals, text) in [
            (0, 6, "0.000000"),
            (4_000, 6, "0.004000"),
            (-1, 6, "-0.000001"),
            (-1_500_000, 6, "-1.500000"),
            (1_234_567, 3, "1.234"),
            (i64::MAX, 6, "9223372036854.775807"),
            (i64::MIN, 6, "-9223372036854.775808"),
        ] {
            assert_eq!(text_of(|out| put_seconds(out, micros, decimals)), text);
        }
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        for text in [
            "0.0.0.0:0",
            "255.100.9.1:65535",
            "[::1]:9004",
            "[2001:db8::a]:1",
        ] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(text_of(|out| put_address(out, address)), text);
        }
    }

    #[test]
    fn every_octet_is_written_at_every_place() {
        for octet in 0..=u8::MAX {
            for place in 0..4 {
                let mut octets = [10, 2, 200, 1];
                octets[place] = octet;
                let address = SocketAddr::from((octets, u16::from(octet) * 257));
                assert_eq!(
                    text_of(|out| put_address(out, address)),
                    address.to_string()
                );
            }
        }
    }

    #[test]
    fn hex_of_every_length_and_every_byte_has_two_digits_a_byte() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        for length in 0..=bytes.len() {
            let expected: String = bytes[..length]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(text_of(|out| put_hex(out, &bytes[..length])), expected);
        }
    }

    proptest! {
        #[test]
        fn times_equal_their_display_in_any_order(nanos in prop::collection::vec(any::<i64>(), 1..20)) {
            let mut clock = UtcClock::new(b'T');
            for nanos in nanos {
                for near in [nanos, nanos.saturating_add(1), nanos.saturating_sub(1_000_000_000)] {
                    let time = Timestamp::from_nanos(near);
                    prop_assert_eq!(text_of(|out| clock.put(out, time)), time.to_string());
                }
            }
        }

        #[test]
        fn json_strings_are_read_back_as_they_were(text in any::<String>()) {
            let json = text_of(|out| put_json_string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            prop_assert!(!json.chars().any(char::is_control));
        }
    }

    #[test]
    fn every_end_of_a_line_is_escaped_in_json() {
        let json = text_of(|out| put_json_string(out, "a\n\u{85}\u{2028}\u{2029}b"));
        assert_eq!(json, r#""a\u000a\u0085\u2028\u2029b""#);
    }
}
