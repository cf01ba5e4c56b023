//! I2P destinations: the payload of a SYN.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{be_u16, u8 as byte};
use sha2::{Digest, Sha256};

use super::base64::I2P_BASE64;
use super::{FrameType, RawFrame};

/// An I2P destination: 256 bytes encryption key, 128 bytes signing key, and a
/// certificate of 1 type, 2 length and that many bytes.
///
/// Only the lengths are checked; the keys are whatever was sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Destination<'a>(&'a [u8]);

/// Why bytes are not a destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// Fewer bytes than the keys and a null certificate take.
    #[error(
        "a destination is at least {} bytes, not {got}",
        Destination::MIN_BYTES
    )]
    TooShort {
        /// Bytes given.
        got: usize,
    },
    /// The certificate's length goes beyond the end.
    #[error("the certificate makes the destination {needed} bytes, but there are {got}")]
    CertificateTooLong {
        /// Length of the destination by its certificate.
        needed: usize,
        /// Bytes given.
        got: usize,
    },
    /// The text is not base64 of the I2P alphabet.
    #[error("not base64 in the I2P alphabet (A-Z a-z 0-9 - ~)")]
    BadBase64,
}

impl<'a> Destination<'a> {
    /// Bytes of a destination with a null certificate, the shortest there is.
    pub const MIN_BYTES: usize = KEYS_BYTES + CERTIFICATE_HEADER_BYTES;

    /// Takes a destination from the start of `bytes` and returns it with the bytes behind it.
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DestinationError> {
        let (_, certificate_bytes) = certificate_length(bytes)
            .map_err(|_| DestinationError::TooShort { got: bytes.len() })?;
        let needed = Self::MIN_BYTES + usize::from(certificate_bytes);
        match bytes.split_at_checked(needed) {
            Some((destination, rest)) => Ok((Self(destination), rest)),
            None => Err(DestinationError::CertificateTooLong {
                needed,
                got: bytes.len(),
            }),
        }
    }

    /// The destination that a SYN names, and the bytes behind it; `None` for all other messages,
    /// and for a SYN without a whole destination.
    pub fn named_by(frame: &RawFrame<'a>) -> Option<(Self, &'a [u8])> {
        if frame.frame_type != FrameType::SYN {
            return None;
        }
        Self::split(frame.payload).ok()
    }

    /// All bytes of the destination.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The owner's signature algorithm, by the certificate: a key certificate (type 5)
    /// names it, any other means DSA-SHA1 (common structures specification,
    /// "Certificate", "Key Certificates").
    pub fn signature_type(&self) -> SignatureType {
        match self.0.get(KEYS_BYTES..) {
            Some(&[KEY_CERTIFICATE, _, _, high, low, ..]) => {
                SignatureType(u16::from_be_bytes([high, low]))
            }
            _ => SignatureType::DSA_SHA1,
        }
    }

    /// The signing key field, 128 bytes, split into padding and key: a shorter key stands at
    /// its end. A key whose length is not known, or that does not fit, is the whole field.
    pub fn signing_key(&self) -> (&'a [u8], &'a [u8]) {
        let field = &self.0[ENCRYPTION_KEY_BYTES..KEYS_BYTES];
        // A key of P-521 is 4 bytes longer than the field; they stand in the certificate (common
        // structures specification, "Key Certificates"), and the field is key throughout.
        let padding = self
            .signature_type()
            .key_bytes()
            .and_then(|length| field.len().checked_sub(length))
            .unwrap_or(0);
        field.split_at(padding)
    }

    /// The SHA-256 by which I2P names the destination.
    pub fn hash(&self) -> DestinationHash {
        DestinationHash::of(self.0)
    }

    /// The destination in I2P's base64.
    pub fn to_base64(&self) -> String {
        I2P_BASE64.encode(self.0)
    }

    /// The bytes of a destination from I2P's base64.
    ///
    /// # Errors
    /// The text is not base64, or its bytes are not a destination.
    pub fn decode_base64(text: &str) -> Result<Vec<u8>, DestinationError> {
        let bytes = I2P_BASE64
            .decode(text.trim().as_bytes())
            .map_err(|_| DestinationError::BadBase64)?;
        Destination::split(&bytes)?;
        Ok(bytes)
    }
}

/// A signature algorithm of I2P, as key certificates number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignatureType(pub u16);

