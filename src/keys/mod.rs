//! The keys behind an I2P destination of our own: Ed25519 to sign with, and
//! ElGamal for what others encrypt to it.
//!
//! A session tells its router the destination, signs with the one key, and
//! hands over the other, by which the router decrypts. See [`mod@file`] for how
//! keys are kept.

use ed25519_dalek::{Signer, SigningKey};
use rand::CryptoRng;

use crate::wire::{Destination, DestinationError};

mod elgamal;
pub mod file;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of a public signing key, which a lease set repeats as its unused revocation key.
pub const SIGNING_KEY_BYTES: usize = 32;
/// Bytes of an ElGamal key, private or public.
pub const ENCRYPTION_KEY_BYTES: usize = elgamal::KEY_BYTES;

/// Bytes of a destination with an Ed25519 key: 384 of keys and a certificate of 7.
const DESTINATION_BYTES: usize = Destination::MIN_BYTES + 4;
/// Where the signing key stands: at the end of its field of 128 bytes.
const SIGNING_KEY_AT: usize = Destination::MIN_BYTES - 3 - SIGNING_KEY_BYTES;
/// A key certificate of 4 bytes: signature type 7 (Ed25519), encryption type 0 (ElGamal).
const CERTIFICATE: [u8; 7] = [5, 0, 4, 0, 7, 0, 0];
/// Bytes of keys written out: destination, private ElGamal key, private signing key.
const KEYS_BYTES: usize = DESTINATION_BYTES + ENCRYPTION_KEY_BYTES + SIGNING_KEY_BYTES;

/// A destination of our own with its private keys.
///
/// `Debug` shows the destination's hash only.
#[derive(Clone)]
pub struct Keys {
    destination: [u8; DESTINATION_BYTES],
    signing_key: SigningKey,
    decryption_key: [u8; ENCRYPTION_KEY_BYTES],
    encryption_key: [u8; ENCRYPTION_KEY_BYTES],
}

/// Why bytes are not keys that we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// They do not begin with a destination.
    #[error("no destination at offset 0")]
    Destination(#[source] DestinationError),
    /// The destination has keys of other kinds.
    #[error(
        "certificate {} at offset 384 is not {}: only Ed25519 signatures (type 7) \
         with ElGamal encryption (type 0) are supported",
        hex::encode(.0), hex::encode(CERTIFICATE)
    )]
    Certificate(Vec<u8>),
    /// There are too few or too many bytes.
    #[error(
        "{0} bytes instead of {KEYS_BYTES}: destination {DESTINATION_BYTES}, \
         encryption key {ENCRYPTION_KEY_BYTES}, signing key {SIGNING_KEY_BYTES}"
    )]
    Length(usize),
    /// The private signing key is not that of the destination.
    #[error(
        "the private signing key at offset {} does not belong to the public one at offset {SIGNING_KEY_AT}",
        KEYS_BYTES - SIGNING_KEY_BYTES
    )]
    Mismatch,
}

impl Keys {
    /// Makes a new destination. `rng` must be good enough for secrets: the
    /// operating system's, but in tests.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut decryption_key = [0; ENCRYPTION_KEY_BYTES];
        rng.fill_bytes(&mut decryption_key);
        let mut seed = [0; SIGNING_KEY_BYTES];
        rng.fill_bytes(&mut seed);
        let signing_key = SigningKey::from_bytes(&seed);
        let encryption_key = elgamal::public_key(&decryption_key);

        let mut destination = [0; DESTINATION_BYTES];
        destination[..ENCRYPTION_KEY_BYTES].copy_from_slice(&encryption_key);
        rng.fill_bytes(&mut destination[ENCRYPTION_KEY_BYTES..SIGNING_KEY_AT]);
        destination[SIGNING_KEY_AT..][..SIGNING_KEY_BYTES]
            .copy_from_slice(signing_key.verifying_key().as_bytes());
        destination[DESTINATION_BYTES - CERTIFICATE.len()..].copy_from_slice(&CERTIFICATE);
        Self {
            destination,
            signing_key,
            decryption_key,
            encryption_key,
        }
    }

    /// Takes keys from the bytes of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// What is wrong with them, and where.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeysError> {
        let (destination, private) = Destination::split(bytes).map_err(KeysError::Destination)?;
        let certificate = &destination.as_bytes()[Destination::MIN_BYTES - 3..];
        if certificate != CERTIFICATE {
            return Err(KeysError::Certificate(certificate.to_vec()));
        }
        let length = KeysError::Length(bytes.len());
        let (decryption_key, seed) = private.split_first_chunk().ok_or(length.clone())?;
        let signing_key = SigningKey::from_bytes(seed.try_into().map_err(|_| length)?);
        let destination: [u8; DESTINATION_BYTES] = destination
            .as_bytes()
            .try_into()
            .expect("a destination with a certificate of 7 bytes has 391");
        let public = &destination[SIGNING_KEY_AT..][..SIGNING_KEY_BYTES];
        if public != signing_key.verifying_key().as_bytes() {
            return Err(KeysError::Mismatch);
        }
        Ok(Self {
            destination,
            signing_key,
            decryption_key: *decryption_key,
            encryption_key: elgamal::public_key(decryption_key),
        })
    }

    /// Destination, private ElGamal key, private signing key, as in I2P's key
    /// files: 391, 256 and 32 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            &self.destination[..],
            &self.decryption_key,
            self.signing_key.as_bytes(),
        ]
        .concat()
    }

    /// The destination, 391 bytes.
    pub fn destination(&self) -> Destination<'_> {
        Destination::split(&self.destination)
            .expect("the certificate's length is that of the array")
            .0
    }

    /// Signs by the destination's signing key.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.signing_key.sign(message).to_bytes()
    }

    /// The public signing key that stands in the destination.
    pub fn verifying_key(&self) -> [u8; SIGNING_KEY_BYTES] {
        self.signing_key.verifying_key().to_bytes()
    }

    /// The private ElGamal key, which the router needs.
    pub const fn decryption_key(&self) -> &[u8; ENCRYPTION_KEY_BYTES] {
        &self.decryption_key
    }

    /// The public ElGamal key, which goes into the lease set.
    pub const fn encryption_key(&self) -> &[u8; ENCRYPTION_KEY_BYTES] {
        &self.encryption_key
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.destination().hash())
    }
}

#[cfg(test)]
mod tests;
