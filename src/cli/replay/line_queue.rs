//! Lines that wait to be written to a log or to standard output, so that nobody waits for those.
//!
//! Either may stall (a pipe that nobody reads), be full (a disk) or be gone (a reader that left). A
//! thread of its own writes, and it alone waits. Lines that the queue has no room for, and those
//! that cannot be written, are dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes that wait for a log.
const MAX_LOG_BYTES: usize = 1024 * 1024;

/// Most bytes that wait for standard output.
const MAX_STDOUT_BYTES: usize = 16 * 1024 * 1024;

/// Most bytes of one write: the capacity of a pipe of Linux.
const PIECE_BYTES: usize = 64 * 1024;

/// Time that the end of the program waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

static LOST_LINES: AtomicU64 = AtomicU64::new(0);

static STDERR: LazyLock<LineQueue> = LazyLock::new(|| LineQueue::before_log(io::stderr()));

static STDOUT: OnceLock<LineQueue> = OnceLock::new();

/// The queue before standard error.
pub(super) fn stderr() -> &'static LineQueue {
    &STDERR
}

/// The queue before standard output, for programs that do not end with it.
pub(super) fn stdout() -> &'static LineQueue {
    STDOUT.get_or_init(|| LineQueue::before(Reader::OfOutput, io::stdout()))
}

/// Waits until standard output is written, as far as it can be, if a queue is before it; gives
/// the lines that were lost.
pub(super) fn finish_stdout() -> u64 {
    let Some(queue) = STDOUT.get() else {
        return 0;
    };
    queue.finish();
    let state = queue.shared.state();
    // Lines that the reader did not take in time are lost, too.
    state.lost_in_all + state.lines_in_hand + lines_in(&state.waiting)
}

/// Lines that could not be written, of all logs of this program.
pub(super) fn lost_lines() -> &'static AtomicU64 {
    &LOST_LINES
}

/// A queue of lines before a log. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct LineQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    reader: Reader,
    state: Mutex<State>,
    /// Something came, or was written.
    changed: Condvar,
}

/// For whom lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// The reader of a log, which cannot say that it is not written.
    OfLog,
    /// The reader of standard output: the log has the number of missing lines.
    OfOutput,
}

