//! What takes a while: this program, run on the records or on what was read.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::tui::Form;

/// What a job came to.
pub(super) enum Outcome {
    /// Something to say.
    Told(String),
    /// The conversations in which a message matches.
    Matching { filter: String, numbers: Vec<u32> },
}

/// Jobs on threads of their own.
pub(super) struct Jobs {
    arguments: Vec<OsString>,
    is_live: bool,
    filter: Option<String>,
    sender: Sender<Outcome>,
    receiver: Receiver<Outcome>,
}

impl Jobs {
    /// `arguments` are those with which the conversations were read.
    pub(super) fn new(arguments: Vec<OsString>, is_live: bool) -> Self {
        let (sender, receiver) = channel();
        Self {
            arguments,
            is_live,
            filter: None,
            sender,
            receiver,
        }
    }

    /// What the next job that is over came to.
    pub(super) fn next(&self) -> Option<Outcome> {
        let outcome = self.receiver.try_recv().ok()?;
        match &outcome {
            // Another filter was asked for meanwhile.
            Outcome::Matching { filter, .. } if Some(filter) != self.filter.as_ref() => None,
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
    pub(super) fn filter_by(&mut self, filter: String, records: PathBuf) {
        self.filter = Some(filter.clone());
        let mut arguments = vec![OsString::from(records)];
        arguments.extend(["-T", "fields", "-e", "conv", "-Y"].map(OsString::from));
        arguments.push(OsString::from(&filter));
        self.spawn(move || {
            let output = run(&arguments)?;
            // Records that still grow end without their summary.
            if !matches!(output.status.code(), Some(0 | 3)) {
                return Ok(Outcome::Told(last_words(&output)));
            }
            let text = String::from_utf8_lossy(&output.stdout);
            let numbers = text
                .lines()
                .filter_map(|name| name.strip_prefix('c')?.parse().ok());
            let mut numbers: Vec<u32> = numbers.collect();
            numbers.dedup();
            Ok(Outcome::Matching { filter, numbers })
        });
    }

    /// Writes conversations.
    pub(super) fn write(&self, form: Form, path: String, numbers: &[u32], records: PathBuf) {
        let names: Vec<String> = numbers.iter().map(|number| format!("c{number}")).collect();
        let (flag, mut arguments) = match form {
            Form::Packets if self.is_live => {
                let text = "packets of a live capture are not kept; E and H write what was said";
                return self.tell(text.to_owned());
            }
            Form::Packets => ("-w", self.arguments.clone()),
            Form::Streams => ("--export", vec![OsString::from(records)]),
            Form::Page => ("--html", vec![OsString::from(records)]),
        };
        arguments.extend(["--conv", &names.join(","), flag, &path].map(OsString::from));
        self.spawn(move || {
            let output = run(&arguments)?;
            Ok(Outcome::Told(match output.status.code() {
                Some(0 | 3) => format!("wrote {path}"),
                _ => last_words(&output),
            }))
        });
    }

    fn tell(&self, text: String) {
        // Who receives it is this same value.
        if self.sender.send(Outcome::Told(text)).is_err() {
            debug_assert!(false, "the receiver lives as long as the sender");
        }
    }

    fn spawn(&self, job: impl FnOnce() -> io::Result<Outcome> + Send + 'static) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            let outcome = job().unwrap_or_else(|error| Outcome::Told(error.to_string()));
            // When the program ends meanwhile, nobody wants to know any more.
            sender.send(outcome).ok();
        });
    }
}

/// This program.
fn run(arguments: &[OsString]) -> io::Result<Output> {
    Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
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
