//! The signals that end a program in an orderly way.

use std::io;
use std::task::{Context, Poll};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C and SIGTERM.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on the signals are counted and do not end the process.
    ///
    /// # Errors
    /// The system does not let us hear them, or there is no runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Ready once for each signal.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let interrupted = self.interrupt.poll_recv(cx).is_ready();
        // Both are polled, so that both wake.
        if self.terminate.poll_recv(cx).is_ready() || interrupted {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
