//! The secrets of connections, for whoever is to read their capture: the key log of TLS 1.3
//! (RFC 9850), as `SSLKEYLOGFILE` has it in other programs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustls::KeyLog;
use tracing::warn;

use crate::private_file::{self, PrivateFileError};
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
    pub(super) fn open(path: &Path) -> Result<Self, PrivateFileError> {
        let file = private_file::append(path)?;
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

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_go_only_to_a_file_that_others_cannot_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        for _ in 0..2 {
            let file = SecretsFile::open(&path).unwrap();
            file.log("LABEL", &[1], &[2]);
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "LABEL 01 02\nLABEL 01 02\n"
        );
        for bit in 0..6 {
            let mode = 0o600 | 1 << bit;
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let path = path.display();
            assert_eq!(
                SecretsFile::open(path.to_string().as_ref())
                    .unwrap_err()
                    .to_string(),
                format!("{path} is open to others (mode {mode:04o}): chmod 600 it")
            );
        }
        // It keeps nothing.
        SecretsFile::open("/dev/null".as_ref()).unwrap();
    }
}
