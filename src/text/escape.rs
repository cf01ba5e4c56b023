//! Bytes from the wire as text that cannot drive a terminal.
//!
//! The rule, in one place for every output: a character that takes room on a
//! line is shown as it is; everything else is written as an escape. That covers
//! control characters with ESC, the bidirectional controls, line separators,
//! zero-width and combining characters, and bytes that are not UTF-8. The backslash is doubled,
//! so that an escape differs from the same characters in the payload.

use unicode_width::UnicodeWidthChar;

/// The characters that an output may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// All of Unicode.
    #[default]
    Unicode,
    /// ASCII only, for terminals that show nothing else.
    Ascii,
}

impl Charset {
    /// The sign for text that was cut off.
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
    for_each_piece(bytes, charset, &PLAIN, |piece| {
        piece.put(out);
        true
    });
}

/// All of `bytes`, escaped, as a string.
pub fn escaped(bytes: &[u8], charset: Charset) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    escape(bytes, charset, &mut out);
    String::from_utf8(out).expect("escaped text is UTF-8: pieces of valid text and ASCII escapes")
}

/// `bytes` as characters and escapes, none of which is ever split.
#[cfg(feature = "endpoints")]
pub(crate) fn escaped_pieces(bytes: &[u8], charset: Charset) -> Vec<String> {
    let mut pieces = Vec::new();
    for_each_piece(bytes, charset, &PLAIN, |piece| {
        let mut out = Vec::new();
        piece.put(&mut out);
        pieces.push(String::from_utf8_lossy(&out).into_owned());
        true
    });
    pieces
}

/// Appends as much of `bytes` as fits into `columns` of a terminal; when that
/// is not all, the last column holds an ellipsis. Escapes and characters are never split.
pub fn preview(bytes: &[u8], charset: Charset, columns: usize, out: &mut Vec<u8>) {
    preview_with(bytes, charset, &PLAIN, columns, out);
}

/// Appends the text of [`preview`], quoted as within a JSON string.
pub(crate) fn preview_in_json(bytes: &[u8], charset: Charset, columns: usize, out: &mut Vec<u8>) {
    preview_with(bytes, charset, &IN_JSON, columns, out);
}

