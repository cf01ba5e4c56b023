//! A difference: the recorded and the live bytes at a place, as text or as hex.
//!
//! An ellipsis stands wherever something was cut, and only there.

use crate::replay::{Difference, Excerpt, PlayOutcome};
use crate::report::grid::Colour;
use crate::report::style::Style;
use crate::text::escape::{Charset, columns_of, escaped_pieces};
use crate::text::write::put;
use crate::wire::Direction;

/// Before the bytes of either side.
const MARGIN: &str = "   ";

/// The notation of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// As text, with escapes.
    Text,
    /// As pairs of hex digits.
    Hex,
}

impl Notation {
    /// Text, if both sides are nothing else.
    pub(super) fn of(difference: &Difference) -> Self {
        if is_text(&difference.want) && is_text(&difference.got) {
            Self::Text
        } else {
            Self::Hex
        }
    }

    const fn separator(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::Hex => " ",
        }
    }

    fn pieces(self, bytes: &[u8], charset: Charset) -> Vec<String> {
        match self {
            Self::Text => escaped_pieces(bytes, charset),
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// Whether an excerpt is text: UTF-8, but for characters that its ends cut, without controls
/// other than line ends and tabs.
fn is_text(excerpt: &Excerpt) -> bool {
    let is_continuation = |byte: &u8| byte & 0xc0 == 0x80;
    let cut = excerpt.before.iter().take(3);
    let cut = match excerpt.before_left_out {
        0 => 0,
        _ => cut.take_while(|byte| is_continuation(byte)).count(),
    };
    [&excerpt.before[cut..], &excerpt.bytes, &excerpt.after]
        .into_iter()
        .all(|bytes| {
            let has_controls = bytes
                .iter()
                .any(|byte| byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n' | b'\t'));
            let is_utf8 = match std::str::from_utf8(bytes) {
                Ok(_) => true,
                // A character cut by the end of the excerpt is no mistake.
                Err(error) => error.error_len().is_none(),
            };
            is_utf8 && !has_controls
        })
}

/// An excerpt as it is shown in so many columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) before: String,
    pub(super) bytes: String,
    pub(super) after: String,
}

impl Shown {
    /// The part of an excerpt that fits into `columns`.
    pub(super) fn of(
        excerpt: &Excerpt,
        notation: Notation,
        charset: Charset,
        columns: usize,
    ) -> Self {
        let separator = notation.separator();
        let ellipsis = charset.ellipsis();
        let [before, bytes, after] = [&excerpt.before, &excerpt.bytes, &excerpt.after]
            .map(|bytes| notation.pieces(bytes, charset));
        let beginning = |pieces: &[String], left_out, columns| {
            let cut = Cut {
                left_out,
                columns,
                separator,
                ellipsis,
            };
            cut.beginning(pieces)
        };
        // The end of the bytes before; both sides give it the same room, so that the differing
        // bytes stand below each other.
        let mut reversed = before;
        reversed.reverse();
        let cut = Cut {
            left_out: excerpt.before_left_out,
            columns: columns / 3,
            separator,
            ellipsis,
        };
        let mut before = cut.beginning(&reversed);
        before.reverse();
        let before = before.join(separator);
        let room = columns.saturating_sub(columns_of(&before));
        let bytes = beginning(&bytes, excerpt.bytes_left_out, room - room / 3).join(separator);
        let room = room.saturating_sub(columns_of(&bytes));
        let after = beginning(&after, excerpt.after_left_out, room).join(separator);
        Self {
            before,
            bytes,
            after,
        }
    }
}

/// The part of something that is shown.
struct Cut<'a> {
    /// Bytes that follow and are not at hand.
    left_out: usize,
    columns: usize,
    separator: &'a str,
    ellipsis: &'a str,
}

impl Cut<'_> {
    /// The first pieces, as many as fit, and an ellipsis if these are not all.
    fn beginning(&self, pieces: &[String]) -> Vec<String> {
        let width = |piece: &str| columns_of(piece) + self.separator.len();
        let all: usize = pieces.iter().map(|piece| width(piece)).sum();
        if self.left_out == 0 && all <= self.columns {
            return pieces.to_vec();
        }
        let room = self.columns.saturating_sub(width(self.ellipsis));
        let mut used = 0;
        let mut shown: Vec<String> = pieces
            .iter()
            .take_while(|piece| {
                used += width(piece);
                used <= room
            })
            .cloned()
            .collect();
        shown.push(self.ellipsis.to_owned());
        shown
    }
}

/// `c1 ← offset 33`
pub(super) fn title(name: &str, difference: &Difference, charset: Charset) -> String {
    let arrow = match difference.direction {
        Direction::ClientToServer => charset.right_arrow(),
        Direction::ServerToClient => charset.left_arrow(),
    };
    let name = match name {
        "" => String::new(),
        name => format!("{name} "),
    };
    format!("{name}{arrow} offset {}", difference.offset)
}

