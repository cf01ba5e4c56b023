//! Options: 2 bytes length, then for each option a key, `=`, a value, `;`,
//! where key and value are strings of 1 byte length and that many bytes.

use nom::Parser;
use nom::bytes::complete::tag;
use nom::combinator::all_consuming;
use nom::multi::{fold_many0, length_data};
use nom::number::complete::u8 as byte;

/// Options as they were sent, without the 2 bytes of their length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mapping<'a>(&'a [u8]);

/// Why bytes are no options, or options cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The bytes are not `key=value;` all through.
    #[error("the options' {0} bytes are not key=value; all through")]
    Malformed(usize),
    /// A string has one byte for its length.
    #[error("a key or value is at most 255 bytes, not {0}")]
    StringTooLong(usize),
    /// The options have two bytes for their length.
    #[error("options are at most 65535 bytes together, not {0}")]
    TooLong(usize),
}

impl<'a> Mapping<'a> {
    /// Takes bytes for options if they are.
    ///
    /// # Errors
    /// [`MappingError::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MappingError> {
        all_consuming(fold_many0(entry, || (), |(), _| ()))
            .parse(bytes)
            .map(|_| Self(bytes))
            .map_err(|_| MappingError::Malformed(bytes.len()))
    }

    /// The options without their length.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Keys and values in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (after, pair) = entry(rest).ok()?;
            rest = after;
            Some(pair)
        })
    }

    /// The value of the first option with this key.
    pub fn get(&self, key: &str) -> Option<&'a [u8]> {
        self.iter()
            .find_map(|(name, value)| (name == key.as_bytes()).then_some(value))
    }
}

/// Appends options, with the 2 bytes of their length.
///
/// # Errors
/// A string or all of them are too long for their length fields.
pub fn encode_mapping<K: AsRef<str>, V: AsRef<str>>(
    options: impl IntoIterator<Item = (K, V)>,
    out: &mut Vec<u8>,
) -> Result<(), MappingError> {
    let mut entries = Vec::new();
    for (key, value) in options {
        encode_string(key.as_ref(), &mut entries)?;
        entries.push(b'=');
        encode_string(value.as_ref(), &mut entries)?;
        entries.push(b';');
    }
    let length = u16::try_from(entries.len()).map_err(|_| MappingError::TooLong(entries.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&entries);
    Ok(())
}

fn encode_string(text: &str, out: &mut Vec<u8>) -> Result<(), MappingError> {
    let length = u8::try_from(text.len()).map_err(|_| MappingError::StringTooLong(text.len()))?;
    out.push(length);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn entry(input: &[u8]) -> nom::IResult<&[u8], (&[u8], &[u8])> {
    let (rest, (key, _, value, _)) = (
        length_data(byte),
        tag(&b"="[..]),
        length_data(byte),
        tag(&b";"[..]),
    )
        .parse(input)?;
    Ok((rest, (key, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_as_length_key_value() {
        let mut out = Vec::new();
        encode_mapping([("a", "1"), ("bc", "")], &mut out).unwrap();
        assert_eq!(out, b"\x00\x0c\x01a=\x011;\x02bc=\x00;");
        let mapping = Mapping::parse(&out[2..]).unwrap();
        assert_eq!(mapping.get("a"), Some(&b"1"[..]));
        assert_eq!(mapping.get("bc"), Some(&b""[..]));
        assert_eq!(mapping.get("b"), None);
        assert_eq!(mapping.iter().count(), 2);
    }

    #[test]
    fn no_options_are_two_zero_bytes() {
        let mut out = Vec::new();
        encode_mapping::<&str, &str>([], &mut out).unwrap();
        assert_eq!(out, [0, 0]);
        assert_eq!(Mapping::parse(&[]), Ok(Mapping::default()));
    }

    #[test]
    fn every_cut_of_options_but_between_two_is_malformed() {
        let whole = b"\x01a=\x011;\x02bc=\x00;";
        for cut in 0..=whole.len() {
            let parsed = Mapping::parse(&whole[..cut]);
            if [0, 6, 12].contains(&cut) {
                assert_eq!(parsed.map(|mapping| mapping.as_bytes().len()), Ok(cut));
            } else {
                assert_eq!(parsed, Err(MappingError::Malformed(cut)));
            }
        }
    }

    #[test]
    fn what_does_not_fit_its_length_field_is_refused() {
        let long = "x".repeat(256);
        let mut out = Vec::new();
        assert_eq!(
            encode_mapping([("k", &long)], &mut out),
            Err(MappingError::StringTooLong(256))
        );
        let most = "x".repeat(255);
        let many = std::iter::repeat_n((&most, &most), 128);
        assert_eq!(
            encode_mapping(many, &mut out),
            Err(MappingError::TooLong(128 * 514))
        );
        assert!(out.is_empty(), "nothing is written for what is refused");
    }
}
