//! Jobs that take a while: this program, run on the records or on the input.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::iter;
use std::mem;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::super::args::DumpArgs;
use super::super::exit::Ending;
use super::super::terminal::print_line;
use crate::end_request::note_echo;
use crate::tui::ExportFormat;

/// Between two looks at whether a file is written.
const STILL_WRITING: Duration = Duration::from_millis(20);

/// The result of a job.
pub(super) enum JobResult {
    /// Something to say.
    Message(String),
    /// The conversations in which a message matches.
    Matching { filter: String, numbers: Vec<u32> },
}

/// The source of conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Captures, which can be read again: sooner than the records that were made of them.
    Captures,
    /// A pipe, or records of which some were left out.
    Once,
    /// An interface.
    Live,
}

/// The packets that are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packets {
    /// Those of the input, which can be read again.
    OfInput,
    /// Those that were kept of it in this file. It is empty where the input is records, and gone if
    /// one could not be kept.
    Kept(PathBuf),
    /// They are made of the records, from which secrets were taken (`--redact`): packets as they
    /// came would bring these to the disk.
    InRecords,
}

impl Packets {
    /// The arguments for keeping them.
    pub(super) fn keeping(&self) -> impl Iterator<Item = OsString> {
        let path = match self {
            Self::Kept(path) => Some(path),
            Self::OfInput | Self::InRecords => None,
        };
        path.into_iter()
            .flat_map(|path| named(DumpArgs::KEEP_PACKETS, path))
    }
}

/// A file that is being written.
struct Writing {
    path: String,
    job: JoinHandle<()>,
}

/// Jobs on threads of their own.
pub(super) struct Jobs {
    arguments: Vec<OsString>,
    source: Source,
    packets: Packets,
    records: PathBuf,
    filter: Option<String>,
    /// The files that are being written.
    writing: Vec<Writing>,
    sender: Sender<JobResult>,
    receiver: Receiver<JobResult>,
}

impl Jobs {
    /// `arguments` are those with which the conversations were read, `records` their records
    /// so far.
    pub(super) fn new(
        arguments: Vec<OsString>,
        source: Source,
        records: PathBuf,
        packets: Packets,
    ) -> Self {
        let (sender, receiver) = channel();
        Self {
            arguments,
            source,
            packets,
            records,
            filter: None,
            writing: Vec::new(),
            sender,
            receiver,
        }
    }

    /// The result of the next job that is over.
    pub(super) fn next(&self) -> Option<JobResult> {
        let outcome = self.receiver.try_recv().ok()?;
        match &outcome {
            // Another filter was asked for meanwhile.
            JobResult::Matching { filter, .. } if Some(filter) != self.filter.as_ref() => None,
            _ => Some(outcome),
        }
    }

    /// The filter that was asked for last.
    pub(super) fn filter(&self) -> Option<String> {
        self.filter.clone()
    }

    pub(super) fn forget_filter(&mut self) {
        self.filter = None;
    }

    /// Finds the conversations in which a message matches.
    pub(super) fn filter_by(&mut self, filter: String) {
        self.filter = Some(filter.clone());
        let mut arguments = match self.source {
            Source::Captures => self.arguments.clone(),
            Source::Once | Source::Live => self.records_argument(),
        };
        arguments.extend(["-T", "fields", "-e", "conv", "-Y"].map(OsString::from));
        arguments.push(OsString::from(&filter));
        self.spawn(move || {
            let mut numbers = Vec::new();
            let output = run_and_read(program(&arguments)?, |name| {
                let number = name.strip_prefix('c').and_then(|name| name.parse().ok());
                // One after the other they are mostly of one conversation.
                numbers.extend(number.filter(|number| numbers.last() != Some(number)));
            })?;
            // Records that still grow end without their summary.
            if !matches!(output.status.code(), Some(0 | 3)) {
                return Ok(JobResult::Message(last_words(&output)));
            }
            Ok(JobResult::Matching { filter, numbers })
        });
    }

    /// Writes conversations.
    pub(super) fn write(&mut self, format: ExportFormat, path: String, numbers: &[u32]) {
        let names: Vec<String> = numbers.iter().map(|number| format!("c{number}")).collect();
        let (flag, mut arguments) = match format {
            ExportFormat::Packets => match self.packet_arguments() {
                Some(arguments) => ("-w", arguments),
                None => {
                    let text = "packets are no longer kept, the end of the program says why; E and H still write";
                    return self.send_message(text.to_owned());
                }
            },
            ExportFormat::Streams => ("--export", self.records_argument()),
            ExportFormat::Page => ("--html", self.records_argument()),
        };
        arguments.extend(["--conv", &names.join(","), flag, &path].map(OsString::from));
        let shown = path.clone();
        let job = self.spawn(move || {
            let output = program(&arguments)?.output()?;
            Ok(JobResult::Message(match output.status.code() {
                // A failed check (--fail-on), or an input that is cut, also where it still grows.
                Some(0 | 1 | 3) => format!("wrote {path}"),
                _ => last_words(&output),
            }))
        });
        self.writing.retain(|writing| !writing.job.is_finished());
        self.writing.push(Writing { path: shown, job });
    }

