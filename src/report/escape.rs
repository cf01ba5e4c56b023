//! Bytes from the wire as text that cannot drive a terminal.
//!
//! The rule, in one place for every output: a character that takes room on a
//! line is shown as it is; everything else is written as an escape. That covers
//! control characters with ESC, the bidirectional controls, line separators,
//! zero-width and combining characters, and bytes that are not UTF-8. The backslash is doubled,
//! so that an escape can be told from the same characters in the payload.

use std::io::Write;

use unicode_width::UnicodeWidthChar;

use super::write::hex_pair;

/// Which characters an output may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// All of Unicode.
    #[default]
    Unicode,
    /// ASCII only, for terminals that show nothing else.
    Ascii,
}

impl Charset {
    /// What stands for text that was cut off.
    pub const fn ellipsis(self) -> &'static str {
        match self {
            Self::Unicode => "…",
            Self::Ascii => "...",
        }
    }

    /// From the client.
    pub const fn right_arrow(self) -> &'static str {
        match self {
            Self::Unicode => "→",
            Self::Ascii => "->",
        }
    }

    /// From the server.
    pub const fn left_arrow(self) -> &'static str {
        match self {
            Self::Unicode => "←",
            Self::Ascii => "<-",
        }
    }
}

/// Appends all of `bytes` to `out`, escaped.
pub fn escape(bytes: &[u8], charset: Charset, out: &mut Vec<u8>) {
    for_each_piece(bytes, charset, |piece, _| {
        out.extend_from_slice(piece);
        true
    });
}

/// All of `bytes`, escaped, as a string.
pub fn escaped(bytes: &[u8], charset: Charset) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    escape(bytes, charset, &mut out);
    String::from_utf8(out).expect("escaped text is UTF-8: pieces of valid text and ASCII escapes")
}

/// Appends as much of `bytes` as fits into `columns` of a terminal; when that
/// is not all, the last column holds an ellipsis. Escapes and characters are never split.
pub fn preview(bytes: &[u8], charset: Charset, columns: usize, out: &mut Vec<u8>) {
    // A character takes at most four bytes and at least one column.
    let bytes = &bytes[..bytes.len().min(4 * (columns + 1))];
    let room_before_ellipsis = columns.saturating_sub(charset.ellipsis().chars().count());
    let start = out.len();
    let mut used = 0;
    let mut cut_at = start;
    let mut fits = true;
    for_each_piece(bytes, charset, |piece, width| {
        if used + width > columns {
            fits = false;
            return false;
        }
        out.extend_from_slice(piece);
        used += width;
        if used <= room_before_ellipsis {
            cut_at = out.len();
        }
        true
    });
    if !fits {
        out.truncate(cut_at);
        out.extend_from_slice(charset.ellipsis().as_bytes());
    }
}

/// Appends `bytes` escaped, but with their line ends and tabs kept, so that
/// text reads as text. CR LF becomes a line end; a CR alone is escaped.
pub fn escape_lines(bytes: &[u8], charset: Charset, out: &mut Vec<u8>) {
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let (text, end) = match line {
            [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => (text, "\n"),
            text => (text, ""),
        };
        for (index, part) in text.split(|&byte| byte == b'\t').enumerate() {
            if index > 0 {
                out.push(b'\t');
            }
            escape(part, charset, out);
        }
        out.extend_from_slice(end.as_bytes());
    }
}

/// Columns that `text` takes on a terminal; `text` holds no control characters.
pub(crate) fn columns_of(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The same of UTF-8.
pub(crate) fn columns_of_bytes(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    columns_of(&String::from_utf8_lossy(text))
}

/// Calls `put` with each indivisible piece of the escaped text and its width in
/// columns, until `put` returns false.
fn for_each_piece(bytes: &[u8], charset: Charset, mut put: impl FnMut(&[u8], usize) -> bool) {
    let mut scratch = [0_u8; 16];
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let go_on = match plain_width(c, charset) {
                Some(width) => put(c.encode_utf8(&mut [0; 4]).as_bytes(), width),
                None => {
                    let piece = escape_of(c, &mut scratch);
                    put(piece, piece.len())
                }
            };
            if !go_on {
                return;
            }
        }
        for &byte in chunk.invalid() {
            let piece = byte_escape(byte);
            if !put(&piece, piece.len()) {
                return;
            }
        }
    }
}

