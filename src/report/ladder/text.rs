//! A ladder for terminals.
//!
//! ```text
//! c1  111111/ffffff  server closed, udp, 206 ms
//! client 127.0.0.1:40112, server 127.0.0.1:9004
//!
//!           client                 server
//! 0.000000  │ SYN 111111  387 B    │ opens c1
//!       #1  ├─────────────────────▶│
//! 0.004000  │  ACK 111111 → ffffff │ +4.0 ms
//!       #2  │◀─────────────────────┤
//!           │       ⋮ 100 ms       │
//! ```

use super::{Arrow, Heading, Ladder, Note, Row};
use crate::report::grid::{Colour, cut};
use crate::report::style::{Style, put_duration};
use crate::text::escape::{Charset, columns_of};
use crate::text::wrap::{put_wrapped, wrapped};
use crate::text::write::{put, put_spaces, text_of};

/// Columns between two lanes, if the labels need no more.
const LEAST_GAP: usize = 22;

/// Columns below which the meaning of a message is left out.
const LEAST_INFO: usize = 12;

/// Columns for the words of a finding, however narrow the terminal is.
const LEAST_NOTE: usize = 24;

/// Columns between the times and the first lane.
const AFTER_GUTTER: usize = 2;

/// The characters that a ladder is drawn with.
struct Strokes {
    lane: &'static str,
    leaves_right: &'static str,
    leaves_left: &'static str,
    line: &'static str,
    right_head: &'static str,
    left_head: &'static str,
    silence: &'static str,
}

const UNICODE: Strokes = Strokes {
    lane: "│",
    leaves_right: "├",
    leaves_left: "┤",
    line: "─",
    right_head: "▶",
    left_head: "◀",
    silence: "⋮",
};

const ASCII: Strokes = Strokes {
    lane: "|",
    leaves_right: "+",
    leaves_left: "+",
    line: "-",
    right_head: ">",
    left_head: "<",
    silence: ":",
};

/// Appends a ladder, and an empty line.
pub(super) fn put_text(ladder: &Ladder<'_>, style: &Style, out: &mut Vec<u8>) {
    put_heading(ladder, style, out);
    Drawing::of(ladder, style).put(ladder, out);
    put_remarks(ladder, style, out);
    out.push(b'\n');
}

fn put_heading(ladder: &Ladder<'_>, style: &Style, out: &mut Vec<u8>) {
    put_wrapped(&super::title(ladder, style), style.width, out);
    let lanes = ladder.lanes.iter();
    let lanes: Vec<String> = lanes
        .map(|lane| format!("{} {}", lane.role, lane.name))
        .collect();
    put_wrapped(&lanes.join(", "), style.width, out);
    out.push(b'\n');
}

fn put_remarks(ladder: &Ladder<'_>, style: &Style, out: &mut Vec<u8>) {
    if let Some(text) = super::left_out(ladder) {
        put(out, style.charset.ellipsis());
        out.push(b' ');
        put(out, &text);
        out.push(b'\n');
    }
    if let Some(notice) = style.redacted.notice() {
        put_wrapped(notice, style.width, out);
    }
}

/// The columns of a drawing.
struct Drawing<'a> {
    style: &'a Style,
    strokes: &'static Strokes,
    lanes: usize,
    /// Columns of the times and numbers on the left.
    gutter: usize,
    /// Columns between two lanes.
    gap: usize,
    /// Columns to the right of the last lane.
    room: usize,
}

impl<'a> Drawing<'a> {
    fn of(ladder: &Ladder<'_>, style: &'a Style) -> Self {
        let mut gutter = 0;
        let mut gap = LEAST_GAP;
        for row in &ladder.rows {
            if let Row::Arrow(arrow) = row {
                gutter = gutter.max(columns_of(&arrow.time));
                gap = gap.max(columns_of(&arrow.label) + 2);
            }
        }
        let lanes = ladder.lanes.len();
        let used = gutter + AFTER_GUTTER + lanes + (lanes - 1) * gap + 1;
        Self {
            style,
            strokes: match style.charset {
                Charset::Unicode => &UNICODE,
                Charset::Ascii => &ASCII,
            },
            lanes,
            gutter,
            gap,
            room: style.width.saturating_sub(used),
        }
    }

    fn put(&self, ladder: &Ladder<'_>, out: &mut Vec<u8>) {
        self.put_roles(ladder, out);
        for row in &ladder.rows {
            match row {
                Row::Arrow(arrow) => {
                    self.put_label(arrow, out);
                    self.put_arrow(arrow, out);
                }
                Row::Idle(nanos) => self.put_idle(*nanos, out),
                Row::Note(note) => self.put_note(note, out),
            }
        }
    }

