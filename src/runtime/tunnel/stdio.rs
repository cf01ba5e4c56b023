//! Standard input and output as a local stream.
//!
//! They may be files, which cannot be waited for, so threads read and write
//! them, through a pair of sockets.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

/// The threads behind [`Side::Stdio`](super::Side::Stdio).
#[derive(Debug)]
pub(super) struct Stdio {
    output: JoinHandle<io::Result<()>>,
}

impl Stdio {
    /// Begins to read standard input; the stream is to be put into a runtime.
    pub(super) fn pipe() -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let input = theirs.try_clone()?;
        // Nobody waits for this thread: standard input may never end.
        thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || read_input(input))?;
        let output = thread::Builder::new()
            .name("stdout".to_owned())
            .spawn(move || write_output(theirs))?;
        Ok((Self { output }, ours))
    }

    /// Waits until all that has arrived is written.
    pub(super) fn finish(self) -> io::Result<()> {
        self.output
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread for standard output failed")))
    }
}

fn read_input(mut to: UnixStream) {
    // Either the input ended or the conversation did; both end this thread only.
    if let Err(error) = io::copy(&mut io::stdin().lock(), &mut to) {
        tracing::debug!(%error, "standard input ended");
    }
    if let Err(error) = to.shutdown(Shutdown::Write) {
        tracing::debug!(%error, "the conversation ended before standard input");
    }
}

fn write_output(mut from: UnixStream) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match io::copy(&mut from, &mut output).and_then(|_| output.flush()) {
        // Whoever read our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            from.shutdown(Shutdown::Both)?;
            Ok(())
        }
        other => other,
    }
}