impl SignatureType {
    /// DSA-SHA1, as every destination of 2004 has it.
    pub const DSA_SHA1: Self = Self(0);
    /// Ed25519 with SHA-512.
    pub const ED25519: Self = Self(7);

    /// The name of the algorithm; `None` for one that is not known here.
    pub const fn name(self) -> Option<&'static str> {
        match self.0 {
            0 => Some("DSA-SHA1"),
            1 => Some("ECDSA-P256"),
            2 => Some("ECDSA-P384"),
            3 => Some("ECDSA-P521"),
            7 => Some("Ed25519"),
            8 => Some("Ed25519ph"),
            11 => Some("RedDSA"),
            _ => None,
        }
    }

    /// Bytes of a public key; `None` where that is not known here.
    pub const fn key_bytes(self) -> Option<usize> {
        match self.0 {
            0 => Some(128),
            1 => Some(64),
            2 => Some(96),
            3 => Some(132),
            7 | 8 | 11 => Some(32),
            _ => None,
        }
    }
}

impl fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({})", self.hash())
    }
}

/// The SHA-256 of a destination, its name in I2P.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationHash(pub [u8; 32]);

impl DestinationHash {
    /// The hash of a destination's bytes.
    pub fn of(destination: &[u8]) -> Self {
        Self(Sha256::digest(destination).into())
    }

    /// I2P's base64 of the hash, as ASCII.
    pub fn to_base64(&self) -> [u8; 44] {
        let mut text = [0; 44];
        I2P_BASE64.encode_mut(&self.0, &mut text);
        text
    }

    /// `….b32.i2p`: lowercase base32 of the hash, without padding.
    pub fn to_b32_name(&self) -> String {
        let mut name = BASE32_NOPAD.encode(&self.0).to_ascii_lowercase();
        name.push_str(".b32.i2p");
        name
    }
}

/// I2P's base64 of the hash, 44 characters.
impl fmt::Display for DestinationHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&I2P_BASE64.encode(&self.0))
    }
}

impl fmt::Debug for DestinationHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DestinationHash({self})")
    }
}

/// Reads either form: 44 characters of base64, or a name that ends in `.b32.i2p`.
impl FromStr for DestinationHash {
    type Err = HashParseError;

    fn from_str(text: &str) -> Result<Self, HashParseError> {
        // A host name ignores case (RFC 4343), base64 does not.
        let decoded = match text.to_ascii_lowercase().strip_suffix(".b32.i2p") {
            Some(name) => BASE32_NOPAD.decode(name.to_ascii_uppercase().as_bytes()),
            None => I2P_BASE64.decode(text.as_bytes()),
        };
        decoded
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(HashParseError)
    }
}

/// A text that is no destination hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a destination hash is 44 characters of I2P base64 or 52 of base32 with .b32.i2p")]
pub struct HashParseError;

const ENCRYPTION_KEY_BYTES: usize = 256;
pub(super) const KEYS_BYTES: usize = ENCRYPTION_KEY_BYTES + 128;
/// The certificate type that names the algorithms of the keys.
pub(super) const KEY_CERTIFICATE: u8 = 5;
pub(super) const CERTIFICATE_HEADER_BYTES: usize = 1 + 2;

