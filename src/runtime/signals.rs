//! The signals that end a program in an orderly way, and the one that has it open its
//! files anew.

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::service_manager::notify_stopping;
use crate::end_request::{EndRequests, note_echo};

/// Ctrl-C, SIGTERM and SIGHUP.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    on_hangup: OnHangup,
    requests: EndRequests,
}

/// The meaning of SIGHUP.
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
    /// The system does not let us handle them, or there is no runtime.
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
            requests: EndRequests::default(),
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
            if interrupted {
                note_echo();
            }
            if self.requests.begins_with(Instant::now()) {
                notify_stopping();
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
