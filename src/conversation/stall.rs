//! The reference's leftover stall, as far as a capture shows it.
//!
//! The reference keeps the bytes beyond a full message until its application writes again or closes
//! (docs/protocol.md, "The leftover stall"). On the wire that is a burst that ends with a full
//! message, and then silence of both sides: until a short message comes from the same sender, or
//! for ever. A conversation that simply ends a write there looks alike, so a finding needs one
//! thing more: that nobody else spoke before the rest came and that the sender does not write in
//! blocks, or that a length in the data announced less than a message that did not come.

use super::finding::{DetailName, FindingDetail};
use super::remarks::{Words, number};
use crate::time::SECOND_NS;
use crate::wire::MAX_DATA_PAYLOAD_BYTES;

/// Silence after a full message that an application's own pauses rarely reach.
pub(super) const LONG_NS: i64 = 5 * SECOND_NS;

/// Silence that is none of the network, where a missing rest is known of.
pub(super) const SHORT_NS: i64 = SECOND_NS;

/// A head that announces a length lies in so many bytes.
const MAX_HEAD: usize = 8 * 1024;

/// The length of a stream as its first bytes announce it: the head of an HTTP message and its
/// `Content-Length` (RFC 9112, section 6.3).
pub(super) fn announced_bytes(first: &[u8]) -> Option<u64> {
    const BEGINNINGS: [&[u8]; 4] = [b"HTTP/1.", b"POST ", b"PUT ", b"PATCH "];
    if !BEGINNINGS.iter().any(|begin| first.starts_with(begin)) {
        return None;
    }
    let head = &first[..first.len().min(MAX_HEAD)];
    let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let lines = head[..end].split(|byte| *byte == b'\n');
    let mut lengths = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let value = std::str::from_utf8(value).ok()?.trim();
        name.eq_ignore_ascii_case(b"content-length")
            .then(|| value.parse::<u64>().ok())?
    });
    let length = lengths.next_back()?;
    length.checked_add(u64::try_from(end).ok()?)
}

/// Whether a rest of this length may be one that the reference holds back: it is never as
/// long as a message.
pub(super) fn is_rest(missing_bytes: u64) -> bool {
    missing_bytes > 0 && usize::try_from(missing_bytes).is_ok_and(|n| n < MAX_DATA_PAYLOAD_BYTES)
}

/// A short message ends the silence behind a full one.
pub(super) fn went_on(silent_ns: i64, payload_bytes: usize) -> Words {
    let text = format!(
        "{payload_bytes} bytes came {} s after a full message: perhaps its rest, which the \
         reference holds back until it writes more or closes",
        seconds(silent_ns)
    );
    (text, detail(silent_ns, payload_bytes as u64))
}

/// Nothing came behind a full message, and the number of bytes to come is known.
pub(super) fn stayed_away(silent_ns: i64, missing_bytes: u64) -> Words {
    let text = format!(
        "{missing_bytes} announced bytes had not come {} s after a full message: perhaps held \
         back by the reference until it writes more or closes",
        seconds(silent_ns)
    );
    (text, detail(silent_ns, missing_bytes))
}

fn detail(silent_ns: i64, rest_bytes: u64) -> Vec<(DetailName, FindingDetail)> {
    let silent_ms = usize::try_from(silent_ns / 1_000_000).unwrap_or(0);
    vec![
        (DetailName::SilentMs, number(silent_ms)),
        (DetailName::RestBytes, FindingDetail::Number(rest_bytes)),
    ]
}

fn seconds(nanos: i64) -> String {
    let millis = nanos / 1_000_000;
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_http_announce_their_length() {
        for (first, expected) in [
            (
                &b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"[..],
                Some(48 + 10),
            ),
            (b"HTTP/1.0 200 OK\r\ncontent-length:7\r\n\r\n", Some(37 + 7)),
            (b"HTTP/1.0 200 OK\r\n\r\nContent-Length: 7\r\n\r\n", None),
            (b"HTTP/1.0 200 OK\r\ncontent-length: 7\r\n", None),
            (b"HTTP/1.0 200 OK\r\ncontent-length: -7\r\n\r\n", None),
            (
                b"PUT / HTTP/1.1\r\ncontent-length: 18446744073709551615\r\n\r\n",
                None,
            ),
            (b"GET / HTTP/1.1\r\ncontent-length: 7\r\n\r\n", None),
            (b"SSH-2.0-x\r\n", None),
            (b"", None),
        ] {
            let text = String::from_utf8_lossy(first);
            assert_eq!(announced_bytes(first), expected, "{text}");
        }
    }

    #[test]
    fn a_rest_is_shorter_than_a_message() {
        let rests = [0, 1, 32_767, 32_768, u64::MAX].map(is_rest);
        assert_eq!(rests, [false, true, true, false, false]);
    }

    #[test]
    fn both_ends_of_a_silence_say_how_long_it_was_and_how_much_is_missing() {
        for (words, expected) in [
            (
                went_on(5_021_999_999, 8),
                "8 bytes came 5.021 s after a full message: perhaps its rest, which the reference \
                 holds back until it writes more or closes",
            ),
            (
                stayed_away(5_021_999_999, 8),
                "8 announced bytes had not come 5.021 s after a full message: perhaps held back \
                 by the reference until it writes more or closes",
            ),
        ] {
            let (text, details) = words;
            assert_eq!(text, expected);
            let expected = [
                (DetailName::SilentMs, FindingDetail::Number(5_021)),
                (DetailName::RestBytes, FindingDetail::Number(8)),
            ];
            assert_eq!(details, expected);
        }
    }
}
