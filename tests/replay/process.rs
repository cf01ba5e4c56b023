//! The programs as processes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ministream-replay");
pub(crate) const SAMPLES: &str = "captures/spec-samples.pcap";

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .env("COLUMNS", "120")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("the program starts")
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("it ends by itself")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

/// Why a run was refused with 2, which printed nothing: its only words but for the usage and
/// hints that clap adds, which come behind an empty line.
#[track_caller]
pub(crate) fn reason(output: &Output) -> String {
    let error = stderr(output);
    assert_eq!((code(output), &*stdout(output)), (2, ""), "{error}");
    // Clap does not say which program it is that complains.
    let reason = error.strip_prefix("ministream-replay: ").unwrap_or(&error);
    let reason = reason.strip_prefix("error: ");
    let reason = reason.unwrap_or_else(|| panic!("{error}"));
    let (reason, _) = reason.split_once("\n\n").unwrap_or((reason, ""));
    reason.trim_end().to_owned()
}

/// A text with T for each length of time in it, since they differ from run to run.
pub(crate) fn timeless(text: &str) -> String {
    let time = regex::Regex::new("[0-9.]+ (s|ms|µs)\\b").expect("it is a pattern");
    time.replace_all(text, "T").into_owned()
}

/// The two lines with which the report of a replay ends: what came of the conversations, and how
/// long it took.
#[track_caller]
pub(crate) fn conclusion(report: &str) -> String {
    let lines: Vec<&str> = report.lines().collect();
    let [.., results, times] = lines[..] else {
        panic!("{report}");
    };
    timeless(&format!("{results}\n{times}\n"))
}

/// That of the samples where every answer was the recorded one.
pub(crate) const ALL_SAME: &str = "\
3 conversations: 3 same. Not replayed: #12 orphan, #13 ping, #14 unknown type.
sent 5 messages in T; worst send T late; handshake p50 T p99 T max T   PASSED
";

/// A mock, or a server, that is ready.
pub(crate) struct Server {
    pub(crate) child: Child,
    out: Option<BufReader<ChildStdout>>,
    pub(crate) carrier: String,
}

impl Server {
    pub(crate) fn mock(arguments: &[&str]) -> Self {
        Self::of("mock", arguments)
    }

    /// A `mock` or a `server`.
    pub(crate) fn of(command: &str, arguments: &[&str]) -> Self {
        Self::with_notes(command, arguments, Stdio::inherit())
    }

    /// One of which only the results matter.
    pub(crate) fn quiet(command: &str, arguments: &[&str]) -> Self {
        Self::with_notes(command, arguments, Stdio::null())
    }

    fn with_notes(command: &str, arguments: &[&str], notes: Stdio) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg(command)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(notes)
            .spawn()
            .expect("the program starts");
        let mut out = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let mut line = String::new();
        out.read_line(&mut line).expect("it tells when it is ready");
        let carrier = line
            .trim_end()
            .split_once("carrier=")
            .expect("the line tells the carrier")
            .1
            .to_owned();
        Self {
            child,
            out: Some(out),
            carrier,
        }
    }

    /// Reads what it tells and drops it, so that it never waits for a reader.
    pub(crate) fn read_on(&mut self) {
        if let Some(mut out) = self.out.take() {
            std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        }
    }

    /// Waits for its end; gives its exit code and what it told.
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut told = String::new();
        if let Some(out) = &mut self.out {
            out.read_to_string(&mut told).expect("its output ends");
        }
        let status = self.child.wait().expect("it ends");
        (status.code().expect("it ends by itself"), told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().expect("it can be ended");
            self.child.wait().expect("it ends");
        }
    }
}

/// Ctrl-C.
pub(crate) fn send(child: &Child, signal: rustix::process::Signal) {
    let id = i32::try_from(child.id()).expect("ids of processes are small");
    let process = rustix::process::Pid::from_raw(id).expect("it is not 0");
    rustix::process::kill_process(process, signal).expect("it still runs");
}