fn preview_with(
    bytes: &[u8],
    charset: Charset,
    quoting: &Quoting,
    columns: usize,
    out: &mut Vec<u8>,
) {
    // A character takes at most four bytes and at least one column.
    let bytes = &bytes[..bytes.len().min(4 * (columns + 1))];
    let room_before_ellipsis = columns.saturating_sub(charset.ellipsis().chars().count());
    let start = out.len();
    // No piece takes more than four bytes for each of its columns.
    out.resize(start + 4 * columns + PIECE_BYTES, 0);
    let mut end = start;
    let mut used = 0;
    let mut cut_at = start;
    let mut fits = true;
    for_each_piece(bytes, charset, quoting, |piece| {
        let columns_after = used + usize::from(piece.columns);
        if columns_after > columns {
            fits = false;
            return false;
        }
        out[end..end + PIECE_BYTES].copy_from_slice(&piece.text);
        end += usize::from(piece.length);
        used = columns_after;
        if used <= room_before_ellipsis {
            cut_at = end;
        }
        true
    });
    out.truncate(if fits { end } else { cut_at });
    if !fits {
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

/// A character or an escape, which is never split.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Padded, so that it is copied in one store whatever its length.
    text: [u8; PIECE_BYTES],
    length: u8,
    /// Its width on a terminal, without JSON's escapes.
    columns: u8,
}

/// The longest piece, `\\u{10ffff}` in JSON, takes 11.
const PIECE_BYTES: usize = 16;

impl Piece {
    const fn empty(columns: u8) -> Self {
        Self {
            text: [0; PIECE_BYTES],
            length: 0,
            columns,
        }
    }

    const fn then(mut self, text: &[u8]) -> Self {
        let mut index = 0;
        while index < text.len() {
            self.text[self.length as usize] = text[index];
            self.length += 1;
            index += 1;
        }
        self
    }

    fn put(&self, out: &mut Vec<u8>) {
        let end = out.len() + usize::from(self.length);
        out.extend_from_slice(&self.text);
        out.truncate(end);
    }
}

/// The form of escaped text: as it is, or within a JSON string, where quotation marks and
/// backslashes take another backslash.
struct Quoting {
    backslash: &'static [u8],
    /// The bytes that are no part of a longer character: ASCII, and those that are not UTF-8.
    bytes: [Piece; 256],
}

static PLAIN: Quoting = Quoting::new(b"\\", b"\"");

static IN_JSON: Quoting = Quoting::new(b"\\\\", b"\\\"");

impl Quoting {
    const fn new(backslash: &'static [u8], quotation_mark: &'static [u8]) -> Self {
        let mut bytes = [Piece::empty(0); 256];
        let mut byte = 0;
        while byte < 256 {
            // The loop ends at 256.
            let value = byte as u8;
            bytes[byte] = match value {
                b'"' => Piece::empty(1).then(quotation_mark),
                b'\\' => Piece::empty(2).then(backslash).then(backslash),
                b'\n' => Piece::empty(2).then(backslash).then(b"n"),
                b'\r' => Piece::empty(2).then(backslash).then(b"r"),
                b'\t' => Piece::empty(2).then(backslash).then(b"t"),
                b' '..=b'~' => Piece::empty(1).then(&[value]),
                _ => Piece::empty(4)
                    .then(backslash)
                    .then(b"x")
                    .then(&hex_pair(value)),
            };
            byte += 1;
        }
        Self { backslash, bytes }
    }

    /// A character beyond ASCII.
    fn character(&self, c: char, charset: Charset) -> Piece {
        if let Some(columns) = plain_width(c, charset) {
            return Piece::empty(columns).then(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        let pairs = u32::from(c).to_be_bytes().map(hex_pair);
        let digits = pairs.as_flattened();
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let digits = &digits[zeros..];
        // `\u{` and `}` take four.
        Piece::empty(u8::try_from(4 + digits.len()).unwrap_or(u8::MAX))
            .then(self.backslash)
            .then(b"u{")
            .then(digits)
            .then(b"}")
    }
}

/// Calls `put` with each indivisible piece of the escaped text, until `put` returns false.
#[inline]
fn for_each_piece(
    bytes: &[u8],
    charset: Charset,
    quoting: &Quoting,
    mut put: impl FnMut(&Piece) -> bool,
) {
    let mut rest = bytes;
    while let [byte, behind @ ..] = rest {
        let go_on = match first_wide_character(rest) {
            None => {
                rest = behind;
                put(&quoting.bytes[usize::from(*byte)])
            }
            Some(c) => {
                rest = &rest[c.len_utf8()..];
                put(&quoting.character(c, charset))
            }
        };
        if !go_on {
            return;
        }
    }
}

/// The character beyond ASCII that bytes begin with.
#[inline]
fn first_wide_character(bytes: &[u8]) -> Option<char> {
    // The first bytes of such characters in UTF-8 (RFC 3629, section 4).
    let length = match bytes.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let bytes = bytes.get(..length)?;
    // Most bytes that are no text end here.
    if bytes[1] & 0xc0 != 0x80 {
        return None;
    }
    let character = str::from_utf8(bytes).ok()?;
    character.chars().next()
}

/// The width of a character beyond ASCII that may stand for itself.
fn plain_width(c: char, charset: Charset) -> Option<u8> {
    match c {
        _ if charset == Charset::Ascii => None,
        // Separators of lines and paragraphs: programs that read lines break there.
        '\u{2028}' | '\u{2029}' => None,
        _ => c
            .width()
            .and_then(|width| u8::try_from(width).ok())
            .filter(|&width| width > 0),
    }
}

/// Both lowercase hex digits of a byte.
#[inline]
pub(crate) const fn hex_pair(byte: u8) -> [u8; 2] {
    [hex_digit(byte >> 4), hex_digit(byte & 0xf)]
}

/// The lowercase digit of a value below 16.
#[inline]
pub(super) const fn hex_digit(value: u8) -> u8 {
    // Without a branch, so that compilers can compute many at once.
    let letter = (value > 9) as u8;
    b'0' + value + letter * (b'a' - b'9' - 1)
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

    #[test]
    fn every_byte_and_every_character_is_shown_or_escaped_as_it_is_read() {
        for byte in 0..=u8::MAX {
            let text = escaped(&[byte], Charset::Unicode);
            let expected = match byte {
                b'\n' => "\\n".to_owned(),
                b'\r' => "\\r".to_owned(),
                b'\t' => "\\t".to_owned(),
                b'\\' => "\\\\".to_owned(),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            };
            assert_eq!(text, expected);
        }
        // All of the plane that nearly all characters are in, and some of each other.
        let beyond = ('\u{10000}'..=char::MAX).step_by(89);
        for c in ('\u{80}'..='\u{ffff}').chain(beyond) {
            let shown = c.to_string();
            let text = escaped(shown.as_bytes(), Charset::Unicode);
            let has_width = c.width().is_some_and(|width| width > 0);
            if has_width && !matches!(c, '\u{2028}' | '\u{2029}') {
                assert_eq!(text, shown);
            } else {
                assert_eq!(text, format!("\\u{{{:x}}}", u32::from(c)));
            }
            let ascii = escaped(shown.as_bytes(), Charset::Ascii);
            assert_eq!(ascii, format!("\\u{{{:x}}}", u32::from(c)));
        }
    }

    proptest! {
        #[test]
        fn a_preview_in_json_is_read_back_as_the_preview(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..80),
                any::<String>().prop_map(String::into_bytes),
                "[\"\\\\a\u{e9}\u{202e}\n]{0,80}".prop_map(String::into_bytes),
            ],
            columns in 0_usize..80,
        ) {
            for charset in [Charset::Unicode, Charset::Ascii] {
                let (mut plain, mut quoted) = (Vec::new(), vec![b'"']);
                preview(&bytes, charset, columns, &mut plain);
                preview_in_json(&bytes, charset, columns, &mut quoted);
                quoted.push(b'"');
                let read: String = serde_json::from_slice(&quoted).unwrap();
                prop_assert_eq!(read.as_bytes(), plain);
            }
        }

        #[test]
        fn what_is_not_utf_8_is_escaped_byte_by_byte(bytes in prop::collection::vec(0x70_u8.., 0..12)) {
            // As the standard library distinguishes it.
            let mut expected = String::new();
            for chunk in bytes.utf8_chunks() {
                expected += &escaped(chunk.valid().as_bytes(), Charset::Unicode);
                for byte in chunk.invalid() {
                    expected += &format!("\\x{byte:02x}");
                }
            }
            prop_assert_eq!(escaped(&bytes, Charset::Unicode), expected);
        }

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
