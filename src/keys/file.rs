//! Key files, in the format of other I2P programs (i2pd's and Java I2P's
//! `.dat`): the destination, then its private keys. No one but the owner may read them.
//!
//! | Ed25519: offset | DSA: offset | |
//! |---|---|---|
//! | 0, 391 bytes | 0, 387 bytes | destination: ElGamal key 256, then padding 96 and Ed25519 key 32, or DSA key 128, then certificate `05 0004 0007 0000` or `00 0000` |
//! | 391, 256 bytes | 387, 256 bytes | private ElGamal key |
//! | 647, 32 bytes | 643, 20 bytes | private key: the seed of RFC 8032, or the DSA exponent |
//! | 679 in all | 663 in all | |

use std::path::{Path, PathBuf};

use super::{Keys, KeysError};
use crate::private_file;

pub use crate::private_file::PrivateFileError;

/// More than any kind of key file has, also those that cannot be used.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The reason why a key file cannot be written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// It holds something else.
    #[error("{} holds no keys that can be used", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The error in it.
        source: KeysError,
    },
}

/// Writes keys to a new file that only its owner may read. A file of this name that is there
/// already, even a dangling link, stays.
///
/// # Errors
/// There is such a file, or it cannot be written; nothing is left behind then.
pub fn create(path: &Path, keys: &Keys) -> Result<(), KeyFileError> {
    Ok(private_file::create(path, &keys.to_bytes())?)
}

/// Reads keys.
///
/// # Errors
/// The file cannot be read, others may read it too (on Unix), or it holds no
/// keys of the kind that we use.
pub fn read(path: &Path) -> Result<Keys, KeyFileError> {
    let bytes = private_file::read(path, MAX_FILE_BYTES)?;
    Keys::from_bytes(&bytes).map_err(|source| KeyFileError::Content {
        path: path.to_owned(),
        source,
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    fn keys() -> Keys {
        Keys::generate(&mut ChaCha12Rng::from_seed([9; 32]))
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_file_belongs_to_its_owner_and_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.dat");
        create(&path, &keys()).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(std::fs::read(&path).unwrap(), keys().to_bytes());
        assert_eq!(read(&path).unwrap().to_bytes(), keys().to_bytes());
    }

    /// Both were made by i2pd 2.45.1 for server tunnels that never ran; the names are those
    /// under which i2pd itself kept their destinations.
    #[test]
    fn files_that_i2pd_made_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.dat");
        for (made, name) in [
            (
                &include_bytes!("../../tests/keys/i2pd-ed25519.dat")[..],
                "ymlk5yqyp2f6sdofudz2wbpe7h4e7uvnnje735dczio676s7bksa.b32.i2p",
            ),
            (
                &include_bytes!("../../tests/keys/i2pd-dsa.dat")[..],
                "cqdv3pegiajqkgxzjeetorlt53bb7lp65pzcdmwp32uz7ybk2ypa.b32.i2p",
            ),
        ] {
            std::fs::write(&path, made).unwrap();
            set_mode(&path, 0o600);
            let keys = read(&path).unwrap();
            let destination = keys.destination();
            assert_eq!(destination.hash().to_b32_name(), name);
            assert_eq!(keys.verifying_key(), destination.signing_key().1);
            assert_eq!(keys.to_bytes(), made);
        }
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.dat");
        std::fs::write(&path, "precious").unwrap();
        let error = create(&path, &keys()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} exists and is not overwritten", path.display())
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");

        let link = directory.path().join("link.dat");
        std::os::unix::fs::symlink(directory.path().join("nowhere"), &link).unwrap();
        assert!(matches!(
            create(&link, &keys()),
            Err(KeyFileError::File(PrivateFileError::Exists(_)))
        ));
    }

    #[test]
    fn every_mode_that_lets_others_in_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.dat");
        create(&path, &keys()).unwrap();
        for bit in 0..6 {
            set_mode(&path, 0o600 | 1 << bit);
            assert!(matches!(
                read(&path),
                Err(KeyFileError::File(PrivateFileError::Exposed { .. }))
            ));
        }
        set_mode(&path, 0o644);
        assert_eq!(
            read(&path).unwrap_err().to_string(),
            format!(
                "{} is open to others (mode 0644): chmod 600 it",
                path.display()
            )
        );
        set_mode(&path, 0o400);
        read(&path).unwrap();
    }

    #[test]
    fn a_missing_file_and_one_of_another_kind_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.dat");
        assert!(matches!(
            read(&path),
            Err(KeyFileError::File(PrivateFileError::Read { .. }))
        ));
        std::fs::write(&path, "not keys").unwrap();
        set_mode(&path, 0o600);
        assert!(matches!(read(&path), Err(KeyFileError::Content { .. })));
    }
}
