//! The keys behind an I2P destination of our own: a key to sign with, and an ElGamal key to which
//! others encrypt.
//!
//! A session gives its router the destination, signs with the one key, and hands over the other, by
//! which the router decrypts. See [`mod@file`] for their storage.

use ed25519_dalek::{Signer, SigningKey};
use rand::CryptoRng;
use sha2::{Digest, Sha256};

use crate::wire::{Destination, DestinationError};

mod dsa;
mod elgamal;
pub mod file;

/// Bytes of an ElGamal key, private or public.
pub const ENCRYPTION_KEY_BYTES: usize = elgamal::KEY_BYTES;

/// Bytes of an Ed25519 key, private (the seed of RFC 8032) or public.
const ED25519_KEY_BYTES: usize = 32;
/// End of the field for the signing key, and start of the certificate.
const CERTIFICATE_AT: usize = Destination::MIN_BYTES - 3;

/// The signature algorithm of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    /// DSA-SHA1 with a null certificate, 387 bytes: the kind of every destination in 2004, and the
    /// only one that Java routers before 0.9.15 take and that the April 2004 implementation opens
    /// conversations with. Its 1,024 bits protect nothing today: for laboratories only.
    Dsa,
    /// Ed25519 with a key certificate, 391 bytes.
    #[default]
    Ed25519,
}

impl KeyType {
    /// Its certificate. A key certificate has 4 bytes: signature type 7 (Ed25519),
    /// encryption type 0 (ElGamal).
    const fn certificate(self) -> &'static [u8] {
        match self {
            Self::Dsa => &[0, 0, 0],
            Self::Ed25519 => &[5, 0, 4, 0, 7, 0, 0],
        }
    }

    fn of_certificate(certificate: &[u8]) -> Option<Self> {
        let types = [Self::Dsa, Self::Ed25519];
        types
            .into_iter()
            .find(|key_type| key_type.certificate() == certificate)
    }

    /// Bytes of a public signing key, which a lease set repeats as its unused
    /// revocation key.
    pub const fn public_key_bytes(self) -> usize {
        match self {
            Self::Dsa => dsa::PUBLIC_KEY_BYTES,
            Self::Ed25519 => ED25519_KEY_BYTES,
        }
    }

    /// Bytes of a private signing key.
    pub const fn private_key_bytes(self) -> usize {
        match self {
            Self::Dsa => dsa::PRIVATE_KEY_BYTES,
            Self::Ed25519 => ED25519_KEY_BYTES,
        }
    }

    /// Bytes of a signature.
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Dsa => dsa::SIGNATURE_BYTES,
            Self::Ed25519 => ed25519_dalek::SIGNATURE_LENGTH,
        }
    }

    /// Bytes of a destination.
    pub const fn destination_bytes(self) -> usize {
        CERTIFICATE_AT + self.certificate().len()
    }

    /// Bytes of keys written out: destination, private ElGamal key, private signing key.
    pub const fn file_bytes(self) -> usize {
        self.destination_bytes() + ENCRYPTION_KEY_BYTES + self.private_key_bytes()
    }

    /// Offset of the public signing key: at the end of its field of 128 bytes.
    const fn public_key_at(self) -> usize {
        CERTIFICATE_AT - self.public_key_bytes()
    }
}

/// A destination of our own with its private keys.
///
/// `Debug` shows the destination's hash only.
#[derive(Clone)]
pub struct Keys {
    destination: Vec<u8>,
    signing_key: PrivateKey,
    decryption_key: [u8; ENCRYPTION_KEY_BYTES],
    encryption_key: [u8; ENCRYPTION_KEY_BYTES],
}

#[derive(Clone)]
enum PrivateKey {
    Dsa(Box<dsa::Key>),
    Ed25519(Box<SigningKey>),
}

impl PrivateKey {
    fn generate(key_type: KeyType, rng: &mut impl CryptoRng) -> Self {
        match key_type {
            KeyType::Dsa => Self::Dsa(Box::new(dsa::Key::generate(rng))),
            KeyType::Ed25519 => {
                let mut seed = [0; ED25519_KEY_BYTES];
                rng.fill_bytes(&mut seed);
                Self::Ed25519(Box::new(SigningKey::from_bytes(&seed)))
            }
        }
    }

    fn from_bytes(key_type: KeyType, bytes: &[u8]) -> Option<Self> {
        match key_type {
            KeyType::Dsa => {
                let key = dsa::Key::from_private(bytes.try_into().ok()?)?;
                Some(Self::Dsa(Box::new(key)))
            }
            KeyType::Ed25519 => {
                let key = SigningKey::from_bytes(bytes.try_into().ok()?);
                Some(Self::Ed25519(Box::new(key)))
            }
        }
    }

    const fn key_type(&self) -> KeyType {
        match self {
            Self::Dsa(_) => KeyType::Dsa,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Dsa(key) => key.to_private().to_vec(),
            Self::Ed25519(key) => key.to_bytes().to_vec(),
        }
    }

    fn public(&self) -> Vec<u8> {
        match self {
            Self::Dsa(key) => key.to_public().to_vec(),
            Self::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
        }
    }
}

