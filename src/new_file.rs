//! Files that take the place of old ones.

use std::fs::File;
use std::io;
use std::path::Path;

/// A new, empty file; old contents are lost.
///
/// # Errors
/// It cannot be made, or is a symbolic link to a file: anybody who may write to the directory could
/// have us overwrite another.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let is_link = path.symlink_metadata().is_ok_and(|it| it.is_symlink());
    // Devices such as /dev/stdout are links too, and the target of a dangling link is new.
    if is_link && path.metadata().is_ok_and(|target| target.is_file()) {
        let problem = "a symbolic link to a file, which would be overwritten";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
    }
    File::create(path)
}
