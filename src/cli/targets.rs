//! Files and directories that results are written to.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::DumpError;
use crate::export::output::OutputWriter;
use crate::export::streams::{Export, INDEX, is_vacant};
use crate::record::printer::Printer;
use crate::select::redact::Secrets;

/// The target to which streams are exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExportTarget {
    pub(super) directory: PathBuf,
    pub(super) occupied: Occupied,
}

/// Treatment of a directory that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupied {
    IsRefused,
    /// Files of the same names are replaced (`--force`).
    IsFine,
}

impl ExportTarget {
    /// The exporter of streams; the directory is there from now on.
    pub(super) fn open(&self, redacted: Secrets) -> Result<Box<dyn Printer>, DumpError> {
        let failed = |error| DumpError::Export {
            path: self.directory.clone(),
            error,
        };
        if self.occupied == Occupied::IsRefused && !is_vacant(&self.directory).map_err(failed)? {
            return Err(DumpError::ExportNotEmpty {
                path: self.directory.clone(),
            });
        }
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let export = Export::new(self.directory.clone(), redacted).map_err(failed)?;
        Ok(Box::new(export))
    }

    /// The list of the exported streams.
    pub(super) fn index(&self) -> PathBuf {
        self.directory.join(INDEX)
    }
}

/// A file that is there from now on, or standard output.
pub(super) fn open_output(path: &Path) -> Result<OutputWriter, DumpError> {
    if is_standard(path) {
        return Ok(OutputWriter::standard());
    }
    OutputWriter::create(path).map_err(|error| DumpError::Create {
        path: path.to_owned(),
        error,
    })
}

/// Whether two paths lead to one file, by whatever names and links, that can be lost. The
/// file need not be there yet.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    if is_standard(one) || is_standard(other) {
        return false;
    }
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one_is), Ok(other_is)) => {
            one_is.is_file() && (is_same_inode(&one_is, &other_is) || is_same_path(one, other))
        }
        (Err(_), Err(_)) => is_same_path(one, other),
        _ => false,
    }
}

#[cfg(unix)]
fn is_same_inode(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Only paths are compared.
#[cfg(not(unix))]
fn is_same_inode(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    false
}

fn is_same_path(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    matches!((whole(one), whole(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether a path means standard input or output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}