    /// Waits for the files that are being written, whose packets and records go with this program,
    /// until `is_enough`. Says on standard error how they went.
    pub(super) fn await_written(&mut self, is_enough: impl Fn() -> bool) -> Ending {
        let mut writing = mem::take(&mut self.writing);
        writing.retain(|writing| !writing.job.is_finished());
        let mut writing = writing.into_iter();
        while let Some(first) = writing.next() {
            if !is_enough() {
                let path = &first.path;
                print_line(format_args!("writing {path}; Ctrl-C leaves it unfinished"));
            }
            while !first.job.is_finished() && !is_enough() {
                thread::sleep(STILL_WRITING);
            }
            if is_enough() {
                note_echo();
                for unfinished in iter::once(first).chain(writing) {
                    print_line(format_args!("{} is not finished", unfinished.path));
                }
                return Ending::Interrupted;
            }
        }
        while let Ok(result) = self.receiver.try_recv() {
            if let JobResult::Message(text) = result {
                print_line(format_args!("{text}"));
            }
        }
        Ending::Fine
    }

    /// The arguments for reading the packets again, if they are there.
    fn packet_arguments(&self) -> Option<Vec<OsString>> {
        // It may be given once.
        let mut arguments = with_value(&self.arguments, "conv", None);
        match &self.packets {
            Packets::OfInput => {}
            Packets::InRecords => return Some(self.records_argument()),
            Packets::Kept(path) if fs::metadata(path).ok()?.len() == 0 => {
                return Some(self.records_argument());
            }
            Packets::Kept(path) => {
                arguments.extend(named(DumpArgs::KEPT_PACKETS, path));
            }
        }
        Some(arguments)
    }

    fn records_argument(&self) -> Vec<OsString> {
        vec![self.records.clone().into_os_string()]
    }

    fn send_message(&self, text: String) {
        // The receiver is this same value.
        if self.sender.send(JobResult::Message(text)).is_err() {
            debug_assert!(false, "the receiver lives as long as the sender");
        }
    }

    fn spawn(
        &self,
        job: impl FnOnce() -> io::Result<JobResult> + Send + 'static,
    ) -> JoinHandle<()> {
        let sender = self.sender.clone();
        thread::spawn(move || {
            let outcome = job().unwrap_or_else(|error| JobResult::Message(error.to_string()));
            // When the program ends meanwhile, nobody wants to know any more.
            sender.send(outcome).ok();
        })
    }
}

/// An option with a path.
fn named(option: &str, path: &Path) -> [OsString; 2] {
    [format!("--{option}").into(), path.into()]
}

/// The arguments with another value of an option, or without it.
pub(super) fn with_value(
    arguments: &[OsString],
    option: &str,
    value: Option<&Path>,
) -> Vec<OsString> {
    let spelled = format!("--{option}");
    let assigned = format!("{spelled}=");
    let mut rest = arguments.iter();
    let mut result = Vec::new();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            // What follows are files.
            result.push(argument.clone());
            result.extend(rest.by_ref().cloned());
        } else if *argument == *spelled {
            rest.next();
        } else if !argument.as_encoded_bytes().starts_with(assigned.as_bytes()) {
            result.push(argument.clone());
        }
    }
    let value = value.into_iter().flat_map(|value| named(option, value));
    value.chain(result).collect()
}

/// This program, with nothing to read from its terminal.
fn program(arguments: &[OsString]) -> io::Result<Command> {
    let mut program = Command::new(std::env::current_exe()?);
    program.args(arguments).stdin(Stdio::null());
    Ok(program)
}

/// Runs a program whose output is read line by line; the rest of it is in the returned value.
fn run_and_read(mut program: Command, mut line: impl FnMut(&str)) -> io::Result<Output> {
    let mut child = program
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take();
    let mut errors = child.stderr.take();
    thread::scope(|scope| {
        // A pipe holds 64 KiB: whoever reads only one of two waits for ever when the other is full.
        let errors = scope.spawn(move || {
            let mut text = Vec::new();
            match &mut errors {
                Some(errors) => errors.read_to_end(&mut text).map(|_| text),
                None => Ok(text),
            }
        });
        if let Some(output) = output {
            for text in BufReader::new(output).lines() {
                line(&text?);
            }
        }
        Ok(Output {
            status: child.wait()?,
            stdout: Vec::new(),
            stderr: errors
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic))?,
        })
    })
}

/// The error that a run ended with, in one line.
fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let error = text.lines().find_map(|line| line.split_once("error: "));
    let words = match error {
        Some((_, words)) => words.to_owned(),
        None => text.lines().last().unwrap_or("it failed").to_owned(),
    };
    words.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_replaced_in_either_form_and_files_are_left() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        let given = words("-d x --keylog a --keylog=b -Y y -- --keylog --keylog=c");
        assert_eq!(
            with_value(&given, "keylog", Some(Path::new("k"))),
            words("--keylog k -d x -Y y -- --keylog --keylog=c")
        );
        assert_eq!(
            with_value(&given, "keylog", None),
            words("-d x -Y y -- --keylog --keylog=c")
        );
    }

    #[test]
    fn a_run_that_complains_more_than_a_pipe_holds_is_read_to_its_end() {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut program = Command::new("sh");
            program.args(["-c", "head -c 300000 /dev/zero >&2; echo c1; echo c2"]);
            let mut lines = Vec::new();
            let output = run_and_read(program, |line| lines.push(line.to_owned()));
            sender.send((lines, output))
        });
        let (lines, output) = receiver
            .recv_timeout(Duration::from_secs(60))
            .expect("it does not wait for ever");
        assert_eq!(lines, ["c1", "c2"]);
        assert_eq!(output.unwrap().stderr.len(), 300_000);
    }
}
