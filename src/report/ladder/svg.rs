//! A ladder as SVG: a file of its own, or part of a page.
//!
//! Shapes carry classes and no styles; `ladder.css` gives them their looks.

use super::{Arrow, Heading, Ladder, Note, Row, remarks, title};
use crate::report::grid::cut;
use crate::report::markup::put_markup_text;
use crate::report::style::{Style, put_duration};
use crate::text::escape::columns_of;
use crate::text::wrap::wrapped;
use crate::text::write::{put, put_display, put_number, text_of};

/// The style of ladders.
pub(crate) const STYLE: &str = include_str!("ladder.css");

/// The place of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// In a file of its own, with its style.
    File,
    /// In a page, which has the style.
    Page,
}

/// Width of a character of the fixed-width font, in tenths of a unit.
pub(crate) const COLUMN_TENTHS: usize = 73;
/// The first lane, right of the times.
const FIRST_LANE: usize = 100;
/// Between two lanes, if the labels need no more.
const LEAST_GAP: usize = 170;
/// Room to the right of the last lane.
const INFO: usize = 330;
/// From the top to the end of the names.
const HEAD: usize = 44;
const ARROW_HEIGHT: usize = 38;
const IDLE_HEIGHT: usize = 26;
const LINE_HEIGHT: usize = 16;
const NOTE_MARGIN: usize = 6;
const FOOT: usize = 12;

/// Appends a ladder.
pub(crate) fn put_svg(ladder: &Ladder<'_>, style: &Style, place: Container, out: &mut Vec<u8>) {
    let drawing = Drawing::of(ladder, style);
    drawing.put_start(&title(ladder, style), place, out);
    drawing.put_lanes(ladder, out);
    let mut y = HEAD;
    for row in &drawing.rows {
        row.put(&drawing, y, out);
        y += row.height();
    }
    put(out, "</svg>\n");
}

/// A row, with its words in lines.
enum Line<'a> {
    Arrow(&'a Arrow),
    Idle(i64),
    Note(&'static str, Vec<String>),
}

struct Drawing<'a> {
    style: &'a Style,
    gap: usize,
    last_lane: usize,
    width: usize,
    height: usize,
    rows: Vec<Line<'a>>,
}

impl<'a> Drawing<'a> {
    fn of(ladder: &'a Ladder<'_>, style: &'a Style) -> Self {
        let labels = ladder.rows.iter().filter_map(|row| match row {
            Row::Arrow(arrow) => Some(columns_of(&arrow.label)),
            Row::Idle(_) | Row::Note(_) => None,
        });
        let gap = (labels.max().unwrap_or(0) + 4) * COLUMN_TENTHS / 10;
        let gap = gap.max(LEAST_GAP);
        let last_lane = FIRST_LANE + (ladder.lanes.len() - 1) * gap;
        let width = last_lane + INFO;
        let note_columns = (width - FIRST_LANE) * 10 / COLUMN_TENTHS;
        let mut rows: Vec<Line<'_>> = ladder
            .rows
            .iter()
            .map(|row| Line::of(row, note_columns))
            .collect();
        rows.extend(
            remarks(ladder, style).map(|text| Line::Note("note", wrapped(&text, note_columns))),
        );
        Self {
            style,
            gap,
            last_lane,
            width,
            height: HEAD + rows.iter().map(Line::height).sum::<usize>() + FOOT,
            rows,
        }
    }

    fn lane(&self, index: usize) -> usize {
        FIRST_LANE + index * self.gap
    }

