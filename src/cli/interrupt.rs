//! Ctrl-C, SIGTERM and SIGHUP, where the output so far is to be given an end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::end_request::EndRequests;

/// The exit code of the second Ctrl-C, as the shell gives it.
const INTERRUPTED: i32 = 130;

/// Whether somebody asked to stop.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the first signal is noted, and the second Ctrl-C or SIGTERM ends the process at
    /// once, whatever its other threads do. A terminal that goes away hurries nobody: it causes
    /// several signals, for the kernel, the shell and the terminal emulator each send one.
    pub(super) fn catch() -> io::Result<Self> {
        Self::catch_and(|| {})
    }

    /// The same; `before_the_end` is done, on a thread, before the process ends at once.
    pub(super) fn catch_and(before_the_end: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        // First of all, for whoever sees that the signal is caught may send it, and it would be
        // lost if it were only counted.
        let interrupt = Self::noted()?;
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut requests = EndRequests::default();
                let mut begun = signals
                    .forever()
                    .filter(|_| requests.begins_with(Instant::now()));
                if begun.nth(1).is_some() {
                    before_the_end();
                    low_level::exit(INTERRUPTED);
                }
            })?;
        Ok(interrupt)
    }

    fn noted() -> io::Result<Self> {
        let interrupt = Self(Arc::default());
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            flag::register(signal, Arc::clone(&interrupt.0))?;
        }
        Ok(interrupt)
    }

    pub(super) fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
