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
