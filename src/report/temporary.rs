//! Data without room in memory, in a temporary file, whose directory may be full.

use std::env;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A temporary file could not be made, written or read.
///
/// It travels inside an [`io::Error`], so that it is not taken for one of the output.
#[derive(Debug, Error)]
#[error("a temporary file in {}: {source}", directory.display())]
pub struct TemporaryError {
    /// Its directory, or the one in which it should have been made.
    pub directory: PathBuf,
    /// The operating system's error.
    pub source: io::Error,
}

impl TemporaryError {
    /// `source`, as one of a temporary file.
    pub(crate) fn of(source: io::Error) -> io::Error {
        let directory = env::temp_dir();
        io::Error::new(source.kind(), Self { directory, source })
    }
}