    fn put_roles(&self, ladder: &Ladder<'_>, out: &mut Vec<u8>) {
        put_spaces(out, self.gutter + AFTER_GUTTER);
        for (index, lane) in ladder.lanes.iter().enumerate() {
            put(out, lane.role);
            if index + 1 < self.lanes {
                put_spaces(out, (self.gap + 1).saturating_sub(lane.role.len()));
            }
        }
        out.push(b'\n');
    }

    /// The line with the words of a message: above its arrow, away from its head.
    fn put_label(&self, arrow: &Arrow, out: &mut Vec<u8>) {
        self.put_gutter(&arrow.time, out);
        let space = self.gap - columns_of(&arrow.label);
        let (before, after) = if arrow.from <= arrow.to {
            (1, space - 1)
        } else {
            (space - 1, 1)
        };
        self.put_lanes(out, |gap, out| {
            if gap == arrow.from.min(arrow.to) {
                put_spaces(out, before);
                arrow.colour.put(out, &arrow.label);
                put_spaces(out, after);
            } else {
                put_spaces(out, self.gap);
            }
        });
        let info = self.info(arrow);
        if !info.is_empty() {
            out.push(b' ');
            put(out, &info);
        }
        out.push(b'\n');
    }

    /// Time since the message above, and meaning or payload.
    fn info(&self, arrow: &Arrow) -> String {
        if self.room < LEAST_INFO {
            return String::new();
        }
        let text = text_of(|out| {
            if let Some(nanos) = arrow.since_ns {
                put(out, if nanos < 0 { "" } else { "+" });
                put_duration(out, nanos, self.style.charset);
            }
            if arrow.since_ns.is_some() && !arrow.info.is_empty() {
                put(out, "  ");
            }
            put(out, &arrow.info);
        });
        if columns_of(&text) > self.room {
            cut(&text, self.room, self.style.charset)
        } else {
            text
        }
    }

    fn put_arrow(&self, arrow: &Arrow, out: &mut Vec<u8>) {
        let strokes = self.strokes;
        self.put_gutter(&format!("#{}", arrow.number), out);
        let mut lane = Vec::new();
        let line = |out: &mut Vec<u8>, columns: usize| {
            for _ in 0..columns {
                put(out, strokes.line);
            }
        };
        let is_rightward = arrow.from <= arrow.to;
        let gap = arrow.from.min(arrow.to);
        match (arrow.heading, is_rightward) {
            (Heading::Unknown, _) => line(&mut lane, self.gap),
            (Heading::Known, true) => {
                line(&mut lane, self.gap - 1);
                put(&mut lane, strokes.right_head);
            }
            (Heading::Known, false) => {
                put(&mut lane, strokes.left_head);
                line(&mut lane, self.gap - 1);
            }
        }
        for index in 0..self.lanes {
            let stroke = if arrow.from != index {
                strokes.lane
            } else if is_rightward {
                strokes.leaves_right
            } else {
                strokes.leaves_left
            };
            put(out, stroke);
            if index == gap {
                arrow.colour.put(out, &lane);
            } else if index + 1 < self.lanes {
                put_spaces(out, self.gap);
            }
        }
        out.push(b'\n');
    }

    fn put_idle(&self, nanos: i64, out: &mut Vec<u8>) {
        let text = text_of(|out| {
            put(out, self.strokes.silence);
            out.push(b' ');
            put_duration(out, nanos, self.style.charset);
        });
        let space = self.gap.saturating_sub(columns_of(&text));
        self.put_gutter("", out);
        self.put_lanes(out, |_, out| {
            put_spaces(out, space / 2);
            self.style.colour(Colour::Dim).put(out, &text);
            put_spaces(out, space - space / 2);
        });
        out.push(b'\n');
    }

    /// The words of a finding, over as many lines as they take.
    fn put_note(&self, note: &Note, out: &mut Vec<u8>) {
        let words = format!("! {} {}", note.level, note.text);
        let indent = self.gutter + AFTER_GUTTER;
        let width = self.style.width.saturating_sub(indent).max(LEAST_NOTE);
        let colour = self.style.colour_of_level(Some(note.level));
        for (index, line) in wrapped(&words, width - 2).iter().enumerate() {
            put_spaces(out, if index == 0 { indent } else { indent + 2 });
            colour.put(out, line);
            out.push(b'\n');
        }
    }

    fn put_gutter(&self, text: &str, out: &mut Vec<u8>) {
        put_spaces(out, self.gutter.saturating_sub(columns_of(text)));
        put(out, text);
        put_spaces(out, AFTER_GUTTER);
    }

    /// The lanes, with the output of `put_gap` between them.
    fn put_lanes(&self, out: &mut Vec<u8>, mut put_gap: impl FnMut(usize, &mut Vec<u8>)) {
        put(out, self.strokes.lane);
        for gap in 0..self.lanes - 1 {
            put_gap(gap, out);
            put(out, self.strokes.lane);
        }
    }
}
