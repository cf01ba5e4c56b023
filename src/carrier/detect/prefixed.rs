//! Whether a TCP flow holds messages after their lengths.

use super::evidence::{Evidence, Framing};
use super::held::Piece;
use super::{CarrierVerdict, Protocol, Standing, Trace, Unanswered};
use crate::carrier::length_prefixed::{Decoder, Prefix};
use crate::carrier::{Extent, FlowDirection, Item, Plausible, Problem};

/// The longest first message of an unknown type behind a 2-byte length. Text,
/// TLS and most else read as 2-byte lengths above this, and are refused at
/// their first bytes.
const MAX_STRANGE_FIRST_BYTES: usize = 1024;

/// One prefix tried on both directions of a flow.
#[derive(Debug)]
pub(super) struct Trial {
    prefix: Prefix,
    plausible: Plausible,
    evidence: Evidence,
    decoders: [Decoder<Protocol>; 2],
    heads: [Head; 2],
    out: bool,
}

/// The first bytes are no length that a message has.
#[derive(Debug)]
struct RuledOut;

/// The first bytes of a direction, up to the first of its first message.
#[derive(Debug)]
enum Head {
    /// So many of them are known. They lie here: there are many flows of which nothing else is.
    Partial {
        bytes: [u8; HEAD_BYTES],
        known: usize,
    },
    /// They were looked at, or are not in the capture.
    Done,
}

/// The longest length, and the first byte of a message.
const HEAD_BYTES: usize = 5;

impl Head {
    const fn empty() -> Self {
        Self::Partial {
            bytes: [0; HEAD_BYTES],
            known: 0,
        }
    }
}

impl Trial {
    pub(super) fn new(prefix: Prefix, protocol: Protocol) -> Self {
        let framing = match prefix {
            Prefix::U32 => Framing::Tight,
            Prefix::U16 => Framing::Loose,
        };
        Self {
            prefix,
            plausible: protocol.plausible,
            evidence: Evidence::new(protocol, framing),
            decoders: [
                Decoder::with_rule(prefix, protocol),
                Decoder::with_rule(prefix, protocol),
            ],
            heads: [Head::empty(), Head::empty()],
            out: false,
        }
    }

    /// Bytes of memory that its decoders and its evidence hold.
    pub(super) fn held_bytes(&self) -> usize {
        let decoders = self.decoders.iter().map(Decoder::held_bytes);
        decoders.sum::<usize>() + self.evidence.held_bytes()
    }

    pub(super) fn push(&mut self, piece: Piece<'_>) {
        if let Piece::Bytes { from, bytes, .. } = piece {
            self.look_at_head(from, bytes);
        }
        if self.out {
            return;
        }
        let evidence = &mut self.evidence;
        let from = piece.from();
        let mut weigh = |item: Item<'_>| -> Result<(), RuledOut> {
            match item {
                Item::Message(message) => evidence.weigh(from, message, message.len()),
                Item::Cut {
                    message,
                    missing_bytes,
                } => {
                    // Of nothing but a length there is nothing to say.
                    if message.is_empty() {
                        return Ok(());
                    }
                    let missing = usize::try_from(missing_bytes).unwrap_or(usize::MAX);
                    evidence.weigh(from, message, message.len().saturating_add(missing));
                }
                // The decoder would go on and search all of the bytes for its place.
                Item::Problem(Problem::BadPrefix { offset: 0, .. }) => return Err(RuledOut),
                Item::Problem(Problem::BadPrefix { .. }) => evidence.against(),
                Item::Problem(_) => {}
            }
            Ok(())
        };
        let decoder = &mut self.decoders[from.index()];
        let weighed = match piece {
            Piece::Bytes {
                bytes,
                extent: Extent::WholeSegment,
                ..
            } => decoder.push_segment(bytes, &mut weigh),
            Piece::Bytes { bytes, .. } => decoder.push(bytes, &mut weigh),
            Piece::Cut { missing, .. } => decoder.cut(missing, &mut weigh),
            Piece::Gap { missing, .. } => {
                self.heads[from.index()] = Head::Done;
                decoder.gap(missing, &mut weigh)
            }
            Piece::End { .. } => decoder.finish(&mut weigh),
        };
        self.out = weighed.is_err();
    }

    pub(super) fn standing(&self) -> Standing {
        if self.out {
            Standing::Out
        } else {
            self.evidence.standing()
        }
    }

    pub(super) fn trace(&self) -> Option<Trace> {
        if self.out {
            None
        } else {
            self.evidence.trace()
        }
    }

    pub(super) fn unanswered(&self) -> Option<Unanswered> {
        if self.out {
            return None;
        }
        let verdict = CarrierVerdict::LengthPrefixed(self.prefix);
        self.evidence.unanswered(verdict)
    }

    /// Refuses a flow by its first bytes where they are enough, instead of
    /// holding tens of kilobytes that make up a message which is none.
    fn look_at_head(&mut self, from: FlowDirection, bytes: &[u8]) {
        let head = &mut self.heads[from.index()];
        let Head::Partial {
            bytes: first,
            known,
        } = head
        else {
            return;
        };
        let first = &mut first[..=self.prefix.bytes()];
        for (place, byte) in first[*known..].iter_mut().zip(bytes) {
            *place = *byte;
            *known += 1;
        }
        if *known < first.len() {
            return;
        }
        let (length, message) = first.split_at(self.prefix.bytes());
        let length = length
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        let strange = !(self.plausible)(message, length);
        self.out |= self.prefix == Prefix::U16 && strange && length > MAX_STRANGE_FIRST_BYTES;
        *head = Head::Done;
    }
}
