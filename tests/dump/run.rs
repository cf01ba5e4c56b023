//! Running the program.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

pub(crate) const SAMPLES: &str = "captures/spec-samples.pcap";

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output of a run that must have gone well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, &*self.stderr), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// Standard error of a run that must have ended with this code and without output.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!(
            (self.code, &*self.stdout),
            (Some(code), ""),
            "{}",
            self.stderr
        );
        self.stderr
    }

    /// Why a run was refused with 2: its only words but for the usage and hints that clap adds,
    /// which come behind an empty line.
    #[track_caller]
    pub(crate) fn reason(self) -> String {
        let error = self.refused(2);
        let reason = error.strip_prefix("ministream-dump: error: ");
        let reason = reason.unwrap_or_else(|| panic!("{error}"));
        let (reason, _) = reason.split_once("\n\n").unwrap_or((reason, ""));
        reason.trim_end().to_owned()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// The program, in the package's directory and an environment without a terminal.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ministream-dump"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

/// Runs the program with arguments that hold no spaces.
pub(crate) fn dump(arguments: &str) -> Run {
    run(arguments.split_whitespace())
}

/// Runs the program.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    command(arguments).output().unwrap().into()
}

/// Runs the program with `input` on standard input.
pub(crate) fn pipe(arguments: &str, input: &[u8]) -> Run {
    let mut child = command(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whose arguments are refused reads nothing, and may be gone by now.
    if let Err(error) = child.stdin.take().unwrap().write_all(input) {
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
    }
    child.wait_with_output().unwrap().into()
}

/// The bytes of a shipped capture.
pub(crate) fn capture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/captures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
