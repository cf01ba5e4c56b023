//! Charts as SVG. Shapes carry classes; the page's style gives them their looks.

use crate::report::markup::put_markup_text;
use crate::text::write::{put, put_display};

/// A chart of upright bars side by side.
pub(in crate::report) struct Bars<'a> {
    /// The quantity, for those who do not see the picture.
    pub(in crate::report) about: &'a str,
    /// From left to right.
    pub(in crate::report) bars: Vec<Bar>,
    /// Words below some of the bars, at their left edges.
    pub(in crate::report) ticks: Vec<(usize, String)>,
    /// The text of a value.
    pub(in crate::report) value: fn(u64) -> String,
}

/// A bar: two values on top of each other.
pub(in crate::report) struct Bar {
    /// Class and value of each part, from below.
    pub(in crate::report) parts: [(&'static str, u64); 2],
    /// The text shown at the pointer.
    pub(in crate::report) hint: String,
}

/// A chart of lying bars, one a line, with their names.
pub(in crate::report) struct Lines<'a> {
    /// The quantity.
    pub(in crate::report) about: &'a str,
    /// Class, name and value of each.
    pub(in crate::report) lines: Vec<(&'static str, String, u64)>,
}

const WIDTH: u64 = 400;
const LEFT: u64 = 62;
const RIGHT: u64 = 396;
const TOP: u64 = 14;
const BOTTOM: u64 = 134;
const HEIGHT: u64 = 154;
/// Room that the words below a bar take.
const TICK_ROOM: u64 = 50;

/// Appends a chart of upright bars.
pub(in crate::report) fn put_bars(chart: &Bars<'_>, out: &mut Vec<u8>) {
    let sum = |bar: &Bar| bar.parts[0].1.saturating_add(bar.parts[1].1);
    let most = chart.bars.iter().map(sum).max().unwrap_or(0).max(1);
    put_start(chart.about, HEIGHT, out);
    for (value, y) in [(0, BOTTOM), (most, TOP)] {
        put_rule(y, out);
        put_text("", "end", LEFT - 6, y + 4, &(chart.value)(value), out);
    }
    let count = chart.bars.len() as u64;
    // Tenths of a unit, so that many bars still differ in their places.
    let place = |index: u64| LEFT * 10 + (RIGHT - LEFT) * 10 * index / count.max(1);
    for (index, bar) in (0_u64..).zip(&chart.bars) {
        if sum(bar) == 0 {
            continue;
        }
        let (x, end) = (place(index), place(index + 1));
        let gap = if end - x > 40 { 10 } else { 2 };
        put(out, "<g><title>");
        put_markup_text(out, &bar.hint);
        put(out, "</title>");
        let mut top = BOTTOM * 10;
        for (class, value) in bar.parts {
            let height = share((BOTTOM - TOP) * 10, value, most);
            if value > 0 {
                // However little it is, it is seen.
                let height = height.max(10);
                top = top.saturating_sub(height);
                put_rect(class, [x, top, end - x - gap.min(end - x - 1), height], out);
            }
        }
        put(out, "</g>");
    }
    for (index, words) in &chart.ticks {
        let x = place(*index as u64) / 10;
        let (anchor, x) = if x + TICK_ROOM > RIGHT {
            ("end", RIGHT)
        } else {
            ("start", x)
        };
        put_text("", anchor, x, BOTTOM + 15, words, out);
    }
    put(out, "</svg>");
}

/// Appends a chart of lying bars.
pub(in crate::report) fn put_lines(chart: &Lines<'_>, out: &mut Vec<u8>) {
    const NAMES: u64 = 92;
    const ROOM: u64 = 230;
    const LINE: u64 = 22;
    let most = chart
        .lines
        .iter()
        .map(|(_, _, value)| *value)
        .max()
        .unwrap_or(0)
        .max(1);
    put_start(chart.about, chart.lines.len() as u64 * LINE + 6, out);
    for (index, (class, name, value)) in (0_u64..).zip(&chart.lines) {
        let y = index * LINE;
        put(out, "<g>");
        put_text("name", "end", NAMES - 8, y + 16, name, out);
        let width = share(ROOM * 10, *value, most).max(u64::from(*value > 0) * 10);
        put_rect(class, [NAMES * 10, (y + 4) * 10, width, 160], out);
        put_text(
            "value",
            "start",
            NAMES + width / 10 + 6,
            y + 16,
            &grouped(*value),
            out,
        );
        put(out, "</g>");
    }
    put(out, "</svg>");
}

/// `whole` times `value` through `most`.
fn share(whole: u64, value: u64, most: u64) -> u64 {
    let share = u128::from(whole) * u128::from(value) / u128::from(most);
    u64::try_from(share).unwrap_or(whole)
}

fn put_start(about: &str, height: u64, out: &mut Vec<u8>) {
    put_display(
        out,
        format_args!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\""
        ),
    );
    put_markup_text(out, about);
    put(out, "\">");
}

fn put_rule(y: u64, out: &mut Vec<u8>) {
    put_display(
        out,
        format_args!("<line class=\"rule\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{RIGHT}\" y2=\"{y}\"/>"),
    );
}

/// Appends a rectangle; x, y, width and height are tenths.
fn put_rect(class: &str, [x, y, width, height]: [u64; 4], out: &mut Vec<u8>) {
    let tenths = |value: u64| format!("{}.{}", value / 10, value % 10);
    put_display(
        out,
        format_args!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            tenths(x),
            tenths(y),
            tenths(width),
            tenths(height)
        ),
    );
}

fn put_text(class: &str, anchor: &str, x: u64, y: u64, words: &str, out: &mut Vec<u8>) {
    put_display(
        out,
        format_args!("<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{y}\">"),
    );
    put_markup_text(out, words);
    put(out, "</text>");
}

/// A number with commas between its thousands: `6,800,000`.
pub(in crate::report) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::write::text_of;

    #[test]
    fn bars_of_any_size_stay_within_the_picture() {
        for count in [0_u64, 1, 2, 3, 120, 1000] {
            for value in [0, 1, u64::MAX / 4, u64::MAX] {
                let bar = |_| Bar {
                    parts: [("c2s", value), ("s2c", value)],
                    hint: "<hint>".to_owned(),
                };
                let chart = Bars {
                    about: "\"about\"",
                    bars: (0..count).map(bar).collect(),
                    ticks: vec![(0, "0 s".to_owned())],
                    value: |value| value.to_string(),
                };
                let svg = text_of(|out| put_bars(&chart, out));
                let drawn = if value == 0 { 0 } else { 2 * count };
                assert_eq!(svg.matches("<rect").count() as u64, drawn);
                assert!(
                    !svg.contains("<hint>") && !svg.contains("\"\"about"),
                    "{svg}"
                );
                for y in svg
                    .split("<rect")
                    .skip(1)
                    .filter_map(|rect| rect.split(" y=\"").nth(1))
                {
                    let y: f64 = y.split('"').next().unwrap().parse().unwrap();
                    assert!((0.0..=134.0).contains(&y), "{y}");
                }
            }
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
