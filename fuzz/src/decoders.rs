//! Decoders of streams, with the stream cut anywhere.

use std::convert::Infallible;

use arbitrary::{Result, Unstructured};
use ministream::carrier::Item;
use ministream::carrier::i2cp::gzip::Inflater;
use ministream::carrier::i2cp::{self, I2cpItem, Sender};
use ministream::carrier::length_prefixed::{self, Prefix};
use ministream::wire::looks_like_message;

/// What a decoder holds at most: two of the longest I2CP frames, or four messages, and as
/// much again, for a vector grows by doubling.
const MAX_HELD_BYTES: usize = 1 << 20;

/// What happens to a direction of a stream.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Bytes(&'a [u8]),
    Gap(Option<u64>),
    Cut(u64),
}

/// How a stream is cut into pushes never changes what is found, with gaps and cuts between;
/// and what is held stays bounded.
pub fn run(data: &[u8]) {
    crate::given(data, compare);
}

fn compare(input: &mut Unstructured<'_>) -> Result<()> {
    let decoder = input.int_in_range(0..=3)?;
    let cuts: Vec<u8> = input.arbitrary()?;
    let mut steps = Vec::new();
    for _ in 0..input.int_in_range(1..=6)? {
        steps.push(match input.int_in_range(0..=7)? {
            0 => Step::Gap(None),
            1 => Step::Gap(Some(input.int_in_range(0..=5_000)?)),
            2 => Step::Cut(input.int_in_range(1..=300)?),
            _ => {
                let length = input.int_in_range(0..=input.len())?;
                Step::Bytes(input.bytes(length)?)
            }
        });
    }
    match decoder {
        0 => assert_eq!(
            prefixed(Prefix::U32, &steps, &[]),
            prefixed(Prefix::U32, &steps, &cuts)
        ),
        1 => assert_eq!(
            prefixed(Prefix::U16, &steps, &[]),
            prefixed(Prefix::U16, &steps, &cuts)
        ),
        2 => assert_eq!(
            session(Sender::Application, &steps, &[]),
            session(Sender::Application, &steps, &cuts)
        ),
        _ => assert_eq!(
            session(Sender::Router, &steps, &[]),
            session(Sender::Router, &steps, &cuts)
        ),
    }
    Ok(())
}

/// Hands out `bytes` in pieces as `cuts` say, or at once without any.
pub(crate) fn pieces<'a>(mut bytes: &'a [u8], cuts: &[u8], mut push: impl FnMut(&'a [u8])) {
    let mut cuts = cuts.iter().cycle();
    while let (Some(&cut), false) = (cuts.next(), bytes.is_empty()) {
        let (piece, rest) = bytes.split_at(usize::from(cut).clamp(1, bytes.len()));
        push(piece);
        bytes = rest;
    }
    if !bytes.is_empty() {
        push(bytes);
    }
}

/// What a decoder found, as text.
type Found = Vec<String>;

fn prefixed(prefix: Prefix, steps: &[Step<'_>], cuts: &[u8]) -> Found {
    let mut decoder = length_prefixed::Decoder::new(prefix, looks_like_message);
    let mut found = Found::new();
    let mut emit = |item: Item<'_>| -> std::result::Result<(), Infallible> {
        found.push(format!("{item:?}"));
        Ok(())
    };
    for step in steps {
        let Ok(()) = match *step {
            Step::Bytes(bytes) => {
                pieces(bytes, cuts, |piece| {
                    let Ok(()) = decoder.push(piece, &mut emit);
                });
                Ok(())
            }
            Step::Gap(missing) => decoder.gap(missing, &mut emit),
            Step::Cut(missing) => decoder.cut(missing, &mut emit),
        };
        assert!(decoder.held_bytes() <= MAX_HELD_BYTES, "held bytes");
    }
    let Ok(()) = decoder.finish(&mut emit);
    found
}

fn session(sender: Sender, steps: &[Step<'_>], cuts: &[u8]) -> Found {
    let (mut decoder, mut inflater) = (i2cp::Decoder::new(), Inflater::new());
    let mut found = Found::new();
    let mut emit = |item: I2cpItem<'_>| -> std::result::Result<(), Infallible> {
        found.push(format!("{item:?}"));
        Ok(())
    };
    for step in steps {
        let Ok(()) = match *step {
            Step::Bytes(bytes) => {
                pieces(bytes, cuts, |piece| {
                    let Ok(()) = decoder.push(sender, piece, &mut inflater, &mut emit);
                });
                Ok(())
            }
            Step::Gap(missing) => decoder.gap(sender, missing, &mut inflater, &mut emit),
            Step::Cut(missing) => decoder.gap(sender, Some(missing), &mut inflater, &mut emit),
        };
        assert!(decoder.held_bytes() <= MAX_HELD_BYTES, "held bytes");
    }
    let Ok(()) = decoder.finish(sender, &mut inflater, &mut emit);
    found
}
