//! Texts in double quotes and patterns between slashes, as filters and scripts have them.

/// An error in a text in quotes, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotedError<'a> {
    /// There is no closing quote.
    NoEnd,
    /// The input from the backslash on.
    UnknownEscape(&'a str),
    /// The same, of a `\x` without two hex digits behind it.
    NotHex(&'a str),
}

/// The bytes of a text, its escapes `\n \r \t \0 \\ \" \xHH` resolved, and the input behind its
/// closing quote. `input` begins behind the opening one.
pub(crate) fn quoted(input: &str) -> Result<(Vec<u8>, &str), QuotedError<'_>> {
    let mut bytes = Vec::new();
    let mut rest = input;
    loop {
        let mut characters = rest.chars();
        match characters.next() {
            None => return Err(QuotedError::NoEnd),
            Some('"') => return Ok((bytes, characters.as_str())),
            Some('\\') => {
                let (byte, after) = escaped(rest)?;
                bytes.push(byte);
                rest = after;
            }
            Some(c) => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = characters.as_str();
            }
        }
    }
}

/// The byte that an escape stands for; `input` begins with the backslash.
fn escaped(input: &str) -> Result<(u8, &str), QuotedError<'_>> {
    let mut characters = input.chars();
    characters.next();
    let byte = match characters.next() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('"') => b'"',
        Some('x') => {
            let (digits, after) = characters
                .as_str()
                .split_at_checked(2)
                .ok_or(QuotedError::NotHex(input))?;
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).map_err(|_| QuotedError::NotHex(input))?;
            return Ok((byte[0], after));
        }
        _ => return Err(QuotedError::UnknownEscape(input)),
    };
    Ok((byte, characters.as_str()))
}

/// A regular expression up to a slash, in which `\/` stands for one, and the input behind that
/// slash, if there is one. `input` begins behind the opening one.
pub(crate) fn pattern(input: &str) -> Option<(String, &str)> {
    let mut pattern = String::new();
    let mut characters = input.chars();
    loop {
        match characters.next()? {
            '/' => return Some((pattern, characters.as_str())),
            '\\' => match characters.next()? {
                '/' => pattern.push('/'),
                escaped => pattern.extend(['\\', escaped]),
            },
            c => pattern.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_the_first_quote_without_a_backslash() {
        for (input, bytes, rest) in [
            ("\"", &b""[..], ""),
            ("a\" b", b"a", " b"),
            (r#"\n\r\t\0\\\"\xfF" "#, b"\n\r\t\0\\\"\xff", " "),
            (r#"\x410é""#, "A0é".as_bytes(), ""),
        ] {
            assert_eq!(quoted(input), Ok((bytes.to_vec(), rest)));
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (input, error) in [
            ("", QuotedError::NoEnd),
            ("a", QuotedError::NoEnd),
            (r#"a\""#, QuotedError::NoEnd),
            (r"a\", QuotedError::UnknownEscape(r"\")),
            (r#"a\q""#, QuotedError::UnknownEscape(r#"\q""#)),
            (r"a\x", QuotedError::NotHex(r"\x")),
            (r#"\x4""#, QuotedError::NotHex(r#"\x4""#)),
            (r#"\x+1""#, QuotedError::NotHex(r#"\x+1""#)),
            ("\\x4é\"", QuotedError::NotHex("\\x4é\"")),
        ] {
            assert_eq!(quoted(input), Err(error));
        }
    }

    #[test]
    fn a_pattern_ends_at_the_first_slash_without_a_backslash() {
        for (input, expected) in [
            ("/", Some(("", ""))),
            ("a/ b", Some(("a", " b"))),
            (r"a\/b\./", Some((r"a/b\.", ""))),
            (r"\\/\/", Some((r"\\", r"\/"))),
            (r"a\/", None),
            (r"a\", None),
            ("a", None),
        ] {
            let expected = expected.map(|(pattern, rest)| (pattern.to_owned(), rest));
            assert_eq!(pattern(input), expected);
        }
    }
}
