//! Lines that wait to be written to a log, so that nobody waits for the log.
//!
//! A log may stall (a pipe that nobody reads), be full (a disk) or be gone (a reader that
//! left). A thread of its own writes, and it alone waits. What the queue has no room for, and
//! what cannot be written, is dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes that wait.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// How long the end of the program waits for a log that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

static LOST_LINES: AtomicU64 = AtomicU64::new(0);

static STDERR: LazyLock<LineQueue> = LazyLock::new(|| LineQueue::before(io::stderr()));

/// The queue before standard error.
pub(super) fn stderr() -> &'static LineQueue {
    &STDERR
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

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something came, or was written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread holds bytes that are not written yet.
    is_writing: bool,
    /// Lines that were lost since this was last reported.
    lost_lines: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete before a panic could come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, lines: u64) {
        self.state().lost_lines += lines;
        LOST_LINES.fetch_add(lines, Ordering::Relaxed);
    }

    /// Writes what comes, for as long as the program runs.
    fn write_all(&self, mut log: impl Write) {
        let mut bytes = Vec::new();
        loop {
            let mut state = self.state();
            state.is_writing = false;
            self.changed.notify_all();
            while state.waiting.is_empty() {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            bytes.clear();
            std::mem::swap(&mut bytes, &mut state.waiting);
            state.is_writing = true;
            drop(state);
            match write(&mut log, &bytes) {
                Ok(()) => self.tell_lost(),
                Err(written) => self.lose(lines_in(&bytes[written..])),
            }
        }
    }

    /// Says in the log, which takes lines again, how many it lacks.
    fn tell_lost(&self) {
        let lost_lines = std::mem::take(&mut self.state().lost_lines);
        if lost_lines > 0 {
            tracing::warn!(
                lost_lines,
                "the log could not be written: lines were dropped"
            );
        }
    }
}

/// Writes all, or tells how many bytes were written.
fn write(log: &mut impl Write, bytes: &[u8]) -> Result<(), usize> {
    let mut written = 0;
    while written < bytes.len() {
        match log.write(&bytes[written..]) {
            Ok(0) => return Err(written),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(written),
        }
    }
    log.flush().map_err(|_| written)
}

/// Lines, the last of which may lack its end.
fn lines_in(bytes: &[u8]) -> u64 {
    bytes.split_inclusive(|byte| *byte == b'\n').count() as u64
}

impl LineQueue {
    /// A queue whose thread writes to `log`. Where the system has no thread to give, all lines
    /// are lost but counted.
    pub(super) fn before(log: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        // Without the thread the queue fills, and then drops and counts.
        drop(
            thread::Builder::new()
                .name("log".to_owned())
                .spawn(move || writer.write_all(log)),
        );
        Self { shared }
    }

    /// Appends whole lines, or drops them if there is no room.
    pub(super) fn push(&self, lines: &[u8]) {
        let mut state = self.shared.state();
        if state.waiting.len() + lines.len() > MAX_WAITING_BYTES {
            drop(state);
            return self.shared.lose(lines_in(lines));
        }
        state.waiting.extend_from_slice(lines);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until all is written, but not for a log that takes nothing.
    pub(super) fn finish(&self) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shared.state();
        while state.is_writing || !state.waiting.is_empty() {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
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
}

/// Takes one line at a time from the logging layer, and never fails.
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

    /// A log that takes nothing until it gets the word, and then notes what comes.
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
    fn a_stalled_log_holds_nobody_up_and_lacks_whole_lines_that_are_counted() {
        let (go, receiver) = mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let queue = LineQueue::before(Stalled {
            go: receiver,
            seen: Arc::clone(&seen),
        });
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        let pushed = 5_000;
        for _ in 0..pushed {
            queue.push(&line);
        }
        let held = queue.shared.state().waiting.len();
        assert!(held <= MAX_WAITING_BYTES, "{held}");
        let lost = queue.shared.state().lost_lines;
        drop(go);
        queue.finish();
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len() % line.len(), 0);
        assert!(lost > 0);
        assert_eq!(lines_in(&seen) + lost, pushed);
    }

    #[test]
    fn the_end_waits_for_a_log_that_is_read_but_not_for_one_that_stalls() {
        let (go, receiver) = mpsc::channel();
        let queue = LineQueue::before(Stalled {
            go: receiver,
            seen: Arc::default(),
        });
        queue.push(b"a line\n");
        let started = Instant::now();
        queue.finish();
        assert!(started.elapsed() >= PATIENCE);
        drop(go);
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
            let queue = LineQueue::before(Full(room));
            queue.push(b"one\ntwo\nlast");
            queue.finish();
            // What was written whole is a line; a part of one is not.
            let expected = if room == 12 { 0 } else { lost };
            assert_eq!(queue.shared.state().lost_lines, expected, "room for {room}");
        }
    }
}
