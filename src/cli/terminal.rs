//! The abilities of the terminal, and the local time zone.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use super::args::When;
use crate::end_request::take_echo;
use crate::report::style::Colouring;
use crate::text::escape::{Charset, escape};
use crate::text::wrap::put_wrapped;
use crate::text::write::text_of;
use crate::time::Timestamp;

/// Columns where their number is not known.
const DEFAULT_WIDTH: usize = 120;

/// The narrowest terminal that tables are drawn for.
const MIN_WIDTH: usize = 40;

/// Puts a line on standard error. Where that cannot be written, there is nobody to read it.
pub(crate) fn print_line(line: fmt::Arguments<'_>) {
    drop(io::stderr().write_all(wrapped_line(line).as_bytes()));
}

/// A line for standard error with its end; on a terminal broken between words. Text that may be a
/// command to paste is left whole.
pub(crate) fn wrapped_line(line: fmt::Arguments<'_>) -> String {
    let line = without_controls(&format!("{line}\n"));
    let columns = terminal_size::terminal_size_of(io::stderr());
    // Behind the echo of Ctrl-C it would be too long by two columns.
    let begin = if is_behind_echo() { "\n" } else { "" };
    match columns {
        Some((columns, _)) if !line.trim_start().starts_with("help: ") => {
            let width = usize::from(columns.0).max(MIN_WIDTH);
            begin.to_owned() + &text_of(|out| put_wrapped(&line, width, out))
        }
        _ => begin.to_owned() + &line,
    }
}

/// Whether standard error is a terminal on which the next line stands behind the echo of Ctrl-C;
/// asked once for each.
pub(crate) fn is_behind_echo() -> bool {
    io::stderr().is_terminal() && take_echo()
}

/// Text in which no character drives a terminal: a name of a file may have any.
fn without_controls(text: &str) -> String {
    let mut shown = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for c in text.chars() {
        let bytes = c.encode_utf8(&mut buffer).as_bytes();
        match c {
            // A backslash, too, stands for itself: nobody reads this back.
            '\n' | ' '..='~' => shown.extend_from_slice(bytes),
            _ => escape(bytes, Charset::Unicode, &mut shown),
        }
    }
    String::from_utf8(shown).expect("characters and escapes are UTF-8")
}

/// Columns of standard output: the terminal's, else `COLUMNS`, else 120.
pub(crate) fn width() -> usize {
    known_width().unwrap_or(DEFAULT_WIDTH)
}

/// The same, where something says so.
pub(crate) fn known_width() -> Option<usize> {
    let terminals = size().map(|(columns, _)| columns);
    let columns = terminals.or_else(|| env::var("COLUMNS").ok()?.parse().ok());
    columns.map(|columns| columns.max(MIN_WIDTH))
}

/// Columns and rows of the terminal that standard output is; `None` where it is none.
pub(crate) fn size() -> Option<(usize, usize)> {
    terminal_size::terminal_size_of(io::stdout())
        .map(|(columns, rows)| (usize::from(columns.0), usize::from(rows.0)))
}

/// Whether to colour a stream (<https://no-color.org>, <https://bixense.com/clicolors>).
pub(crate) fn colour(when: When, stream: &impl IsTerminal) -> Colouring {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_forced = is_set("CLICOLOR_FORCE") && env::var_os("CLICOLOR_FORCE") != Some("0".into());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let wanted = match when {
        When::Always => true,
        When::Never => false,
        When::Auto if is_set("NO_COLOR") => false,
        When::Auto if is_forced => true,
        When::Auto => !is_dumb && stream.is_terminal(),
    };
    if wanted {
        Colouring::Ansi
    } else {
        Colouring::Never
    }
}

/// The characters of the locale: ASCII when one is set that is not UTF-8.
pub(crate) fn charset() -> Charset {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| env::var(name).ok())
        .find(|value| !value.is_empty());
    match locale {
        Some(locale) if !is_utf8(&locale) => Charset::Ascii,
        _ => Charset::Unicode,
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Seconds that local time is ahead of UTC at `time`.
pub(crate) fn local_offset(time: Timestamp) -> i64 {
    jiff::Timestamp::from_nanosecond(time.as_nanos().into()).map_or(0, |time| {
        jiff::tz::TimeZone::system()
            .to_offset(time)
            .seconds()
            .into()
    })
}
