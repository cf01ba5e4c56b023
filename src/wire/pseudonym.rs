//! Pseudonyms: stand-ins for destinations that are nobody else's business.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::destination::{CERTIFICATE_HEADER_BYTES, KEY_CERTIFICATE, KEYS_BYTES};
use super::{Destination, DestinationHash};

/// Signature type and encryption type, with which the content of a key certificate begins
/// (common structures specification, "Key Certificates").
const ALGORITHMS_BYTES: usize = 2 + 2;

/// Hex digits of a name that stands in for a nickname.
const NAME_DIGITS: usize = 8;

/// Gives every destination a pseudonym: another one, with keys that nobody has.
///
/// The same destination always has the same pseudonym under one key, and another
/// under another. Without the key nobody can find out which destination a pseudonym
/// stands for, not even by trying those that are known: a plain hash could be
/// looked up, because the hash of a destination is its public name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pseudonyms {
    key: [u8; 32],
}

/// The kind of value replaced; no two kinds share their bytes.
// A key may be kept to compare captures, so the numbers, which are hashed, stay as they are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Destination = 0,
    NoDestination = 1,
    Nickname = 2,
}

impl Pseudonyms {
    /// Pseudonyms under a secret key: 32 bytes that nobody can guess.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The pseudonym of a destination: a destination of the same length, with a
    /// certificate of the same type and, in a KEY certificate, the same algorithms.
    pub fn destination(&self, destination: Destination<'_>) -> Vec<u8> {
        let real = destination.as_bytes();
        let mut pseudonym = self.bytes(Kind::Destination, real, real.len());
        let kept = match real[KEYS_BYTES] {
            KEY_CERTIFICATE => CERTIFICATE_HEADER_BYTES + ALGORITHMS_BYTES,
            _ => CERTIFICATE_HEADER_BYTES,
        };
        keep(KEYS_BYTES, kept, real, &mut pseudonym);
        pseudonym
    }

    /// The hash of a destination's pseudonym.
    pub fn hash(&self, destination: Destination<'_>) -> DestinationHash {
        DestinationHash::of(&self.destination(destination))
    }

    /// A stand-in of the same length for bytes that are no valid destination; it is invalid in the
    /// same way.
    pub fn no_destination(&self, bytes: &[u8]) -> Vec<u8> {
        let mut pseudonym = self.bytes(Kind::NoDestination, bytes, bytes.len());
        keep_certificate_header(bytes, &mut pseudonym);
        pseudonym
    }

    /// A name to stand in for a nickname: `name-1f2e3d4c`.
    pub fn nickname(&self, nickname: &str) -> String {
        let bytes = self.bytes(Kind::Nickname, nickname.as_bytes(), NAME_DIGITS / 2);
        format!("name-{}", HEXLOWER.encode(&bytes))
    }

    /// So many bytes that depend on the key and on `secret`, and reveal neither.
    ///
    /// Each block is the SHA-256 of the key and as many further bytes as every
    /// other, which makes the hash a pseudorandom function of these: none is the
    /// beginning of another.
    fn bytes(&self, kind: Kind, secret: &[u8], length: usize) -> Vec<u8> {
        let prefix = Sha256::new()
            .chain_update(self.key)
            .chain_update([kind as u8])
            .chain_update(Sha256::digest(secret));
        let mut bytes = Vec::with_capacity(length.next_multiple_of(32));
        for block in 0_u64.. {
            if bytes.len() >= length {
                break;
            }
            let digest = prefix.clone().chain_update(block.to_be_bytes()).finalize();
            bytes.extend_from_slice(&digest);
        }
        bytes.truncate(length);
        bytes
    }
}

/// The key stays out of logs.
impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").finish_non_exhaustive()
    }
}

/// Writes over `replaced`, which stands in for bytes that are no destination, the
/// type and length of the certificate, without which it might become one.
pub fn keep_certificate_header(bytes: &[u8], replaced: &mut [u8]) {
    keep(KEYS_BYTES, CERTIFICATE_HEADER_BYTES, bytes, replaced);
}

