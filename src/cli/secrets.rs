//! `--keylog`: the secrets of TLS connections.

use std::fs::File;
#[cfg(feature = "tui")]
use std::io::Write as _;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "tui")]
use tempfile::{NamedTempFile, TempPath};

use super::error::DumpError;
use crate::carrier::tls::KeyLog;
#[cfg(feature = "tui")]
use crate::report::TemporaryError;

/// The largest key log that is read: about a million connections take this much.
const MAX_BYTES: u64 = 512 << 20;

/// Reads a key log.
pub(super) fn read(path: &Path) -> Result<Arc<KeyLog>, DumpError> {
    let text = text(path)?;
    match KeyLog::parse(&text) {
        Ok(log) => Ok(Arc::new(log)),
        Err(error) => Err(DumpError::KeyLog {
            path: path.to_owned(),
            error,
        }),
    }
}

/// Copies a key log into a temporary file: several runs read the same secrets, also when whoever
/// connects appends others meanwhile, or when the log comes out of a pipe.
#[cfg(feature = "tui")]
pub(super) fn copy(path: &Path) -> Result<TempPath, DumpError> {
    let text = text(path)?;
    let mut file = NamedTempFile::new().map_err(TemporaryError::of)?;
    file.write_all(text.as_bytes())
        .map_err(TemporaryError::of)?;
    Ok(file.into_temp_path())
}

fn text(path: &Path) -> Result<String, DumpError> {
    let text = File::open(path).and_then(|file| read_most(file, MAX_BYTES));
    text.map_err(|error| DumpError::ReadKeyLog {
        path: path.to_owned(),
        error,
    })
}

/// Reads a text of at most `most` bytes.
fn read_most(input: impl Read, most: u64) -> io::Result<String> {
    let mut text = String::new();
    let mut input = input.take(most + 1);
    input.read_to_string(&mut text)?;
    if input.limit() == 0 {
        return Err(io::Error::other(format!("more than {most} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_log_is_read_up_to_its_bound_and_no_endless_one() {
        let longest = "x".repeat(1_000);
        assert_eq!(read_most(longest.as_bytes(), 1_000).unwrap(), longest);
        let error = read_most(io::repeat(b'x'), 1_000).unwrap_err();
        assert_eq!(error.to_string(), "more than 1000 bytes");
    }
}
