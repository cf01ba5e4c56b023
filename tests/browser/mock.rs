//! A `ministream-replay mock` that plays a recording while a test goes on.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) struct Mock {
    child: Child,
    /// Its standard output, which stays open as a terminal does.
    _told: BufReader<ChildStdout>,
    /// Where it listens: `tcp://127.0.0.1:40112`.
    pub(crate) carrier: String,
}

impl Mock {
    pub(crate) fn of(recording: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ministream-replay"))
            .arg("mock")
            .arg(recording)
            .args(["--carrier", "tcp://127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        told.read_line(&mut ready).unwrap();
        let carrier = ready
            .trim_end()
            .split_once("carrier=")
            .unwrap()
            .1
            .to_owned();
        Self {
            child,
            _told: told,
            carrier,
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