fn certificate_length(input: &[u8]) -> nom::IResult<&[u8], u16> {
    let (rest, (_keys, _certificate_type, length)) =
        (take(KEYS_BYTES), byte, be_u16).parse(input)?;
    Ok((rest, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::StreamId;

    fn with_certificate(certificate_type: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![7; KEYS_BYTES];
        bytes.push(certificate_type);
        bytes.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn a_key_certificate_tells_where_the_signing_key_begins() {
        for (content, padding) in [
            (&[][..], 0),
            (&[0, 0, 0, 0], 0),
            (&[0, 1, 0, 0], 64),
            (&[0, 2, 0, 0], 32),
            (&[0, 3, 0, 0, 1, 2, 3, 4], 0),
            (&[0, 7, 0, 4], 96),
            (&[0, 11, 0, 4], 96),
            (&[0x12, 0x34, 0, 4], 0),
            (&[7], 0),
        ] {
            let bytes = with_certificate(5, content);
            let (destination, _) = Destination::split(&bytes).unwrap();
            let (before, key) = destination.signing_key();
            assert_eq!(
                (before.len(), key.len()),
                (padding, 128 - padding),
                "{content:?}"
            );
        }
        let other = with_certificate(3, &[0, 7, 0, 4]);
        let (destination, _) = Destination::split(&other).unwrap();
        assert_eq!(destination.signature_type(), SignatureType::DSA_SHA1);
    }

    #[test]
    fn known_algorithms_have_a_name_and_the_length_of_their_keys() {
        let known = [
            (0, "DSA-SHA1", 128),
            (1, "ECDSA-P256", 64),
            (2, "ECDSA-P384", 96),
            (3, "ECDSA-P521", 132),
            (7, "Ed25519", 32),
            (8, "Ed25519ph", 32),
            (11, "RedDSA", 32),
        ];
        for code in 0..=u16::MAX {
            let expected = known.iter().find(|(known, ..)| *known == code);
            let signature_type = SignatureType(code);
            assert_eq!(
                (signature_type.name(), signature_type.key_bytes()),
                (expected.map(|row| row.1), expected.map(|row| row.2)),
                "{code}"
            );
        }
    }

    #[test]
    fn a_syn_alone_names_a_destination() {
        let named = with_certificate(5, &[0, 7, 0, 0]);
        let payload = [&named[..], b"more"].concat();
        for byte in 0..=u8::MAX {
            let frame = RawFrame {
                frame_type: FrameType(byte),
                id: StreamId([1, 2, 3]),
                payload: &payload,
            };
            let found = Destination::named_by(&frame).map(|(found, rest)| (found.as_bytes(), rest));
            let expected = (byte == 0xa1).then_some((&named[..], &b"more"[..]));
            assert_eq!(found, expected, "{byte:#x}");
        }
        let cut = RawFrame {
            frame_type: FrameType::SYN,
            id: StreamId([1, 2, 3]),
            payload: &named[..named.len() - 1],
        };
        assert_eq!(Destination::named_by(&cut), None);
    }

    #[test]
    fn null_and_key_certificates_give_387_and_391_bytes() {
        let null = with_certificate(0, &[]);
        let key = with_certificate(5, &[0, 7, 0, 0]);
        assert_eq!((null.len(), key.len()), (387, 391));
        for mut bytes in [null, key] {
            let length = bytes.len();
            bytes.extend_from_slice(b"more");
            let (destination, rest) = Destination::split(&bytes).unwrap();
            assert_eq!(destination.as_bytes().len(), length);
            assert_eq!(rest, b"more");
        }
    }

    #[test]
    fn every_cut_destination_is_an_error_that_says_how_much_is_missing() {
        let bytes = with_certificate(5, &[0, 7, 0, 0]);
        for got in 0..bytes.len() {
            let expected = if got < 387 {
                DestinationError::TooShort { got }
            } else {
                DestinationError::CertificateTooLong { needed: 391, got }
            };
            assert_eq!(Destination::split(&bytes[..got]), Err(expected));
        }
    }

    #[test]
    fn hashes_and_names_are_those_of_i2p() {
        // SHA-256 of the empty string (FIPS 180-4 test vector).
        let hash = DestinationHash::of(&[]);
        assert_eq!(
            hash.to_string(),
            "47DEQpj8HBSa-~TImW-5JCeuQeRkm5NMpJWZG3hSuFU="
        );
        assert_eq!(
            hash.to_b32_name(),
            "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq.b32.i2p"
        );
        assert_eq!(
            format!("{hash:?}"),
            "DestinationHash(47DEQpj8HBSa-~TImW-5JCeuQeRkm5NMpJWZG3hSuFU=)"
        );
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_b32_name().parse(), Ok(hash));
        assert_eq!("x.b32.i2p".parse::<DestinationHash>(), Err(HashParseError));
    }

    #[test]
    fn base64_of_a_destination_is_reversible() {
        let bytes = with_certificate(5, &[0, 7, 0, 0]);
        let (destination, _) = Destination::split(&bytes).unwrap();
        assert_eq!(
            format!("{destination:?}"),
            format!("Destination({})", DestinationHash::of(&bytes))
        );
        let text = destination.to_base64();
        assert_eq!(Destination::decode_base64(&text), Ok(bytes));
        assert_eq!(
            Destination::decode_base64("not base64!"),
            Err(DestinationError::BadBase64)
        );
        assert_eq!(
            Destination::decode_base64("AAAA"),
            Err(DestinationError::TooShort { got: 3 })
        );
    }
}
