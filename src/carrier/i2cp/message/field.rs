//! The encoding of the fields of I2CP messages, both ways.
//!
//! The type determines most encodings ([`Field`]); the others have a module each.

use std::num::NonZeroU8;

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::{map, map_opt, map_res, opt};
use nom::multi::length_data;
use nom::number::complete::{be_u16, be_u32, be_u64, u8 as byte};

use super::super::lease_set::LEASE_BYTES;
use super::super::{EncodeError, Leases, Mapping, MessageStatus, SessionStatus};
use super::value::{Expiry, HOP_BYTES, RouterHops};
use crate::wire::Destination;

/// The value read, after the bytes that follow it.
pub(super) type Read<'a, T> = nom::IResult<&'a [u8], T>;

/// A field with one encoding.
pub(super) trait Field<'a>: Sized {
    fn read(input: &'a [u8]) -> Read<'a, Self>;

    /// # Errors
    /// It is too long for its length field.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

macro_rules! numbers {
    ($($type:ty: $read:ident;)*) => {$(
        impl<'a> Field<'a> for $type {
            fn read(input: &'a [u8]) -> Read<'a, Self> {
                $read(input)
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.extend_from_slice(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

numbers! {
    u16: be_u16;
    u32: be_u32;
    u64: be_u64;
}

macro_rules! codes {
    ($($type:ident),*) => {$(
        impl<'a> Field<'a> for $type {
            fn read(input: &'a [u8]) -> Read<'a, Self> {
                map(byte, $type).parse(input)
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.push(self.0);
                Ok(())
            }
        }
    )*};
}

codes!(SessionStatus, MessageStatus);

impl<'a> Field<'a> for NonZeroU8 {
    fn read(input: &'a [u8]) -> Read<'a, Self> {
        map_opt(byte, Self::new).parse(input)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(self.get());
        Ok(())
    }
}

impl<'a, const N: usize> Field<'a> for &'a [u8; N] {
    fn read(input: &'a [u8]) -> Read<'a, Self> {
        map_opt(take(N), <[u8]>::first_chunk).parse(input)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(*self);
        Ok(())
    }
}

/// As long as its certificate says.
impl<'a> Field<'a> for Destination<'a> {
    fn read(input: &'a [u8]) -> Read<'a, Self> {
        match Destination::split(input) {
            Ok((destination, rest)) => Ok((rest, destination)),
            Err(_) => Err(malformed(input)),
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }
}

/// Behind 2 bytes of length.
impl<'a> Field<'a> for Mapping<'a> {
    fn read(input: &'a [u8]) -> Read<'a, Self> {
        map_res(length_data(be_u16), Mapping::parse).parse(input)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let entries = self.as_bytes();
        let length =
            u16::try_from(entries.len()).map_err(|_| EncodeError::BodyTooLong(entries.len()))?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entries);
        Ok(())
    }
}

/// Behind their number in one byte.
impl<'a> Field<'a> for Leases<'a> {
    fn read(input: &'a [u8]) -> Read<'a, Self> {
        map_opt(counted(LEASE_BYTES), Leases::from_bytes).parse(input)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(u8::try_from(self.iter().len()).expect("there are at most 255 leases"));
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }
}

/// Behind their number in one byte.
impl<'a> Field<'a> for RouterHops<'a> {
    fn read(input: &'a [u8]) -> Read<'a, Self> {
        map_opt(counted(HOP_BYTES), RouterHops::from_bytes).parse(input)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(u8::try_from(self.iter().len()).expect("there are at most 255 hops"));
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }
}

/// 2 bytes of flags, 6 of the time.
impl<'a> Field<'a> for Expiry {
    fn read(input: &'a [u8]) -> Read<'a, Self> {
        map((be_u16, be_u16, be_u32), |(flags, high, low)| Self {
            flags,
            at_ms: u64::from(high) << 32 | u64::from(low),
        })
        .parse(input)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.flags.write(out)?;
        let [_, _, lower_48_bits @ ..] = self.at_ms.to_be_bytes();
        (&lower_48_bits).write(out)
    }
}

pub(super) mod rest {
    //! Bytes to the end of the body.

    use super::{EncodeError, Read};

    pub(in super::super) fn read(input: &[u8]) -> Read<'_, &[u8]> {
        Ok((&[], input))
    }

    pub(in super::super) fn write(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(bytes);
        Ok(())
    }
}

pub(super) mod string {
    //! Bytes behind 1 byte of length.

    use super::{EncodeError, Parser, Read, byte, length_data, rest};

    pub(in super::super) fn read(input: &[u8]) -> Read<'_, &[u8]> {
        length_data(byte).parse(input)
    }

    pub(in super::super) fn write(text: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length =
            u8::try_from(text.len()).map_err(|_| EncodeError::StringTooLong(text.len()))?;
        out.push(length);
        rest::write(text, out)
    }
}

pub(super) mod optional_string {
    //! A string where any bytes follow.

    use super::{EncodeError, Parser, Read, opt, string};

    pub(in super::super) fn read(input: &[u8]) -> Read<'_, Option<&[u8]>> {
        opt(string::read).parse(input)
    }

    pub(in super::super) fn write(
        text: &Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        text.map_or(Ok(()), |text| string::write(text, out))
    }
}

pub(super) mod long_bytes {
    //! Bytes behind 4 bytes of length.

    use super::{EncodeError, Field, Parser, Read, be_u32, length_data, rest};

    pub(in super::super) fn read(input: &[u8]) -> Read<'_, &[u8]> {
        length_data(be_u32).parse(input)
    }

    pub(in super::super) fn write(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length =
            u32::try_from(bytes.len()).map_err(|_| EncodeError::BodyTooLong(bytes.len()))?;
        length.write(out)?;
        rest::write(bytes, out)
    }
}

pub(super) mod alone {
    //! A hash that is the whole rest.

    use super::{EncodeError, Read, malformed, rest};

    pub(in super::super) fn read(input: &[u8]) -> Read<'_, &[u8; 32]> {
        match input.try_into() {
            Ok(hash) => Ok((&[], hash)),
            Err(_) => Err(malformed(input)),
        }
    }

    pub(in super::super) fn write(hash: &[u8; 32], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        rest::write(hash, out)
    }
}

/// Fields behind a byte that names their kind.
macro_rules! marked {
    ($($form:ident: $byte:literal, $type:ty, $read:path, $write:path;)*) => {$(
        pub(super) mod $form {
            // Names used by the rows, too.
            use super::*;

            pub(in super::super) fn read<'a>(input: &'a [u8]) -> Read<'a, $type> {
                match input.split_first() {
                    Some((&$byte, rest)) => $read(rest),
                    _ => Err(malformed(input)),
                }
            }

            pub(in super::super) fn write<'a>(
                value: &$type,
                out: &mut Vec<u8>,
            ) -> Result<(), EncodeError> {
                out.push($byte);
                $write(value, out)
            }
        }
    )*};
}

// I2CP specification, HostLookup: request types 0 and 1; HostReply: result code 0.
marked! {
    hash_kind: 0, &'a [u8; 32], Field::read, Field::write;
    name_kind: 1, &'a [u8], string::read, string::write;
    found: 0, Destination<'a>, Field::read, Field::write;
}

/// Items of a fixed size behind their number in one byte.
fn counted(item_bytes: usize) -> impl Fn(&[u8]) -> Read<'_, &[u8]> {
    move |input| {
        let (input, count) = byte(input)?;
        take(usize::from(count) * item_bytes)(input)
    }
}

pub(super) fn malformed(input: &[u8]) -> nom::Err<nom::error::Error<&[u8]>> {
    nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify))
}
