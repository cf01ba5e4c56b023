//! A file that results are written to.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::{ReplayError, print_note};
use crate::export::output::OutputWriter;
use crate::new_file;

/// A file that is made before the work begins, so that a path that cannot be
/// written is an error at once and not after a run whose result would be lost.
#[derive(Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    out: BufWriter<File>,
    error: Option<io::Error>,
}

impl OutputFile {
    /// Makes the file, or empties the one that is there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn create(path: &Path) -> Result<Self, ReplayError> {
        let file = new_file::create(path).map_err(|source| ReplayError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::new(file),
            error: None,
        })
    }

    /// Appends; an error is returned by [`finish`](Self::finish).
    pub(super) fn write(&mut self, text: &str) {
        if let Err(error) = self.out.write_all(text.as_bytes()) {
            self.error.get_or_insert(error);
        }
    }

    /// # Errors
    /// The first of the errors of writing.
    pub(super) fn finish(mut self) -> Result<(), ReplayError> {
        let flushed = self.out.flush();
        match self.error.take().or(flushed.err()) {
            None => Ok(()),
            Some(source) => Err(ReplayError::Write {
                path: self.path,
                source,
            }),
        }
    }
}

/// The file of a report for a browser, or standard output, made before the work begins.
#[derive(Debug)]
pub(super) struct PageFile {
    path: PathBuf,
    out: OutputWriter,
}

impl PageFile {
    /// Makes the file, or empties the one that is there; `-` is standard output.
    ///
    /// # Errors
    /// It cannot be made, or is a symbolic link to a file.
    pub(super) fn create(path: &Path) -> Result<Self, ReplayError> {
        let out = if is_standard(path) {
            OutputWriter::standard()
        } else {
            OutputWriter::create(path).map_err(|source| ReplayError::Write {
                path: path.to_owned(),
                source,
            })?
        };
        Ok(Self {
            path: path.to_owned(),
            out,
        })
    }

    /// Writes the page, and says where it is.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn finish(mut self, page: &[u8]) -> Result<(), ReplayError> {
        let written = self.out.write_all(page).and_then(|()| self.out.flush());
        match written {
            // Whoever closed it has seen enough.
            Err(error) if is_standard(&self.path) && error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(());
            }
            Err(source) => {
                return Err(ReplayError::Write {
                    path: self.path,
                    source,
                });
            }
            Ok(()) => {}
        }
        if !is_standard(&self.path) {
            print_note(format_args!("wrote {}", self.path.display()));
        }
        Ok(())
    }
}

/// Whether a path stands for standard output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}