/// The reason why bytes are not keys that we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// They do not begin with a destination.
    #[error("no destination at offset 0")]
    Destination(#[source] DestinationError),
    /// The destination has keys of other kinds.
    #[error(
        "certificate {} at offset 384 is neither {} (DSA) nor {}: only DSA and Ed25519 signatures \
         (types 0 and 7) with ElGamal encryption (type 0) are supported",
        hex::encode(.0),
        hex::encode(KeyType::Dsa.certificate()),
        hex::encode(KeyType::Ed25519.certificate())
    )]
    Certificate(Vec<u8>),
    /// There are too few or too many bytes.
    #[error(
        "{bytes} bytes instead of {}: destination {}, encryption key {ENCRYPTION_KEY_BYTES}, \
         signing key {}",
        key_type.file_bytes(),
        key_type.destination_bytes(),
        key_type.private_key_bytes()
    )]
    Length {
        /// Number of bytes there.
        bytes: usize,
        /// The type that the destination names.
        key_type: KeyType,
    },
    /// The private signing key is kept elsewhere, and has signed another for this file.
    #[error(
        "the private signing key at offset {} is zeros, followed by an offline signature: \
         offline keys are not supported, use a file with the key itself",
        .0.file_bytes() - .0.private_key_bytes()
    )]
    Offline(KeyType),
    /// The private signing key is not that of the destination.
    #[error(
        "the private signing key at offset {} does not belong to the public one at offset {}",
        .0.file_bytes() - .0.private_key_bytes(),
        .0.public_key_at()
    )]
    Mismatch(KeyType),
}

impl Keys {
    /// Makes a new destination of the usual type, Ed25519. `rng` must be good enough for
    /// secrets: the operating system's, but in tests.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::generate_as(KeyType::Ed25519, rng)
    }

    /// Makes a new destination, as [`generate`](Self::generate) does.
    pub fn generate_as(key_type: KeyType, rng: &mut impl CryptoRng) -> Self {
        let mut decryption_key = [0; ENCRYPTION_KEY_BYTES];
        rng.fill_bytes(&mut decryption_key);
        let signing_key = PrivateKey::generate(key_type, rng);
        let encryption_key = elgamal::public_key(&decryption_key);

        let mut destination = encryption_key.to_vec();
        // Padding before a key that is shorter than its field (common structures specification,
        // "KeysAndCert").
        destination.resize(key_type.public_key_at(), 0);
        rng.fill_bytes(&mut destination[ENCRYPTION_KEY_BYTES..]);
        destination.extend_from_slice(&signing_key.public());
        destination.extend_from_slice(key_type.certificate());
        Self {
            destination,
            signing_key,
            decryption_key,
            encryption_key,
        }
    }

    /// Takes keys from the bytes of [`to_bytes`](Self::to_bytes), or of a file that
    /// another I2P program made.
    ///
    /// # Errors
    /// The error in them, and its place.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeysError> {
        let (destination, private) = Destination::split(bytes).map_err(KeysError::Destination)?;
        let certificate = &destination.as_bytes()[CERTIFICATE_AT..];
        let key_type = KeyType::of_certificate(certificate)
            .ok_or_else(|| KeysError::Certificate(certificate.to_vec()))?;
        let length = KeysError::Length {
            bytes: bytes.len(),
            key_type,
        };
        let Some((decryption_key, signing_key)) = private.split_first_chunk() else {
            return Err(length);
        };
        // Java marks an offline key so (common structures specification, "OfflineSignature",
        // since 0.9.38). Before the length is checked, which the signature behind it exceeds.
        if let Some((key, [_, ..])) = signing_key.split_at_checked(key_type.private_key_bytes())
            && key.iter().all(|byte| *byte == 0)
        {
            return Err(KeysError::Offline(key_type));
        }
        if signing_key.len() != key_type.private_key_bytes() {
            return Err(length);
        }
        let mismatch = KeysError::Mismatch(key_type);
        let Some(signing_key) = PrivateKey::from_bytes(key_type, signing_key) else {
            return Err(mismatch);
        };
        if destination.as_bytes()[key_type.public_key_at()..CERTIFICATE_AT] != signing_key.public()
        {
            return Err(mismatch);
        }
        // Others encrypt to the lease set's key; that in the destination is not used (II.1.2), and
        // newer programs keep zeros instead of a private key for it.
        let decryption_key = if decryption_key.iter().all(|byte| *byte == 0) {
            derived_decryption_key(&signing_key)
        } else {
            *decryption_key
        };
        Ok(Self {
            destination: destination.as_bytes().to_vec(),
            signing_key,
            encryption_key: elgamal::public_key(&decryption_key),
            decryption_key,
        })
    }

    /// Destination, private ElGamal key, private signing key, as in I2P's key
    /// files: [`KeyType::file_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            &self.destination[..],
            &self.decryption_key,
            &self.signing_key.to_bytes(),
        ]
        .concat()
    }

    /// The type of the destination's signatures.
    pub const fn key_type(&self) -> KeyType {
        self.signing_key.key_type()
    }

    /// The destination.
    pub fn destination(&self) -> Destination<'_> {
        Destination::split(&self.destination)
            .expect("it was made with a certificate of its type")
            .0
    }

    /// Signs by the destination's signing key; [`KeyType::signature_bytes`].
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.signing_key {
            PrivateKey::Dsa(key) => key.sign(message).to_vec(),
            PrivateKey::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// The public signing key that stands in the destination;
    /// [`KeyType::public_key_bytes`].
    pub fn verifying_key(&self) -> Vec<u8> {
        self.signing_key.public()
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

/// An ElGamal key that cannot be guessed without the signing key, and that is always the same.
fn derived_decryption_key(signing_key: &PrivateKey) -> [u8; ENCRYPTION_KEY_BYTES] {
    let mut key = [0; ENCRYPTION_KEY_BYTES];
    for (number, part) in (0_u8..).zip(key.chunks_exact_mut(Sha256::output_size())) {
        let hash = Sha256::new()
            .chain_update("ministream lease set key")
            // The key takes eight hashes, which this tells apart.
            .chain_update([number])
            .chain_update(signing_key.to_bytes());
        part.copy_from_slice(&hash.finalize());
    }
    key
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.destination().hash())
    }
}

#[cfg(test)]
mod tests;
