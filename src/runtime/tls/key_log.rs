//! The secrets of connections, for whoever is to read their capture: the key log of TLS 1.3
//! (RFC 9850), as `SSLKEYLOGFILE` has it in other programs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;
use tracing::warn;

/// Appends to a file that only its owner may read.
#[derive(Debug)]
pub(super) struct SecretsFile(Mutex<File>);

impl SecretsFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(|file| Self(Mutex::new(file)))
    }
}

impl KeyLog for SecretsFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let random = hex::encode(client_random);
        let line = format!("{label} {random} {}\n", hex::encode(secret));
        // A line is written at once or not at all.
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            warn!(leg = "carrier", %error, "a secret was not written to the key log");
        }
    }
}
