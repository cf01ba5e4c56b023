//! The first bytes from both ends of `tls://` with raw public keys, inside TLS.
//!
//! ```text
//! offset  bytes
//! 0       4      zeros: no message has the length 0, so that no framing begins like this
//! 4       2      length of the destination, big-endian; 0: whoever asked is not admitted
//! 6       n      the destination
//! ```
//!
//! A raw public key (RFC 7250) proves the 32 bytes of a signing key; an I2P name is the hash
//! of a whole destination. The hello brings the destination, and the key in it must be the
//! one that the handshake proved. The client says it first. The server answers with its own
//! when it admits the client, and with an empty one when it does not.

use crate::wire::Destination;

/// Bytes before the destination.
pub const HEADER_BYTES: usize = 6;

/// The longest destination that is taken. One with an Ed25519 key has 391 bytes.
pub const MAX_DESTINATION_BYTES: usize = 1024;

/// The hello of the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello<'a> {
    /// Its destination.
    Destination(Destination<'a>),
    /// It does not admit us.
    Refusal,
}

/// Why bytes are no hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// It begins otherwise.
    #[error("what comes first inside TLS is no hello of ministreaming over TLS")]
    NoHello,
    /// The destination is longer than any that can be proven.
    #[error(
        "the hello announces a destination of {0} bytes, and {MAX_DESTINATION_BYTES} are the most"
    )]
    TooLong(usize),
    /// The bytes in it are no destination, or not only one.
    #[error("the hello holds no destination")]
    NoDestination,
}

impl<'a> Hello<'a> {
    /// Takes a hello from the start of `bytes` and returns it with its length; `None` while it
    /// is not all there.
    ///
    /// # Errors
    /// The bytes are none, as soon as that is certain.
    pub fn decode(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, HelloError> {
        let zeros = bytes.len().min(4);
        if bytes[..zeros].iter().any(|byte| *byte != 0) {
            return Err(HelloError::NoHello);
        }
        let Some(&[_, _, _, _, high, low]) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 {
            return Ok(Some((Self::Refusal, HEADER_BYTES)));
        }
        if length > MAX_DESTINATION_BYTES {
            return Err(HelloError::TooLong(length));
        }
        let Some(destination) = bytes.get(HEADER_BYTES..HEADER_BYTES + length) else {
            return Ok(None);
        };
        match Destination::split(destination) {
            Ok((destination, [])) => Ok(Some((
                Self::Destination(destination),
                HEADER_BYTES + length,
            ))),
            _ => Err(HelloError::NoDestination),
        }
    }

    /// The bytes of it. A destination longer than [`MAX_DESTINATION_BYTES`] is not taken by
    /// [`decode`](Self::decode).
    pub fn encode(self) -> Vec<u8> {
        let destination = match self {
            Self::Destination(destination) => destination.as_bytes(),
            Self::Refusal => &[],
        };
        let length = u16::try_from(destination.len()).unwrap_or(u16::MAX);
        [&[0; 4][..], &length.to_be_bytes(), destination].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> Vec<u8> {
        let mut bytes = vec![9; Destination::MIN_BYTES + 4];
        bytes[384..].copy_from_slice(&[5, 0, 4, 0, 7, 0, 0]);
        bytes
    }

    #[test]
    fn a_hello_is_whole_at_its_last_byte_and_leaves_what_follows() {
        let destination = destination();
        let hello = Hello::Destination(Destination::split(&destination).unwrap().0);
        let bytes = hello.encode();
        assert_eq!(bytes[..8], [0, 0, 0, 0, 1, 0x87, 9, 9]);
        for cut in 0..bytes.len() {
            assert_eq!(Hello::decode(&bytes[..cut]), Ok(None), "{cut}");
        }
        let more = [&bytes[..], b"more"].concat();
        assert_eq!(Hello::decode(&more), Ok(Some((hello, bytes.len()))));
        assert_eq!(Hello::Refusal.encode(), [0; 6]);
        assert_eq!(Hello::decode(&[0; 9]), Ok(Some((Hello::Refusal, 6))));
    }

    #[test]
    fn what_is_no_hello_is_known_at_its_first_wrong_byte() {
        for at in 0..4 {
            let mut bytes = vec![0; at];
            bytes.push(1);
            assert_eq!(Hello::decode(&bytes), Err(HelloError::NoHello), "{at}");
        }
        assert_eq!(
            Hello::decode(&[0, 0, 0, 0, 4, 1]),
            Err(HelloError::TooLong(1025))
        );
        let mut short = destination();
        short.pop();
        for wrong in [short, [destination(), vec![0]].concat()] {
            let length = u16::try_from(wrong.len()).unwrap().to_be_bytes();
            let bytes = [&[0; 4][..], &length, &wrong].concat();
            assert_eq!(Hello::decode(&bytes), Err(HelloError::NoDestination));
        }
    }
}
