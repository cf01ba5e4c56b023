//! Lines broken between words, so that no terminal breaks them within one.

use super::escape::columns_of;
use super::write::{put, put_spaces};

/// Columns by which further lines are indented.
const MORE_INDENT: usize = 2;

/// `text` in lines of at most `width` columns, broken at spaces where there are any; a word
/// that is longer has a line of its own, and a flag stays with its value, so that both can be
/// copied. Spaces at the beginning are kept.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let words = text.trim_start_matches(' ');
    let mut lines = vec![text[..text.len() - words.len()].to_owned()];
    let mut used = text.len() - words.len();
    let mut is_at_start = true;
    for word in unbroken(words) {
        let needed = columns_of(word);
        if !is_at_start && used + 1 + needed > width {
            lines.push(String::new());
            used = 0;
            is_at_start = true;
        }
        let line = lines.last_mut().expect("there is a line from the start");
        if !is_at_start {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += needed;
        is_at_start = false;
    }
    lines
}

/// The words of `text`, a flag with the word behind it.
fn unbroken(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut spaces = text.match_indices(' ').map(|(index, _)| index);
        let mut end = spaces.next();
        if end.is_some_and(|end| end > 1) && text.starts_with('-') {
            end = spaces.next();
        }
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// Appends each line of `text`, as wide as the terminal at most; the rest follows, further
/// indented.
pub(crate) fn put_wrapped(text: &str, width: usize, out: &mut Vec<u8>) {
    for line in text.lines() {
        if columns_of(line) <= width {
            put(out, line);
            out.push(b'\n');
            continue;
        }
        let words = line.trim_start_matches(' ');
        let indent = line.len() - words.len();
        let room = width.saturating_sub(indent + MORE_INDENT);
        for (index, piece) in wrapped(words, room).iter().enumerate() {
            put_spaces(out, indent + if index == 0 { 0 } else { MORE_INDENT });
            put(out, piece.trim_end_matches(' '));
            out.push(b'\n');
        }
    }
}

/// Appends `text` behind the text on its line, which takes `indent` columns: the rest follows below
/// it.
#[cfg(feature = "endpoints")]
pub(crate) fn put_hanging(text: &str, indent: usize, width: usize, out: &mut Vec<u8>) {
    let room = width.saturating_sub(indent);
    for (index, piece) in wrapped(text, room).iter().enumerate() {
        if index > 0 {
            put_spaces(out, indent);
        }
        put(out, piece.trim_end_matches(' '));
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::write::text_of;
    use proptest::prelude::*;

    #[test]
    fn words_are_broken_at_spaces_and_never_lost() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrapped("overlong a b", 4), ["overlong", "a b"]);
        assert_eq!(wrapped("  a b  c", 6), ["  a b ", "c"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(
            wrapped("read it with -d rule", 16),
            ["read it with", "-d rule"]
        );
        assert_eq!(wrapped("a - b -d", 4), ["a -", "b -d"]);
    }

    #[test]
    fn what_fits_is_left_alone_and_what_does_not_is_indented() {
        let text = text_of(|out| put_wrapped("one two\none two three four\n\n", 9, out));
        assert_eq!(text, "one two\none two\n  three\n  four\n\n");
        let text = text_of(|out| put_wrapped("  one two three four", 11, out));
        assert_eq!(text, "  one two\n    three\n    four\n");
    }

    #[cfg(feature = "endpoints")]
    #[test]
    fn what_hangs_stands_below_its_beginning() {
        let text = text_of(|out| {
            put(out, "ms/1  ");
            put_hanging("one two three", 6, 14, out);
        });
        assert_eq!(text, "ms/1  one two\n      three\n");
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_but_for_a_long_word(text in "[a-z日 -]{0,60}", width in 4_usize..20) {
            let lines = wrapped(&text, width);
            prop_assert_eq!(lines.join(" ").replace(' ', ""), text.replace(' ', ""));
            for line in lines {
                let is_a_word = unbroken(line.trim()).count() == 1;
                prop_assert!(columns_of(&line) <= width || is_a_word, "{:?}", line);
            }
        }
    }
}
