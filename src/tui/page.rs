//! Lines to scroll through: a message, a stream, the keys.

use super::{Detail, StreamChunk};
use crate::text::escape::columns_of;
use crate::text::wrap;
use crate::wire::Direction;

/// Columns of a line of hex.
const HEX_COLUMNS: usize = 76;

/// Lines, and where the screen begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) title: String,
    body: Body,
    pub(super) top: usize,
    /// The line that was found last.
    pub(super) found: Option<usize>,
}

#[derive(Clone, Debug)]
enum Body {
    Lines(Vec<Line>),
    /// Fields and bytes, side by side where there is room.
    Message(Detail),
}

impl Default for Body {
    fn default() -> Self {
        Self::Lines(Vec::new())
    }
}

/// A line of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Heading,
    Client,
    Server,
}

impl Page {
    pub(super) fn of_text(title: String, text: &str) -> Self {
        let plain = |text: &str| Line {
            text: text.to_owned(),
            tone: Tone::Plain,
        };
        Self {
            title,
            body: Body::Lines(text.lines().map(plain).collect()),
            ..Self::default()
        }
    }

    pub(super) fn of_message(title: String, detail: Detail) -> Self {
        Self {
            title,
            body: Body::Message(detail),
            ..Self::default()
        }
    }

    pub(super) fn of_stream(title: String, chunks: Vec<StreamChunk>) -> Self {
        let mut lines = Vec::new();
        for chunk in chunks {
            lines.push(Line {
                text: chunk.head,
                tone: Tone::Heading,
            });
            let tone = match chunk.direction {
                Some(Direction::ServerToClient) => Tone::Server,
                _ => Tone::Client,
            };
            lines.extend(chunk.lines.into_iter().map(|text| Line { text, tone }));
        }
        Self {
            title,
            body: Body::Lines(lines),
            ..Self::default()
        }
    }

    /// Its lines as they are on a screen of so many columns.
    pub(super) fn lines(&self, columns: usize) -> Vec<Line> {
        let plain = |text: String| Line {
            text,
            tone: Tone::Plain,
        };
        match &self.body {
            Body::Lines(lines) => lines
                .iter()
                .flat_map(|line| {
                    let tone = line.tone;
                    wrapped(&line.text, columns).map(move |text| Line { text, tone })
                })
                .collect(),
            Body::Message(detail) if columns >= HEX_COLUMNS + 40 => {
                let left = columns - HEX_COLUMNS - 2;
                let fields: Vec<String> = detail
                    .fields
                    .iter()
                    .flat_map(|line| wrapped(line, left))
                    .collect();
                (0..fields.len().max(detail.hex.len()))
                    .map(|index| {
                        let field = fields.get(index).map_or("", |line| line);
                        let hex = detail.hex.get(index).map_or("", |line| line);
                        let gap = " ".repeat(left - columns_of(field));
                        plain(format!("{field}{gap}│ {hex}"))
                    })
                    .collect()
            }
            Body::Message(detail) => detail
                .fields
                .iter()
                .flat_map(|line| wrapped(line, columns))
                .chain([String::new()])
                .chain(detail.hex.iter().cloned())
                .map(plain)
                .collect(),
        }
    }
}

/// A line in pieces of at most so many columns, broken between words, and within those that
/// are longer.
pub(super) fn wrapped(text: &str, columns: usize) -> impl Iterator<Item = String> + use<> {
    let columns = columns.max(2);
    wrap::wrapped(text, columns)
        .into_iter()
        .flat_map(move |line| broken(&line, columns))
}

/// A line in pieces of at most so many columns, wherever that breaks it.
fn broken(text: &str, columns: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + width > columns {
            pieces.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}
