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
    let mut text = String::new();
    let mut file = File::open(path)?.take(MAX_BYTES + 1);
    file.read_to_string(&mut text)?;
    if file.limit() == 0 {
        return Err(io::Error::other(format!("more than {MAX_BYTES} bytes")));
    }
    Ok(text)
}
