//! Keys of TLS 1.3 records, from the secrets that they follow from (RFC 8446, sections 7.1 to
//! 7.3 and 5.2).

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;

/// A cipher suite of TLS 1.3 (RFC 8446, appendix B.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl Suite {
    pub(super) const fn of(number: u16) -> Option<Self> {
        match number {
            0x1301 => Some(Self::Aes128Gcm),
            0x1302 => Some(Self::Aes256Gcm),
            0x1303 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    fn aead(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm => &aead::AES_128_GCM,
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }

    fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => hkdf::HKDF_SHA256,
            Self::Aes256Gcm => hkdf::HKDF_SHA384,
        }
    }

    /// Bytes of its secrets: those of its hash.
    const fn secret_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => 32,
            Self::Aes256Gcm => 48,
        }
    }
}

/// The length to which a secret is expanded.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label without a context (RFC 8446, section 7.1).
fn expand(suite: Suite, secret: &[u8], label: &str, length: usize) -> Option<Vec<u8>> {
    let length_bytes = u16::try_from(length).ok()?.to_be_bytes();
    let label = format!("tls13 {label}");
    let label_length = [u8::try_from(label.len()).ok()?];
    let info = [&length_bytes[..], &label_length, label.as_bytes(), &[0]];
    let mut out = vec![0; length];
    hkdf::Prk::new_less_safe(suite.hkdf(), secret)
        .expand(&info, Length(length))
        .and_then(|key| key.fill(&mut out))
        .ok()?;
    Some(out)
}

/// The keys of one direction's records until they change.
#[derive(Debug)]
pub(super) struct RecordKeys {
    suite: Suite,
    secret: Vec<u8>,
    key: LessSafeKey,
    iv: [u8; aead::NONCE_LEN],
    /// Counts records.
    sequence: u64,
}

impl RecordKeys {
    /// `None` if the secret is not of the suite.
    pub(super) fn new(suite: Suite, secret: &[u8]) -> Option<Self> {
        if secret.len() != suite.secret_bytes() {
            return None;
        }
        let key = expand(suite, secret, "key", suite.aead().key_len())?;
        let iv = expand(suite, secret, "iv", aead::NONCE_LEN)?;
        Some(Self {
            suite,
            secret: secret.to_vec(),
            key: LessSafeKey::new(UnboundKey::new(suite.aead(), &key).ok()?),
            iv: iv.try_into().ok()?,
            sequence: 0,
        })
    }

    /// The keys after an update (section 7.2).
    pub(super) fn updated(&self) -> Option<Self> {
        let next = expand(self.suite, &self.secret, "traffic upd", self.secret.len())?;
        Self::new(self.suite, &next)
    }

    /// Opens the next record in place; `None` if it was not sealed with these keys.
    pub(super) fn open<'a>(&mut self, header: [u8; 5], record: &'a mut [u8]) -> Option<&'a [u8]> {
        let mut nonce = self.iv;
        let (_, counter) = nonce.split_at_mut(aead::NONCE_LEN - 8);
        for (byte, count) in counter.iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence = self.sequence.checked_add(1)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let inside = self.key.open_in_place(nonce, Aad::from(header), record);
        inside.ok().map(|inside| &*inside)
    }
}
