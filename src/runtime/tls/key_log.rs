//! The secrets of connections, for whoever is to read their capture: the key log of TLS 1.3
//! (RFC 9850), as `SSLKEYLOGFILE` has it in other programs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustls::KeyLog;
use tracing::warn;

use crate::runtime::repeated::RepeatedOfLate;

/// Appends to a file that only its owner may read.
#[derive(Debug)]
pub(super) struct SecretsFile(Mutex<Secrets>);

#[derive(Debug)]
struct Secrets {
    file: File,
    /// Secrets that were not written, by the reason.
    lost: RepeatedOfLate<io::ErrorKind>,
}

impl SecretsFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let lost = RepeatedOfLate::default();
        Ok(Self(Mutex::new(Secrets { file, lost })))
    }
}

impl KeyLog for SecretsFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let random = hex::encode(client_random);
        let line = format!("{label} {random} {}\n", hex::encode(secret));
        // A line is written at once or not at all.
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = secrets.file.write_all(line.as_bytes())
            && let Some(count) = secrets.lost.count(Instant::now(), error.kind())
        {
            warn!(leg = "carrier", %error, count, "a secret was not written to the key log");
        }
    }
}
