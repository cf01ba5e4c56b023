//! The pager, on a terminal that `script` makes.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::needs;

use crate::run::SAMPLES;

/// Puts `P:` before each line that goes through it.
const MARKER: &str = "sed s/^/P:/";

/// A shell on a terminal of 100 columns in which `ministream-dump` is the program.
fn shell(rows: u16, pager: &[(&str, &str)], line: &str) -> Command {
    let mut command = Command::new("script");
    command
        .arg("-qec")
        .arg(format!("stty rows {rows} cols 100; {line}; echo code=$?"))
        .arg("/dev/null")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("PATH", path())
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm")
        .envs(pager.iter().copied())
        .stdin(Stdio::null());
    command
}

/// The folder of the program before those of the system.
fn path() -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ministream-dump"));
    format!("{}:/usr/bin:/bin", program.parent().unwrap().display())
}

/// What the terminal shows.
fn shown(rows: u16, pager: &[(&str, &str)], line: &str) -> String {
    let output = shell(rows, pager, line).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .replace("\r\n", "\n")
}

/// Lines that went through the marking pager, and others.
fn marked(text: &str) -> (usize, usize) {
    let marked = text.lines().filter(|line| line.starts_with("P:")).count();
    (marked, text.lines().count() - marked)
}

#[test]
fn what_is_longer_than_the_screen_goes_through_the_pager_whole() {
    needs!("script");
    let line = format!("ministream-dump {SAMPLES}");
    let plain = shown(10, &[("PAGER", "")], &line);
    let lines = plain.lines().count();
    let paged = shown(10, &[("MINISTREAM_PAGER", MARKER)], &line);
    // The hint and the code come behind it.
    assert_eq!(marked(&paged), (lines - 2, 2), "{paged}");
    assert_eq!(paged.replace("P:", ""), plain);
    assert!(paged.ends_with("--html report.html\ncode=0\n"), "{paged}");
}

#[test]
fn the_pager_begins_with_the_first_line_that_does_not_fit() {
    needs!("script");
    let line = format!("ministream-dump {SAMPLES}");
    let lines = shown(10, &[("PAGER", "cat")], &line).lines().count() - 2;
    let with_rows = |rows: usize| {
        let rows = u16::try_from(rows).unwrap();
        marked(&shown(rows, &[("PAGER", MARKER)], &line)).0
    };
    assert_eq!(with_rows(lines + 2), lines);
    assert_eq!(with_rows(lines + 3), 0);
}

#[test]
fn a_line_that_wraps_counts_as_its_rows() {
    needs!("script");
    let line = format!("ministream-dump --json {SAMPLES}");
    assert!(marked(&shown(40, &[("PAGER", MARKER)], &line)).0 > 0);
}

#[test]
fn there_is_no_pager_where_none_is_wanted_or_rows_are_waited_for() {
    needs!("script");
    for line in [
        format!("ministream-dump --no-pager {SAMPLES}"),
        format!("ministream-dump -l {SAMPLES}"),
        format!("ministream-dump - < {SAMPLES}"),
        format!("cat {SAMPLES} | ministream-dump -"),
        format!("ministream-dump {SAMPLES} | cat"),
        "ministream-dump --list-fields".to_owned(),
    ] {
        let shown = shown(10, &[("MINISTREAM_PAGER", MARKER)], &line);
        assert_eq!(marked(&shown).0, 0, "{line}: {shown}");
        assert!(shown.ends_with("code=0\n"), "{line}: {shown}");
    }
}

#[test]
fn our_own_variable_goes_before_that_of_all_programs() {
    needs!("script");
    let line = format!("ministream-dump {SAMPLES}");
    let both = |own, common| {
        marked(&shown(
            10,
            &[("MINISTREAM_PAGER", own), ("PAGER", common)],
            &line,
        ))
        .0 > 0
    };
    assert!(both(MARKER, "cat"));
    assert!(!both("cat", MARKER));
    assert!(!both("", MARKER));
}

#[test]
fn without_the_pager_everything_is_shown_all_the_same() {
    needs!("script");
    let line = format!("ministream-dump {SAMPLES}");
    let plain = shown(10, &[("PAGER", "")], &line);
    assert_eq!(
        shown(10, &[("PAGER", "there-is-no-such-pager")], &line),
        plain
    );
}

#[test]
fn a_pager_that_is_left_early_ends_us_quietly() {
    needs!("script");
    let line = "ministream-dump -V -x captures/real/e-trim.pcap";
    let shown = shown(10, &[("PAGER", "head -n 2")], line);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(shown.ends_with("\ncode=0\n"), "{shown}");
}

#[test]
fn the_exit_code_is_told_behind_the_pager() {
    needs!("script");
    let line = format!("ministream-dump --fail-on warn {SAMPLES}");
    let shown = shown(10, &[("PAGER", MARKER)], &line);
    assert!(shown.ends_with("\ncode=1\n"), "{shown}");
}

/// A terminal with someone at it.
struct Session {
    child: Child,
    chunks: Receiver<Vec<u8>>,
    screen: String,
}

impl Session {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (sender, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            chunks,
            screen: String::new(),
        }
    }

    /// Waits until the terminal shows `text`; forgets what it showed up to there.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        self.press_until(b"", text);
    }

    /// Presses keys again and again until the terminal shows `text`.
    #[track_caller]
    fn press_until(&mut self, keys: &[u8], text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(at) = self.screen.find(text) {
                self.screen.drain(..at + text.len());
                return;
            }
            match self.chunks.recv_timeout(Duration::from_millis(200)) {
                Ok(chunk) => self.screen.push_str(&String::from_utf8_lossy(&chunk)),
                Err(RecvTimeoutError::Timeout) => self.press(keys),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        panic!("no {text:?} in {:?}", self.screen);
    }

    fn press(&mut self, keys: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(keys).unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The prompt of `less`.
const LESS_WAITS: &str = "\n:\x1b[K";

#[test]
fn ctrl_c_leaves_the_view_of_less_in_place() {
    needs!("script", "less");
    // The shell is to outlive the signal, too.
    let line = format!("trap : INT; ministream-dump {SAMPLES}");
    let mut session = Session::start(shell(12, &[], &line));
    session.wait_for(LESS_WAITS);
    session.press(b"\x03");
    session.wait_for("\x07");
    // What is typed while the terminal forgets its input is lost.
    session.press_until(b"G", "14 messages, 3 conversations");
    session.press_until(b"q", "try: ministream-dump");
    session.wait_for("code=0");
}

#[test]
fn behind_the_echo_of_ctrl_c_a_line_begins_anew() {
    needs!("script");
    let mock = format!("ministream-replay mock {SAMPLES} --carrier tcp://127.0.0.1:0");
    let mut session = Session::start(shell(24, &[], &format!("trap : INT; {mock}")));
    session.wait_for("ready mock");
    session.press_until(b"\x03", "^C\r\nministream-replay: no conversation came\r\n");
    session.wait_for("code=0");
}

#[test]
fn less_passes_colours_on() {
    needs!("script", "less");
    let line = format!("ministream-dump {SAMPLES}");
    let mut session = Session::start(shell(12, &[], &line));
    session.wait_for("\x1b[32m");
    session.press_until(b"q", "code=0");
}
