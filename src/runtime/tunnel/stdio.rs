//! Standard input and output as a local stream.
//!
//! They may be files, which cannot be waited for, so threads read and write
//! them, through a pair of sockets.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

/// Most bytes written to standard output at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// The threads behind [`LocalSide::Stdio`](super::LocalSide::Stdio).
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
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // The conversation failed, and its own summary says why.
                tracing::debug!(%error, "standard output ended");
                return Ok(());
            }
        };
        let written = output.write_all(&buffer[..count]);
        if let Err(error) = written.and_then(|()| output.flush()) {
            // The conversation ends, too: nothing of it could be passed on.
            from.shutdown(Shutdown::Both)?;
            return match error.kind() {
                // Whoever read our output has seen enough.
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(error),
            };
        }
    }
}