/// Copies up to `length` bytes from `start`, as far as there are any.
fn keep(start: usize, length: usize, from: &[u8], to: &mut [u8]) {
    let kept = to.iter_mut().zip(from).skip(start).take(length);
    kept.for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Pseudonyms = Pseudonyms::new([1; 32]);
    const OTHER: Pseudonyms = Pseudonyms::new([2; 32]);

    /// A destination whose certificate has this type and content.
    fn destination(seed: u8, certificate_type: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![seed; KEYS_BYTES];
        bytes.push(certificate_type);
        bytes.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(content);
        bytes
    }

    fn pseudonym(pseudonyms: Pseudonyms, bytes: &[u8]) -> Vec<u8> {
        pseudonyms.destination(Destination::split(bytes).unwrap().0)
    }

    #[test]
    fn a_pseudonym_is_a_destination_of_the_same_shape_and_of_other_keys() {
        for (certificate_type, content, kept) in [
            (0, &[][..], &[][..]),
            (5, &[0, 7, 0, 4], &[0, 7, 0, 4]),
            (5, &[0, 1, 0, 0, 77, 77, 77, 77, 77], &[0, 1, 0, 0]),
            (5, &[0, 7], &[0, 7]),
            (3, &[77; 40], &[]),
        ] {
            let real = destination(9, certificate_type, content);
            let pseudonym = pseudonym(ONE, &real);
            let (parsed, rest) = Destination::split(&pseudonym).unwrap();
            assert_eq!((parsed.as_bytes().len(), rest.len()), (real.len(), 0));
            assert_eq!(pseudonym[384..387], real[384..387]);
            assert_eq!(&pseudonym[387..387 + kept.len()], kept);
            let hidden = [&pseudonym[..384], &pseudonym[387 + kept.len()..]].concat();
            let unchanged = hidden
                .windows(4)
                .filter(|run| real.windows(4).any(|r| r == *run));
            assert_eq!(unchanged.count(), 0, "certificate type {certificate_type}");
        }
    }

    #[test]
    fn the_same_key_gives_the_same_pseudonym_and_another_key_another() {
        let [one, other] = [1, 2].map(|seed| destination(seed, 0, &[]));
        assert_eq!(pseudonym(ONE, &one), pseudonym(ONE, &one));
        assert_ne!(pseudonym(ONE, &one), pseudonym(ONE, &other));
        assert_ne!(pseudonym(ONE, &one), pseudonym(OTHER, &one));
        assert_eq!(ONE.nickname("mine"), ONE.nickname("mine"));
        assert_ne!(ONE.nickname("mine"), ONE.nickname("yours"));
        assert_ne!(ONE.nickname("mine"), OTHER.nickname("mine"));
    }

    #[test]
    fn no_part_of_a_pseudonym_repeats_itself() {
        let pseudonym = pseudonym(ONE, &destination(7, 0, &[]));
        let mut blocks: Vec<&[u8]> = pseudonym[..384].chunks(16).collect();
        blocks.sort_unstable();
        blocks.dedup();
        assert_eq!(blocks.len(), 384 / 16);
    }

    #[test]
    fn pseudonyms_are_reproducible_from_their_key() {
        // Fixed: results of one release can be compared with those of the next.
        let hash = ONE.hash(Destination::split(&destination(7, 0, &[])).unwrap().0);
        assert_eq!(
            hash.to_string(),
            "VcwjCv1Xmfys-DsoiYMc6D5kT-EzFzXFQM1X8Rwe0jw="
        );
        assert_eq!(ONE.nickname("mine"), "name-2d5cba42");
    }

    #[test]
    fn what_is_no_destination_is_none_in_the_same_way() {
        let mut too_long = destination(7, 5, &[0, 7, 0, 0]);
        too_long.pop();
        let whole = destination(7, 0, &[]);
        for length in 0..387 {
            let replaced = ONE.no_destination(&whole[..length]);
            assert_eq!(
                Destination::split(&replaced).unwrap_err(),
                Destination::split(&whole[..length]).unwrap_err()
            );
        }
        let replaced = ONE.no_destination(&too_long);
        assert_eq!(
            Destination::split(&replaced).unwrap_err(),
            Destination::split(&too_long).unwrap_err()
        );
        assert_ne!(replaced[..384], too_long[..384]);
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{ONE:?}"), "Pseudonyms { .. }");
    }
}
