//! The key of an I2P destination as a raw public key (RFC 7250).

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::keys::Keys;
use crate::wire::{Destination, SignatureType};

/// The DER of a SubjectPublicKeyInfo with an Ed25519 key, up to the key (RFC 8410, section 4).
const ED25519_SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The certified key for TLS of these keys, which must be of type Ed25519.
pub(super) fn certified(keys: &Arc<Keys>) -> Arc<CertifiedKey> {
    let spki = CertificateDer::from(spki(&keys.verifying_key()));
    let key = DestinationKey(Arc::clone(keys));
    Arc::new(CertifiedKey::new(vec![spki], Arc::new(key)))
}

fn spki(key: &[u8]) -> Vec<u8> {
    [&ED25519_SPKI_PREFIX, key].concat()
}

/// Whether the raw public key that was proven is the signing key of this destination.
pub(super) fn is_key_of(raw_key: &[u8], destination: Destination<'_>) -> bool {
    let (_, key) = destination.signing_key();
    destination.signature_type() == SignatureType::ED25519 && raw_key == spki(key)
}

/// Signs without handing out the private key.
#[derive(Clone, Debug)]
struct DestinationKey(Arc<Keys>);

impl SigningKey for DestinationKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = || Box::new(self.clone()) as Box<dyn Signer>;
        offered.contains(&SignatureScheme::ED25519).then(signer)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(spki(&self.0.verifying_key()).into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for DestinationKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(self.0.sign(message))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
