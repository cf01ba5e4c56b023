//! Text within HTML and SVG.

use crate::text::write::{put, put_display};

/// Appends `text` so that it is text wherever it stands, between tags or in a
/// quoted attribute. A character that takes no room on a line is written as a
/// visible escape, as in every other output; text that came from the wire was
/// escaped before and holds none.
pub(crate) fn put_markup_text(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '&' => put(out, "&amp;"),
            '<' => put(out, "&lt;"),
            '>' => put(out, "&gt;"),
            '"' => put(out, "&quot;"),
            '\'' => put(out, "&#39;"),
            ' '..='~' => put(out, c.encode_utf8(&mut [0; 4])),
            _ if unicode_width::UnicodeWidthChar::width(c).is_some_and(|width| width > 0) => {
                put(out, c.encode_utf8(&mut [0; 4]));
            }
            _ => put_display(out, format_args!("\\u{{{:x}}}", u32::from(c))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::write::text_of;
    use proptest::prelude::*;

    #[test]
    fn markup_quotes_and_controls_are_shown_not_obeyed() {
        assert_eq!(
            text_of(|out| put_markup_text(out, "<b a=\"1\" c='2'>&amp;\u{1b}[2J\u{202e}\0größe")),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;\\u{1b}[2J\\u{202e}\\u{0}größe"
        );
    }

    proptest! {
        #[test]
        fn no_text_holds_what_ends_text(text in any::<String>()) {
            let markup = text_of(|out| put_markup_text(out, &text));
            prop_assert!(!markup.contains(['<', '>', '"', '\'']));
            prop_assert!(!markup.chars().any(char::is_control));
        }
    }
}
