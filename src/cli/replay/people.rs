//! The log for people at a terminal: one line each, with the event, its place, and the remedy.
//! Lines that repeat are folded.

use std::fmt::{self, Debug, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::terminal;

/// A line that is the same as one of this age is counted and not written.
const FOLD_TIME: Duration = Duration::from_secs(5);

/// Different lines that are remembered; the oldest are forgotten.
const MAX_FOLDED: usize = 32;

/// Fields that only programs and experts want.
const HIDDEN: [&str; 6] = [
    "leg",
    "client_id",
    "server_id",
    "base64",
    "duration_us",
    "log.target",
];

/// Formats events for people.
#[derive(Debug, Default)]
pub(super) struct People {
    folded: Mutex<Vec<Folded>>,
}

#[derive(Debug)]
struct Folded {
    words: String,
    written_at: Instant,
    more: u64,
}

/// An event in words.
#[derive(Debug, Default)]
struct Line {
    message: String,
    conversation: String,
    place: String,
    cause: String,
    help: String,
    rest: String,
}

impl Line {
    fn put(&mut self, name: &str, value: String) {
        match name {
            "message" => self.message = value,
            "conv" => self.conversation = value,
            "service" => self.place = value,
            "peer" if self.place.is_empty() => self.place = value,
            "error" | "end" => self.cause = lowercase(&value),
            "help" => self.help = value,
            // The first of its kind.
            "count" if value == "1" => {}
            _ if HIDDEN.contains(&name) || name == "peer" => {}
            _ => {
                let comma = if self.rest.is_empty() { "" } else { ", " };
                self.rest += comma;
                self.rest += &name.replace('_', " ");
                self.rest.push(' ');
                self.rest += &value;
            }
        }
    }

    /// The common text of lines that are folded: all but the conversation and numbers.
    fn words(&self) -> String {
        let mut words = self.place.clone();
        for part in [&self.message, &self.cause, &self.help] {
            if !part.is_empty() {
                if !words.is_empty() {
                    words += ": ";
                }
                words += part;
            }
        }
        words
    }

    fn text(&self) -> String {
        let mut text = self.conversation.clone();
        if !text.is_empty() {
            text += if self.place.is_empty() { ": " } else { " → " };
        }
        text += &self.words();
        if !self.rest.is_empty() {
            text += " (";
            text += &self.rest;
            text.push(')');
        }
        text
    }
}

/// The system's text begins with a capital and ends with a number.
fn lowercase(text: &str) -> String {
    let text = text.split(" (os error ").next().unwrap_or(text);
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

impl People {
    /// Whether to write a line now, and the number of lines like it that were left out before.
    fn fold(&self, now: Instant, words: String) -> Option<u64> {
        // Every change is complete before a panic could come.
        let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = folded.iter_mut().find(|known| known.words == words) {
            if now.duration_since(known.written_at) < FOLD_TIME {
                known.more += 1;
                return None;
            }
            known.written_at = now;
            return Some(std::mem::take(&mut known.more));
        }
        if folded.len() == MAX_FOLDED {
            folded.remove(0);
        }
        folded.push(Folded {
            words,
            written_at: now,
            more: 0,
        });
        Some(0)
    }

    fn write(&self, level: Level, line: &Line, out: &mut impl Write) -> fmt::Result {
        let Some(more) = self.fold(Instant::now(), line.words()) else {
            return Ok(());
        };
        let kind = match level {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        write!(out, "ministream-replay: {kind}{}", line.text())?;
        if more > 0 {
            write!(out, " (and {more} more like it)")?;
        }
        writeln!(out)
    }
}

impl<S, N> FormatEvent<S, N> for People
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let mut text = String::new();
        self.write(*event.metadata().level(), &line, &mut text)?;
        match text.strip_suffix('\n') {
            Some(text) => writer.write_str(&terminal::wrapped_line(format_args!("{text}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &[(&str, &str)]) -> Line {
        let mut line = Line::default();
        for (name, value) in fields {
            line.put(name, (*value).to_owned());
        }
        line
    }

    fn refused(conversation: &str) -> Line {
        line(&[
            ("message", "cannot connect"),
            ("count", "1"),
            ("leg", "target"),
            ("conv", conversation),
            ("client_id", "da7cba"),
            ("peer", "127.0.0.1:40112"),
            ("service", "127.0.0.1:80"),
            ("error", "Connection refused (os error 111)"),
            ("help", "is the service running?"),
        ])
    }

    #[test]
    fn a_line_says_what_where_and_what_to_do() {
        let people = People::default();
        let mut out = String::new();
        people
            .write(Level::WARN, &refused("c17"), &mut out)
            .unwrap();
        let notice = line(&[("message", "waiting for tcp://h:1 (connection refused)")]);
        people.write(Level::INFO, &notice, &mut out).unwrap();
        let counted = line(&[("message", "cut"), ("conv", "c2"), ("lost_bytes", "15")]);
        people.write(Level::WARN, &counted, &mut out).unwrap();
        assert_eq!(
            out,
            "ministream-replay: warning: c17 → 127.0.0.1:80: cannot connect: connection refused: \
             is the service running?\n\
             ministream-replay: waiting for tcp://h:1 (connection refused)\n\
             ministream-replay: warning: c2: cut (lost bytes 15)\n"
        );
    }

    #[test]
    fn lines_that_repeat_are_counted_and_told_with_the_next_one_after_a_while() {
        let people = People::default();
        let start = Instant::now();
        let words = || refused("c1").words();
        assert_eq!(words(), refused("c2").words());
        assert_eq!(people.fold(start, words()), Some(0));
        for _ in 0..3 {
            assert_eq!(people.fold(start + FOLD_TIME / 2, words()), None);
        }
        assert_eq!(people.fold(start, "another".to_owned()), Some(0));
        assert_eq!(people.fold(start + FOLD_TIME, words()), Some(3));
        assert_eq!(people.fold(start + 3 * FOLD_TIME, words()), Some(0));
        for number in 0..1_000 {
            people.fold(start, number.to_string());
        }
        assert_eq!(people.folded.lock().unwrap().len(), MAX_FOLDED);
    }
}