/// Three lines that fit the terminal: the place, the recorded bytes there, and the live ones.
pub(super) fn put_difference(
    name: &str,
    difference: &Difference,
    style: &Style,
    out: &mut Vec<u8>,
) {
    let notation = Notation::of(difference);
    put(out, &title(name, difference, style.charset));
    put(out, "\n");
    for (side, excerpt) in [("want", &difference.want), ("got ", &difference.got)] {
        let start = format!("{MARGIN}{side}  ");
        let gap = notation.separator();
        let columns = style.width.saturating_sub(start.len() + 2 + 2 * gap.len());
        let shown = Shown::of(excerpt, notation, style.charset, columns);
        put(out, &start);
        if !shown.before.is_empty() {
            put(out, &shown.before);
            put(out, gap);
        }
        style
            .colour(Colour::Red)
            .put(out, format!("[{}]", shown.bytes));
        if !shown.after.is_empty() {
            put(out, gap);
            put(out, &shown.after);
        }
        put(out, "\n");
    }
}

/// The masks that would cover the differences, each once, with the number of conversations that it
/// is about.
pub(super) fn suggested_masks<'a>(
    outcomes: impl IntoIterator<Item = &'a PlayOutcome>,
) -> Vec<(&'a str, u64)> {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for mask in outcomes.into_iter().flat_map(|one| &one.suggested_masks) {
        match counts.iter_mut().find(|(known, _)| known == mask) {
            Some((_, count)) => *count += 1,
            None => counts.push((mask, 1)),
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `06` against `07` in a date that was changed from its first letter to its minutes.
    fn excerpt(before: &[u8], bytes: &[u8], after: &[u8], left_out: [usize; 3]) -> Excerpt {
        Excerpt {
            before: before.to_vec(),
            bytes: bytes.to_vec(),
            after: after.to_vec(),
            before_left_out: left_out[0],
            bytes_left_out: left_out[1],
            after_left_out: left_out[2],
        }
    }

    fn whole(shown: &Shown) -> String {
        format!("{}[{}]{}", shown.before, shown.bytes, shown.after)
    }

    #[test]
    fn what_was_cut_between_what_differs_and_what_follows_has_its_ellipsis() {
        let date = excerpt(b"Date: ", b"Sat, 12 Jun 2004", b":50 GMT\r\n", [0, 9, 0]);
        let shown = Shown::of(&date, Notation::Text, Charset::Unicode, 70);
        assert_eq!(whole(&shown), "Date: [Sat, 12 Jun 2004…]:50 GMT\\r\\n");
    }

    #[test]
    fn in_any_room_what_is_shown_is_what_was_there_with_an_ellipsis_wherever_it_was_cut() {
        let parts: [&[u8]; 3] = [
            b"HTTP/1.1 200 OK\r\n",
            b"Date: \xc3\xa9t\xc3\xa9",
            b"\r\nServer: x",
        ];
        for left_out in [[0, 0, 0], [5, 0, 0], [0, 5, 0], [0, 0, 5], [5, 5, 5]] {
            let excerpt = excerpt(parts[0], parts[1], parts[2], left_out);
            for notation in [Notation::Text, Notation::Hex] {
                for columns in 12..120 {
                    let shown = Shown::of(&excerpt, notation, Charset::Unicode, columns);
                    let used = columns_of(&whole(&shown)) - 2;
                    assert!(used <= columns, "{columns}: {shown:?}");
                    let full = parts.map(|part| {
                        notation
                            .pieces(part, Charset::Unicode)
                            .join(notation.separator())
                    });
                    let rest = |shown: &str| shown.replace('…', "").trim().to_owned();
                    assert!(full[0].ends_with(&rest(&shown.before)), "{shown:?}");
                    assert!(full[1].starts_with(&rest(&shown.bytes)), "{shown:?}");
                    assert!(full[2].starts_with(&rest(&shown.after)), "{shown:?}");
                    for ((shown, full), left_out) in [&shown.before, &shown.bytes, &shown.after]
                        .into_iter()
                        .zip(&full)
                        .zip(left_out)
                    {
                        let is_cut = left_out > 0 || shown != full;
                        assert_eq!(shown.contains('…'), is_cut, "{columns}: {shown:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn text_is_shown_as_text_and_anything_else_as_hex() {
        for (before, bytes, after, expected) in [
            (&b": "[..], &b"6"[..], &b"\r\n"[..], Notation::Text),
            (b"\xa9t\xc3\xa9 ", b"", b"\xc3", Notation::Text),
            (b": ", b"\x1b", b"[31m", Notation::Hex),
            (b": ", b"\xff", b"", Notation::Hex),
        ] {
            let side = excerpt(before, bytes, after, [9, 0, 9]);
            let difference = Difference {
                direction: Direction::ServerToClient,
                offset: 0,
                want: excerpt(b"", b"text", b"", [0, 0, 0]),
                got: side,
            };
            assert_eq!(Notation::of(&difference), expected, "{bytes:?}");
        }
    }
}
