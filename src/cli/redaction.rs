//! `--redact` and `--redact-key`.

use std::path::Path;

use super::args::{DumpArgs, Redact};
use super::error::DumpError;
use crate::private_file::{self, PrivateFileError};
use crate::random_seed::random_seed;
use crate::select::redact::{Redaction, Secrets};
use crate::wire::Pseudonyms;

/// A key of pseudonyms.
type Key = [u8; 32];

/// The secrets that the arguments ask to keep.
pub(super) fn secrets(args: &DumpArgs) -> Secrets {
    Secrets {
        payload: args.redact.contains(&Redact::Payload),
        destinations: args.redact.contains(&Redact::Dest),
    }
}

/// The redaction of them; makes the key file if there is none yet.
pub(super) fn redaction(args: &DumpArgs) -> Result<Option<Redaction>, DumpError> {
    let secrets = secrets(args);
    if !secrets.any() {
        return Ok(None);
    }
    let key = match &args.redact_key {
        Some(path) => key_of_file(path)?,
        None => random_seed().map_err(DumpError::Random)?,
    };
    Ok(Some(Redaction::new(secrets, Pseudonyms::new(key))))
}

/// The key in a file, which is made if it is not there.
fn key_of_file(path: &Path) -> Result<Key, DumpError> {
    let key = random_seed().map_err(DumpError::Random)?;
    match private_file::create(path, &key) {
        Ok(()) => Ok(key),
        Err(PrivateFileError::Exists(_)) => old_key(path),
        Err(error) => Err(error.into()),
    }
}

fn old_key(path: &Path) -> Result<Key, DumpError> {
    // One byte more than a key has shows that a file is longer.
    let bytes = private_file::read(path, Key::default().len() as u64 + 1)?;
    Key::try_from(bytes).map_err(|_| DumpError::NoRedactKey {
        path: path.to_owned(),
    })
}