    fn put_start(&self, title: &str, place: Container, out: &mut Vec<u8>) {
        put_display(
            out,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" role=\"group\" \
                 viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" aria-label=\"",
                width = self.width,
                height = self.height,
            ),
        );
        put_markup_text(out, title);
        put(out, "\">\n");
        if place == Container::File {
            put(out, "<style>");
            put(out, STYLE);
            put(
                out,
                "</style>\n<rect class=\"sheet\" width=\"100%\" height=\"100%\"/>\n",
            );
        }
    }

    fn put_lanes(&self, ladder: &Ladder<'_>, out: &mut Vec<u8>) {
        for (index, lane) in ladder.lanes.iter().enumerate() {
            let x = self.lane(index);
            put_words(out, "role", "middle", x, 16, lane.role);
            let columns = (self.gap - 10) * 10 / COLUMN_TENTHS;
            let name = fitted(&lane.name, columns, self.style);
            put_words(out, "name", "middle", x, 32, &name);
            put_display(
                out,
                format_args!(
                    "<line class=\"lane\" x1=\"{x}\" y1=\"{HEAD}\" x2=\"{x}\" y2=\"{}\"/>\n",
                    self.height - FOOT / 2
                ),
            );
        }
    }

    fn put_arrow(&self, arrow: &Arrow, y: usize, out: &mut Vec<u8>) {
        put(out, "<g class=\"arrow ");
        put(out, arrow.type_name);
        put(out, "\" data-n=\"");
        put_number(out, arrow.number);
        put(out, "\">");
        put_display(
            out,
            format_args!(
                "<rect class=\"hit\" x=\"2\" y=\"{}\" width=\"{}\" height=\"{ARROW_HEIGHT}\" rx=\"4\"/>",
                y + 2,
                self.width - 4,
            ),
        );
        put_words(out, "time", "end", FIRST_LANE - 10, y + 18, &arrow.time);
        let number = format!("#{}", arrow.number);
        put_words(out, "number", "end", FIRST_LANE - 10, y + 33, &number);
        let (from, to) = (self.lane(arrow.from), self.lane(arrow.to));
        put_words(
            out,
            "label",
            "middle",
            usize::midpoint(from, to),
            y + 18,
            &arrow.label,
        );
        put_stroke(arrow.heading, from, to, y + 26, out);
        self.put_info(arrow, y, out);
        put(out, "</g>\n");
    }

    fn put_info(&self, arrow: &Arrow, y: usize, out: &mut Vec<u8>) {
        let x = self.last_lane + 10;
        let columns = (INFO - 14) * 10 / COLUMN_TENTHS;
        let info = fitted(&arrow.info, columns, self.style);
        if !info.is_empty() {
            put_words(out, "info", "start", x, y + 18, &info);
        }
        if let Some(nanos) = arrow.since_ns {
            let since = text_of(|out| {
                put(out, if nanos < 0 { "" } else { "+" });
                put_duration(out, nanos, self.style.charset);
            });
            put_words(out, "since", "start", x, y + 33, &since);
        }
    }

    fn put_idle(&self, nanos: i64, y: usize, out: &mut Vec<u8>) {
        let text = text_of(|out| {
            put_duration(out, nanos, self.style.charset);
            put(out, " idle");
        });
        put(out, "<g class=\"idle\">");
        for x in (FIRST_LANE..=self.last_lane).step_by(self.gap) {
            let (top, bottom) = (y + 6, y + IDLE_HEIGHT - 4);
            for class in ["gap", "dots"] {
                put_display(
                    out,
                    format_args!(
                        "<line class=\"{class}\" x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{bottom}\"/>"
                    ),
                );
            }
        }
        let middle = usize::midpoint(FIRST_LANE, FIRST_LANE + self.gap);
        put_words(out, "", "middle", middle, y + 18, &text);
        put(out, "</g>\n");
    }
}

impl<'a> Line<'a> {
    fn of(row: &'a Row, note_columns: usize) -> Self {
        match row {
            Row::Arrow(arrow) => Self::Arrow(arrow),
            Row::Idle(nanos) => Self::Idle(*nanos),
            Row::Note(Note { level, text, .. }) => {
                let text = format!("{level}  {text}");
                Self::Note(level.name(), wrapped(&text, note_columns))
            }
        }
    }

    fn height(&self) -> usize {
        match self {
            Self::Arrow(_) => ARROW_HEIGHT,
            Self::Idle(_) => IDLE_HEIGHT,
            Self::Note(_, lines) => lines.len() * LINE_HEIGHT + NOTE_MARGIN,
        }
    }

    fn put(&self, drawing: &Drawing<'_>, y: usize, out: &mut Vec<u8>) {
        match self {
            Self::Arrow(arrow) => drawing.put_arrow(arrow, y, out),
            Self::Idle(nanos) => drawing.put_idle(*nanos, y, out),
            Self::Note(level, lines) => {
                put_display(out, format_args!("<g class=\"note {level}\">"));
                for (index, line) in lines.iter().enumerate() {
                    let bottom = y + 13 + index * LINE_HEIGHT;
                    put_words(out, "", "start", FIRST_LANE + 10, bottom, line);
                }
                put(out, "</g>\n");
            }
        }
    }
}

/// As much of `text` as fits.
pub(crate) fn fitted(text: &str, columns: usize, style: &Style) -> String {
    if columns_of(text) > columns {
        cut(text, columns, style.charset)
    } else {
        text.to_owned()
    }
}

/// Appends the line of an arrow and its head.
pub(crate) fn put_stroke(heading: Heading, from: usize, to: usize, y: usize, out: &mut Vec<u8>) {
    put_display(
        out,
        format_args!("<line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\"/>"),
    );
    if heading == Heading::Known {
        let back = if from < to { to - 9 } else { to + 9 };
        let (top, bottom) = (y - 4, y + 4);
        put_display(
            out,
            format_args!("<path d=\"M{to} {y}L{back} {top}V{bottom}Z\"/>"),
        );
    }
}

/// Appends words.
pub(crate) fn put_words(
    out: &mut Vec<u8>,
    class: &str,
    anchor: &str,
    x: usize,
    y: usize,
    words: &str,
) {
    put_display(
        out,
        format_args!("<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{y}\">"),
    );
    put_markup_text(out, words);
    put(out, "</text>");
}
