//! The files of reports or packets requested beside the tables.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::new_file;

/// A file could not be written to its end.
///
/// It travels inside an [`io::Error`], and so names the file wherever that arrives.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
pub struct OutputError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's error.
    pub source: io::Error,
}

impl OutputError {
    /// `source`, with the name of the file that it is about.
    pub(super) fn at(path: &Path, source: io::Error) -> io::Error {
        let path = path.to_owned();
        io::Error::new(source.kind(), Self { path, source })
    }
}

/// A file, or standard output, for the results of one kind.
#[derive(Debug)]
pub struct OutputWriter(Target);

#[derive(Debug)]
enum Target {
    File {
        file: BufWriter<File>,
        path: PathBuf,
    },
    /// Nothing else uses it then.
    Standard(BufWriter<Stdout>),
}

impl OutputWriter {
    /// A new file; old contents are lost.
    ///
    /// # Errors
    /// It cannot be made, or is a symbolic link to a file: anybody who may write to the directory
    /// could have us overwrite another.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Target::File {
            file: BufWriter::new(new_file::create(path)?),
            path: path.to_owned(),
        }))
    }

    /// Standard output.
    pub fn standard() -> Self {
        Self(Target::Standard(BufWriter::new(io::stdout())))
    }
}

impl Write for OutputWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::File { file, path } => file
                .write(bytes)
                .map_err(|error| OutputError::at(path, error)),
            Target::Standard(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::File { file, path } => {
                file.flush().map_err(|error| OutputError::at(path, error))
            }
            Target::Standard(out) => out.flush(),
        }
    }
}