/// The width of a character that may stand for itself.
fn plain_width(c: char, charset: Charset) -> Option<usize> {
    match c {
        '\\' => None,
        ' '..='~' => Some(1),
        _ if charset == Charset::Ascii => None,
        // Separators of lines and paragraphs: programs that read lines break there.
        '\u{2028}' | '\u{2029}' => None,
        _ => c.width().filter(|&width| width > 0),
    }
}

fn escape_of(c: char, scratch: &mut [u8; 16]) -> &[u8] {
    match c {
        '\\' => b"\\\\",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        '\0'..='\x7f' => {
            let (escape, _) = scratch.split_at_mut(4);
            escape.copy_from_slice(&byte_escape(u8::try_from(c).unwrap_or(b'?')));
            escape
        }
        _ => format_into(scratch, format_args!("\\u{{{:x}}}", u32::from(c))),
    }
}

/// `\x1b`; binary payloads are full of them, which formatting would take too long for.
fn byte_escape(byte: u8) -> [u8; 4] {
    let [high, low] = hex_pair(byte);
    [b'\\', b'x', high, low]
}

fn format_into<'a>(scratch: &'a mut [u8; 16], text: std::fmt::Arguments<'_>) -> &'a [u8] {
    let mut rest = &mut scratch[..];
    rest.write_fmt(text)
        .expect("the longest escape, \\u{10ffff}, takes 10 bytes of 16");
    let unused = rest.len();
    &scratch[..16 - unused]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str, columns: usize) -> String {
        let mut out = Vec::new();
        preview(text.as_bytes(), Charset::Unicode, columns, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_bidi_zero_width_and_broken_bytes_are_escaped() {
        for (bytes, text) in [
            (&b"a\r\n\tb"[..], "a\\r\\n\\tb"),
            (b"\x1b[31mred\x07\x7f", "\\x1b[31mred\\x07\\x7f"),
            (b"C:\\n", "C:\\\\n"),
            ("\u{9b}1m".as_bytes(), "\\u{9b}1m"),
            ("\u{202e}abc\u{2066}".as_bytes(), "\\u{202e}abc\\u{2066}"),
            (
                "e\u{301}\u{200b}\u{feff}".as_bytes(),
                "e\\u{301}\\u{200b}\\u{feff}",
            ),
            ("a\u{2028}b\u{2029}".as_bytes(), "a\\u{2028}b\\u{2029}"),
            (b"\xff\xc3(", "\\xff\\xc3("),
            ("größe 日本".as_bytes(), "größe 日本"),
        ] {
            assert_eq!(escaped(bytes, Charset::Unicode), text);
        }
        assert_eq!(
            escaped("größe".as_bytes(), Charset::Ascii),
            "gr\\u{f6}\\u{df}e"
        );
    }

    #[test]
    fn a_preview_never_splits_an_escape_or_a_wide_character() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("abc\r\ndef", 6), "abc\\r…");
        assert_eq!(cut("abc\r\ndef", 5), "abc…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn text_keeps_its_lines_but_nothing_else_that_moves_the_cursor() {
        let mut out = Vec::new();
        escape_lines(b"a\r\nb\tc\nd\re\x1b[2J\x0b", Charset::Unicode, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a\nb\tc\nd\\re\\x1b[2J\\x0b"
        );
    }

    proptest! {
        #[test]
        fn escaped_bytes_never_hold_a_control_and_fit_their_columns(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            columns in 0_usize..40,
        ) {
            for charset in [Charset::Unicode, Charset::Ascii] {
                let text = escaped(&bytes, charset);
                prop_assert!(text.chars().all(|c| c.width().is_some_and(|width| width > 0)));
                prop_assert!(charset == Charset::Unicode || text.is_ascii());
                let mut out = Vec::new();
                preview(&bytes, charset, columns, &mut out);
                let shown = String::from_utf8(out).unwrap();
                prop_assert!(columns_of(&shown) <= columns.max(charset.ellipsis().chars().count()));
            }
        }
    }
}
