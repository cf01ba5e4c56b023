//! The target of the log, and its form.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::EnvFilter;

use super::error::ReplayError;
use super::line_queue::{self, LineQueue};
use super::people::People;
use super::shared_args::{LogArgs, LogFormat};
use crate::cli::terminal;
use crate::report::style::Colouring;

/// The variable with the filter of the log, as in `debug,carrier=trace`.
const VARIABLE: &str = "MINISTREAM_LOG";

/// Parts of the program that the variable may call by one word, and where their lines come from.
const PARTS: [(&str, &str); 2] = [
    ("carrier", "ministream::runtime::link"),
    ("tunnel", "ministream::runtime::tunnel"),
];

/// The queue before the file of `--log-file`.
static FILE: OnceLock<LineQueue> = OnceLock::new();

/// Begins to log. The variable goes before `-v`.
pub(super) fn begin(args: &LogArgs, verbose: u8) -> Result<(), ReplayError> {
    let filter = match std::env::var(VARIABLE) {
        Ok(filter) => EnvFilter::builder().parse(spelled_out(&filter))?,
        Err(_) => EnvFilter::new(match verbose {
            0 => "warn,ministream::notice=info",
            1 => "info",
            2 => "debug",
            _ => "trace",
        }),
    };
    let (writer, colour) = match &args.log_file {
        None => (
            line_queue::stderr().clone(),
            terminal::colour(args.color, &io::stderr()),
        ),
        Some(path) => {
            let file = LogFile::open(path).map_err(|source| ReplayError::Write {
                path: path.clone(),
                source,
            })?;
            let queue = FILE.get_or_init(|| LineQueue::before_log(file));
            (queue.clone(), Colouring::Never)
        }
    };
    let format = args.log_format.unwrap_or_else(|| {
        let terminal = args.log_file.is_none() && io::stderr().is_terminal();
        if terminal && verbose == 0 {
            LogFormat::People
        } else {
            LogFormat::Text
        }
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .log_internal_errors(false)
        .with_ansi(colour == Colouring::Ansi);
    match format {
        LogFormat::People => log.event_format(People::default()).init(),
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The file of `--log-file`, under whatever name it has now.
struct LogFile {
    path: PathBuf,
    file: File,
    /// The number of requests to reopen it when it was opened.
    opened_for: u64,
}

/// The number of requests to reopen the file.
static ASKED_ANEW: AtomicU64 = AtomicU64::new(0);

/// Has the file opened anew before the next line: somebody may have moved it away.
pub(super) fn reopen() {
    ASKED_ANEW.fetch_add(1, Ordering::Relaxed);
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            opened_for: ASKED_ANEW.load(Ordering::Relaxed),
            file: OpenOptions::new().create(true).append(true).open(path)?,
        })
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.opened_for != ASKED_ANEW.load(Ordering::Relaxed) {
            *self = Self::open(&self.path.clone())?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Waits until the log is written, as far as it can be.
pub(super) fn finish() {
    if let Some(file) = FILE.get() {
        file.finish();
    }
    line_queue::stderr().finish();
}

/// The same before each of many lines: a terminal that is stopped is waited for once.
pub(super) fn catch_up() {
    if let Some(file) = FILE.get() {
        file.catch_up();
    }
    line_queue::stderr().catch_up();
}

/// A filter with the targets that its one-word names stand for.
fn spelled_out(filter: &str) -> String {
    let directives: Vec<String> = filter.split(',').map(directive_of).collect();
    directives.join(",")
}

fn directive_of(directive: &str) -> String {
    let directive = directive.trim();
    let end = directive.find(['=', '[']).unwrap_or(directive.len());
    let (name, rest) = directive.split_at(end);
    let part = PARTS.iter().find(|(word, _)| *word == name);
    format!("{}{rest}", part.map_or(name, |(_, target)| target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_names_of_parts_become_their_targets_and_nothing_else_changes() {
        for (given, expected) in [
            (
                "debug,carrier=trace",
                "debug,ministream::runtime::link=trace",
            ),
            ("carrier", "ministream::runtime::link"),
            (
                "warn, tunnel[x]=info",
                "warn,ministream::runtime::tunnel[x]=info",
            ),
            ("ministream::session=debug", "ministream::session=debug"),
            ("carriers=info,trace", "carriers=info,trace"),
            ("", ""),
        ] {
            assert_eq!(spelled_out(given), expected);
        }
    }
}
