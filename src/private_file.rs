//! Files with secrets: new ones that only their owner may read, and none that others may read, too.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The reason why a file with a secret cannot be written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateFileError {
    /// A file of this name is there, and is kept.
    #[error("{} exists and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// It cannot be created or written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Others than its owner may read it, or worse.
    #[error("{} is open to others (mode {mode:04o}): chmod 600 it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Writes a secret to a new file that only its owner may read. A file of this name that is there
/// already, even a dangling link, stays.
///
/// # Errors
/// There is such a file, or it cannot be written; nothing is left behind then.
pub(crate) fn create(path: &Path, secret: &[u8]) -> Result<(), PrivateFileError> {
    let mut options = owned();
    options.write(true).create_new(true);
    let mut file = options.open(path).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::AlreadyExists => PrivateFileError::Exists(path),
            _ => PrivateFileError::Write { path, source },
        }
    })?;
    let written = file.write_all(secret).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a secret would only be in the way; the first error counts.
        drop(std::fs::remove_file(path));
        PrivateFileError::Write {
            path: path.to_owned(),
            source,
        }
    })
}

/// Reads a secret that only its owner may read, at most `most` bytes of it.
///
/// # Errors
/// The file cannot be read, or others may read it too (on Unix).
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, PrivateFileError> {
    let unreadable = |source| PrivateFileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    check_mode(path, &file)?;
    let mut bytes = Vec::new();
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Opens a file that only its owner may read, to add secrets; a new one if there is none. A device
/// such as a terminal, which keeps nothing, is taken as it is.
///
/// # Errors
/// The file cannot be opened or made, or others may read it too (on Unix).
#[cfg(feature = "runtime")]
pub(crate) fn append(path: &Path) -> Result<File, PrivateFileError> {
    let unwritable = |source| PrivateFileError::Write {
        path: path.to_owned(),
        source,
    };
    let mut options = owned();
    options.append(true).create(true);
    let file = options.open(path).map_err(unwritable)?;
    if !is_device(&file).map_err(unwritable)? {
        check_mode(path, &file)?;
    }
    Ok(file)
}

#[cfg(all(feature = "runtime", unix))]
fn is_device(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;
    Ok(file.metadata()?.file_type().is_char_device())
}

#[cfg(all(feature = "runtime", not(unix)))]
fn is_device(_file: &File) -> io::Result<bool> {
    Ok(false)
}

/// Makes files, if any, that only their owner may read.
#[cfg(unix)]
fn owned() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.mode(0o600);
    options
}

/// Makes files, if any, that only their owner may read.
#[cfg(not(unix))]
fn owned() -> OpenOptions {
    File::options()
}

/// Whether only its owner may read a file.
#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), PrivateFileError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata().map_err(|source| PrivateFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    match metadata.permissions().mode() & 0o7777 {
        mode if mode & 0o077 == 0 => Ok(()),
        mode => Err(PrivateFileError::Exposed {
            path: path.to_owned(),
            mode,
        }),
    }
}

/// Whether only its owner may read a file.
#[cfg(not(unix))]
fn check_mode(_path: &Path, _file: &File) -> Result<(), PrivateFileError> {
    Ok(())
}
