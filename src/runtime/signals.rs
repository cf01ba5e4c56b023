//! The signals that end a program in an orderly way, and the one that has it open its
//! files anew.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::service_manager::tell_stopping;

/// Signals within this time are one request: timeout(1) sends its signal to the program and
/// then to the program's group, a terminal and a shell may each send theirs.
const SAME_REQUEST: Duration = Duration::from_millis(100);

/// Ctrl-C, SIGTERM and SIGHUP.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    on_hangup: OnHangup,
    /// When the latest request began.
    requested: Option<Instant>,
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnHangup {
    /// The terminal is gone: the same as Ctrl-C.
    Ends,
    /// Files that are written are to be opened anew, as daemons do.
    Reopens,
}

impl Signals {
    /// From now on the signals are counted and do not end the process.
    ///
    /// # Errors
    /// The system does not let us hear them, or there is no runtime.
    pub fn new() -> io::Result<Self> {
        Self::with(OnHangup::Ends)
    }

    /// The same, with another meaning of SIGHUP.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(on_hangup: OnHangup) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            on_hangup,
            requested: None,
        })
    }

    /// Ready once for each request to end; signals within 100 ms are one request.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let interrupted = self.interrupt.poll_recv(cx).is_ready();
            // All are polled, so that all wake.
            let terminated = self.terminate.poll_recv(cx).is_ready();
            let hung_up = self.on_hangup == OnHangup::Ends && self.hangup.poll_recv(cx).is_ready();
            if !(interrupted || terminated || hung_up) {
                return Poll::Pending;
            }
            let now = Instant::now();
            let is_known = |at| now.duration_since(at) < SAME_REQUEST;
            if !self.requested.is_some_and(is_known) {
                self.requested = Some(now);
                tell_stopping();
                return Poll::Ready(());
            }
        }
    }

    /// Ready once for each SIGHUP that asks for files to be opened anew.
    pub fn poll_reopen(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.on_hangup {
            OnHangup::Ends => Poll::Pending,
            OnHangup::Reopens => self.hangup.poll_recv(cx).map(|_| ()),
        }
    }
}
