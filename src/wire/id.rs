//! Connection ids: three bytes, chosen by the peer that will receive them.

use std::fmt;
use std::str::FromStr;

use super::base64::I2P_BASE64;

/// A connection id as it stands on the wire: any 3-byte value.
///
/// The id in a message is always the receiver's own; which of the two id
/// spaces it belongs to follows from the type byte. See [`ClientId`] and
/// [`ServerId`] for ids whose space is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub [u8; Self::BYTES]);

impl StreamId {
    /// Bytes that an id takes on the wire.
    pub const BYTES: usize = 3;

    /// `00 00 00`, which the specification reserves.
    pub const ZERO: Self = Self([0; 3]);

    /// Whether this is the reserved id `00 00 00`.
    pub const fn is_zero(self) -> bool {
        self.to_u32() == 0
    }

    /// The id as a number, 0 to 2^24 - 1.
    pub const fn to_u32(self) -> u32 {
        u32::from_be_bytes([0, self.0[0], self.0[1], self.0[2]])
    }

    /// The id with the lowest 24 bits of `number`.
    pub const fn from_u32(number: u32) -> Self {
        let [_, a, b, c] = number.to_be_bytes();
        Self([a, b, c])
    }

    /// The id in I2P's base64, four characters, as the Java implementation logs it.
    pub fn to_base64(self) -> String {
        I2P_BASE64.encode(&self.0)
    }

    /// The characters of [`to_base64`](Self::to_base64): three bytes are exactly four of them.
    pub(crate) fn base64(self) -> [u8; 4] {
        let mut characters = [0; 4];
        I2P_BASE64.encode_mut(&self.0, &mut characters);
        characters
    }
}

/// Six lowercase hex digits: `0bad1d`.
impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:02x}{b:02x}{c:02x}")
    }
}

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is six hex digits, as in 0bad1d, not {text:?}")]
pub struct IdParseError {
    text: String,
}

impl FromStr for StreamId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 3];
        hex::decode_to_slice(text, &mut bytes)
            .map(|()| Self(bytes))
            .map_err(|_| IdParseError {
                text: text.to_owned(),
            })
    }
}

macro_rules! owned_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub StreamId);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<$name> for StreamId {
            fn from(id: $name) -> StreamId {
                id.0
            }
        }
    };
}

owned_id! {
    /// The id that the client of a conversation chose: announced by its SYN,
    /// carried by every message from the server.
    ClientId
}

owned_id! {
    /// The id that the server of a conversation chose: announced by its ACK,
    /// carried by every later message from the client.
    ServerId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_parse_are_inverse_for_every_byte() {
        for byte in 0..=255 {
            let id = StreamId([byte, 0xff - byte, 0x0d]);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(StreamId::from_u32(id.to_u32()), id);
        }
    }

    #[test]
    fn base64_is_that_of_i2p() {
        assert_eq!(StreamId([0x12, 0x34, 0x56]).to_base64(), "EjRW");
        assert_eq!(StreamId([0xff, 0xff, 0xfe]).to_base64(), "~~~-");
    }

    #[test]
    fn only_six_hex_digits_are_an_id() {
        for text in ["", "0bad1", "0bad1dd", "0bad1g", "0x0bad", " 0bad1"] {
            assert!(text.parse::<StreamId>().is_err(), "{text:?}");
        }
        assert_eq!("0BAD1D".parse(), Ok(StreamId([0x0b, 0xad, 0x1d])));
    }
}
