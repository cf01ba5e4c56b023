//! A ladder as a Mermaid sequence diagram in a fenced block, for Markdown.

use super::{Arrow, Heading, Ladder, Row, remarks, title};
use crate::report::style::{Style, put_duration};
use crate::text::write::{put, put_number, text_of};

/// The names of the lanes within the diagram.
const LANES: [&str; 3] = ["a", "b", "c"];

/// Appends a ladder, and an empty line.
pub(super) fn put_mermaid(ladder: &Ladder<'_>, style: &Style, out: &mut Vec<u8>) {
    put(out, "```mermaid\nsequenceDiagram\n");
    put(out, "    accTitle: ");
    put_text(&title(ladder, style), out);
    out.push(b'\n');
    for (lane, name) in ladder.lanes.iter().zip(LANES) {
        put(out, "    participant ");
        put(out, name);
        put(out, " as ");
        put(out, lane.role);
        out.push(b' ');
        put_text(&lane.name, out);
        out.push(b'\n');
    }
    let span = [LANES[0], LANES[ladder.lanes.len() - 1]].join(",");
    for row in &ladder.rows {
        match row {
            Row::Arrow(arrow) => put_arrow(arrow, style, out),
            Row::Idle(nanos) => put_note(&span, &idle(*nanos, style), out),
            Row::Note(note) => put_note(&span, &format!("{} {}", note.level, note.text), out),
        }
    }
    for text in remarks(ladder, style) {
        put_note(&span, &text, out);
    }
    put(out, "```\n\n");
}

fn put_arrow(arrow: &Arrow, style: &Style, out: &mut Vec<u8>) {
    put(out, "    ");
    put(out, LANES[arrow.from]);
    put(
        out,
        match arrow.heading {
            Heading::Known => "->>",
            Heading::Unknown => "->",
        },
    );
    put(out, LANES[arrow.to]);
    put(out, ": ");
    let text = text_of(|out| {
        out.push(b'#');
        put_number(out, arrow.number);
        out.push(b' ');
        put(out, &arrow.label);
        if let Some(nanos) = arrow.since_ns {
            put(out, if nanos < 0 { ", " } else { ", +" });
            put_duration(out, nanos, style.charset);
        }
    });
    put_text(&text, out);
    if !arrow.info.is_empty() {
        put(out, "<br/>");
        put_text(&arrow.info, out);
    }
    out.push(b'\n');
}

fn idle(nanos: i64, style: &Style) -> String {
    text_of(|out| {
        put_duration(out, nanos, style.charset);
        put(out, " idle");
    })
}

fn put_note(span: &str, text: &str, out: &mut Vec<u8>) {
    put(out, "    Note over ");
    put(out, span);
    put(out, ": ");
    put_text(text, out);
    out.push(b'\n');
}

/// Appends text that means nothing to Mermaid, to the HTML it makes, or to the
/// Markdown around it: all but plain characters as entities.
fn put_text(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        let is_plain = !c.is_ascii() || c.is_ascii_alphanumeric() || " .,/+-".contains(c);
        if is_plain {
            put(out, c.encode_utf8(&mut [0; 4]));
        } else {
            out.push(b'#');
            put_number(out, u32::from(c));
            out.push(b';');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::put_text;
    use crate::text::write::text_of;

    #[test]
    fn text_cannot_end_a_statement_or_begin_markup() {
        assert_eq!(
            text_of(|out| put_text("a; b: <b>`x`</b> #1 %% \"größe\" -->>", out)),
            "a#59; b#58; #60;b#62;#96;x#96;#60;/b#62; #35;1 #37;#37; #34;größe#34; --#62;#62;"
        );
    }
}