impl Reader {
    /// The name of its input.
    const fn name(self) -> &'static str {
        match self {
            Self::OfLog => "the log",
            Self::OfOutput => "standard output",
        }
    }

    const fn max_bytes(self) -> usize {
        match self {
            Self::OfLog => MAX_LOG_BYTES,
            Self::OfOutput => MAX_STDOUT_BYTES,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread holds bytes that are not written yet.
    is_writing: bool,
    /// Lines of those.
    lines_in_hand: u64,
    /// Bytes that were written, of all.
    written_bytes: u64,
    /// Somebody has waited in vain, and nothing was written since.
    is_stalled: bool,
    /// Lines that were lost since this was last reported.
    lost_lines: u64,
    lost_in_all: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete before a panic could come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, lines: u64, why: &str) {
        let mut state = self.state();
        let is_first = state.lost_lines == 0;
        state.lost_lines += lines;
        state.lost_in_all += lines;
        drop(state);
        match self.reader {
            Reader::OfLog => drop(LOST_LINES.fetch_add(lines, Ordering::Relaxed)),
            Reader::OfOutput if is_first => {
                let name = self.reader.name();
                tracing::warn!("{name} {why}: lines are dropped");
            }
            Reader::OfOutput => {}
        }
    }

    /// Writes lines as they come, for as long as the program runs.
    fn write_all(&self, mut log: impl Write) {
        let mut bytes = Vec::new();
        let mut is_line_broken = false;
        loop {
            let mut state = self.state();
            state.is_writing = false;
            state.is_stalled = false;
            state.lines_in_hand = 0;
            self.changed.notify_all();
            while state.waiting.is_empty() {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            bytes.clear();
            // Memory that was needed once need not stay.
            bytes.shrink_to(MAX_LOG_BYTES);
            std::mem::swap(&mut bytes, &mut state.waiting);
            state.is_writing = true;
            state.lines_in_hand = lines_in(&bytes);
            drop(state);
            let mut written = 0;
            let result = if is_line_broken {
                log.write_all(b"\n")
            } else {
                Ok(())
            };
            let result = result.and_then(|()| {
                is_line_broken = false;
                self.write(&mut log, &bytes, &mut written)
            });
            if let Some(last) = bytes[..written].last() {
                is_line_broken = *last != b'\n';
            }
            match result {
                Ok(()) => self.log_lost_lines(),
                Err(error) => {
                    let why = format!("cannot be written ({error})");
                    self.lose(lines_in(&bytes[written..]), &why);
                }
            }
        }
    }

    /// Writes all, and counts the bytes written.
    fn write(&self, log: &mut impl Write, bytes: &[u8], written: &mut usize) -> io::Result<()> {
        while *written < bytes.len() {
            let rest = &bytes[*written..];
            // A pipe takes a write whole before it says so: in pieces it is seen that it takes any.
            match log.write(&rest[..rest.len().min(PIECE_BYTES)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    *written += count;
                    let ends = rest[..count].iter().filter(|byte| **byte == b'\n').count();
                    let mut state = self.state();
                    state.written_bytes += count as u64;
                    state.is_stalled = false;
                    state.lines_in_hand = state.lines_in_hand.saturating_sub(ends as u64);
                    drop(state);
                    self.changed.notify_all();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        log.flush()
    }

    /// Writes into the log, which takes lines again, the number that it lacks.
    fn log_lost_lines(&self) {
        let lost_lines = std::mem::take(&mut self.state().lost_lines);
        if lost_lines > 0 {
            let name = self.reader.name();
            tracing::warn!(
                lost_lines,
                "{name} could not be written: lines were dropped"
            );
        }
    }
}

/// Lines, the last of which may lack its end.
fn lines_in(bytes: &[u8]) -> u64 {
    bytes.split_inclusive(|byte| *byte == b'\n').count() as u64
}

impl LineQueue {
    /// A queue before a log. Where the system has no thread to give, all lines are lost but
    /// counted.
    pub(super) fn before_log(log: impl Write + Send + 'static) -> Self {
        Self::before(Reader::OfLog, log)
    }

    fn before(reader: Reader, log: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            reader,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        // Without the thread the queue fills, and then drops and counts.
        drop(
            thread::Builder::new()
                .name("lines".to_owned())
                .spawn(move || writer.write_all(log)),
        );
        Self { shared }
    }

    /// Appends whole lines, or drops them if there is no room.
    pub(super) fn push(&self, lines: &[u8]) {
        let mut state = self.shared.state();
        if state.waiting.len() + lines.len() > self.shared.reader.max_bytes() {
            drop(state);
            return self.shared.lose(lines_in(lines), "is not read");
        }
        state.waiting.extend_from_slice(lines);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until all is written, but not for a reader that takes nothing.
    pub(super) fn finish(&self) {
        let mut state = self.shared.state();
        let (mut until, mut written) = (Instant::now() + PATIENCE, state.written_bytes);
        while state.is_writing || !state.waiting.is_empty() {
            if state.written_bytes != written {
                (until, written) = (Instant::now() + PATIENCE, state.written_bytes);
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                state.is_stalled = true;
                return;
            };
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The same, but not for a reader that was waited for in vain and has taken nothing since.
    pub(super) fn catch_up(&self) {
        let is_stalled = self.shared.state().is_stalled;
        if !is_stalled {
            self.finish();
        }
    }
}

/// Takes whole lines at a time, and never fails.
impl Write for &LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineQueue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A log that takes nothing until it gets the word, and then notes its lines.
    struct Stalled {
        go: mpsc::Receiver<()>,
        seen: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go.recv().unwrap_or_default();
            self.seen.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_holds_nobody_up_and_lacks_whole_lines_that_are_counted() {
        for (reader, bound) in [
            (Reader::OfLog, MAX_LOG_BYTES),
            (Reader::OfOutput, MAX_STDOUT_BYTES),
        ] {
            let (go, receiver) = mpsc::channel();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let stalled = Stalled {
                go: receiver,
                seen: Arc::clone(&seen),
            };
            let queue = LineQueue::before(reader, stalled);
            let line = [b"x".repeat(999), b"\n".to_vec()].concat();
            // As much again may be in the hands of the writer.
            let pushed = 3 * bound / line.len();
            for _ in 0..pushed {
                queue.push(&line);
            }
            let held = queue.shared.state().waiting.len();
            assert!(held <= bound && held > bound / 2, "{held}");
            let lost = queue.shared.state().lost_lines;
            drop(go);
            queue.finish();
            let seen = seen.lock().unwrap();
            assert_eq!(seen.len() % line.len(), 0);
            assert!(lost > 0);
            assert_eq!(lines_in(&seen) + lost, pushed as u64);
        }
    }

    #[test]
    fn the_end_waits_for_a_log_that_is_read_but_not_for_one_that_stalls() {
        let (go, receiver) = mpsc::channel();
        let queue = LineQueue::before_log(Stalled {
            go: receiver,
            seen: Arc::default(),
        });
        queue.push(b"a line\n");
        let started = Instant::now();
        queue.finish();
        assert!(started.elapsed() >= PATIENCE);
        // Before each of many lines of standard output, on a terminal that is stopped.
        let started = Instant::now();
        for _ in 0..10 {
            queue.push(b"a line\n");
            queue.catch_up();
        }
        assert!(started.elapsed() < PATIENCE);
        drop(go);
        queue.finish();
        assert_eq!(queue.shared.state().written_bytes, 11 * 7);
    }

    #[test]
    fn what_cannot_be_written_is_counted_in_lines() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let count = bytes.len().min(self.0);
                self.0 -= count;
                match count {
                    0 => Err(io::ErrorKind::StorageFull.into()),
                    count => Ok(count),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (room, lost) in [(0, 3), (1, 3), (4, 2), (8, 1), (11, 1), (12, 0)] {
            let queue = LineQueue::before_log(Full(room));
            queue.push(b"one\ntwo\nlast");
            queue.finish();
            // Twelve bytes written are a whole line; a part of one is none.
            let expected = if room == 12 { 0 } else { lost };
            assert_eq!(queue.shared.state().lost_lines, expected, "room for {room}");
        }
    }

    #[test]
    fn the_end_of_a_broken_line_is_no_line() {
        /// Breaks off in the second line, takes nothing the next time, and then everything.
        struct Moody {
            calls: usize,
            seen: Arc<Mutex<Vec<u8>>>,
        }
        impl Write for Moody {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.calls += 1;
                let count = match self.calls {
                    1 => 6,
                    2 | 3 => return Err(io::ErrorKind::StorageFull.into()),
                    _ => bytes.len(),
                };
                self.seen.lock().unwrap().extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let seen = Arc::new(Mutex::new(Vec::new()));
        let queue = LineQueue::before_log(Moody {
            calls: 0,
            seen: Arc::clone(&seen),
        });
        for (line, lost) in [("one\ntwo\n", 1), ("three\n", 2), ("four\n", 2)] {
            queue.push(line.as_bytes());
            queue.finish();
            assert_eq!(queue.shared.state().lost_in_all, lost, "{line}");
        }
        assert_eq!(*seen.lock().unwrap(), b"one\ntw\nfour\n");
    }
}
