//! `--keylog`: the secrets of TLS connections.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::error::DumpError;
use crate::carrier::tls::KeyLog;

/// The largest key log that is read: about a million connections take this much.
const MAX_BYTES: u64 = 512 << 20;

/// Reads a key log.
pub(super) fn read(path: &Path) -> Result<Arc<KeyLog>, DumpError> {
    let text = text(path).map_err(|error| DumpError::ReadKeyLog {
        path: path.to_owned(),
        error,
    })?;
    match KeyLog::parse(&text) {
        Ok(log) => Ok(Arc::new(log)),
        Err(error) => Err(DumpError::KeyLog {
            path: path.to_owned(),
            error,
        }),
    }
}

fn text(path: &Path) -> io::Result<String> {
    read_most(File::open(path)?, MAX_BYTES)
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
