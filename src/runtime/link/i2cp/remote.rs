//! Whom conversations are opened with.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::session::Query;
use crate::wire::{Destination, DestinationError, DestinationHash};

/// More than the longest destination in base64.
const MAX_FILE_BYTES: usize = 128 * 1024;

/// A destination, or a name or file that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// The destination's bytes.
    Destination(Vec<u8>),
    /// A hash or a host name that the router looks up.
    LookUp(Query),
}

/// The reason why a text is no destination.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// A name that ends in `.b32.i2p` and holds no hash.
    #[error("{0:?} is not 52 characters of base32 with .b32.i2p")]
    Hash(String),
    /// A host name that is too long.
    #[error("a host name is at most 255 bytes, not {0}")]
    Name(usize),
    /// Neither a name nor a destination in base64.
    #[error(
        "neither a destination in base64, nor NAME.i2p, HASH.b32.i2p or @FILE ({characters} characters)"
    )]
    Base64 {
        /// Length of the text.
        characters: usize,
        /// The error in it as a destination.
        source: DestinationError,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} holds no destination", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The error.
        source: DestinationError,
    },
}

impl FromStr for Remote {
    type Err = RemoteError;

    /// `BASE64`, `NAME.i2p`, `HASH.b32.i2p`, or `@FILE` of a file that holds a
    /// destination in base64 or as it is, such as a key file.
    fn from_str(text: &str) -> Result<Self, RemoteError> {
        if let Some(path) = text.strip_prefix('@') {
            return read(Path::new(path)).map(Self::Destination);
        }
        let name = text.to_ascii_lowercase();
        if name.ends_with(".b32.i2p") {
            let hash: Result<DestinationHash, _> = name.parse();
            return match hash {
                Ok(hash) => Ok(Self::LookUp(Query::Hash(hash))),
                Err(_) => Err(RemoteError::Hash(text.to_owned())),
            };
        }
        if name.ends_with(".i2p") {
            return match name.len() {
                0..=255 => Ok(Self::LookUp(Query::Name(name))),
                length => Err(RemoteError::Name(length)),
            };
        }
        Destination::decode_base64(text)
            .and_then(whole)
            .map(Self::Destination)
            .map_err(|source| RemoteError::Base64 {
                characters: text.chars().count(),
                source,
            })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RemoteError> {
    let content = |source| RemoteError::Content {
        path: path.to_owned(),
        source,
    };
    let mut bytes = std::fs::read(path).map_err(|source| RemoteError::Read {
        path: path.to_owned(),
        source,
    })?;
    bytes.truncate(MAX_FILE_BYTES);
    // The bytes of a destination are hardly ever text.
    match std::str::from_utf8(&bytes) {
        Ok(text) => Destination::decode_base64(text).and_then(whole),
        Err(_) => whole(bytes),
    }
    .map_err(content)
}

/// The destination at the beginning; a key file has its private keys behind it.
fn whole(mut bytes: Vec<u8>) -> Result<Vec<u8>, DestinationError> {
    let (destination, _rest) = Destination::split(&bytes)?;
    let length = destination.as_bytes().len();
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..391_u32).map(|n| n.to_le_bytes()[0]).collect();
        bytes[384..].copy_from_slice(&[5, 0, 4, 0, 7, 0, 0]);
        bytes
    }

    fn base64() -> String {
        let bytes = destination();
        Destination::split(&bytes).unwrap().0.to_base64()
    }

    #[test]
    fn each_way_to_name_a_destination_is_understood() {
        let hash = DestinationHash::of(b"x");
        for (text, remote) in [
            (base64(), Remote::Destination(destination())),
            (hash.to_b32_name(), Remote::LookUp(Query::Hash(hash))),
            (
                hash.to_b32_name().to_uppercase(),
                Remote::LookUp(Query::Hash(hash)),
            ),
            (
                "Site.i2p".to_owned(),
                Remote::LookUp(Query::Name("site.i2p".to_owned())),
            ),
        ] {
            assert_eq!(text.parse::<Remote>().unwrap(), remote);
        }
    }

    #[test]
    fn a_file_may_hold_base64_a_destination_or_keys() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("to");
        let text = format!("@{}", path.display());
        let keys = [destination(), vec![1; 288]].concat();
        for content in [destination(), keys, format!("{}\n", base64()).into_bytes()] {
            std::fs::write(&path, content).unwrap();
            let remote: Remote = text.parse().unwrap();
            assert_eq!(remote, Remote::Destination(destination()));
        }
        std::fs::write(&path, "nothing").unwrap();
        assert!(matches!(
            text.parse::<Remote>(),
            Err(RemoteError::Content { .. })
        ));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            text.parse::<Remote>(),
            Err(RemoteError::Read { .. })
        ));
    }

    #[test]
    fn what_names_no_destination_is_told_why() {
        for (text, error) in [
            (
                "abc.b32.i2p",
                r#""abc.b32.i2p" is not 52 characters of base32 with .b32.i2p"#,
            ),
            (
                "127.0.0.1:80",
                "neither a destination in base64, nor NAME.i2p, HASH.b32.i2p or @FILE (12 characters)",
            ),
        ] {
            assert_eq!(text.parse::<Remote>().unwrap_err().to_string(), error);
        }
        let long = format!("{}.i2p", "x".repeat(252));
        assert!(matches!(
            long.parse::<Remote>(),
            Err(RemoteError::Name(256))
        ));
    }
}
