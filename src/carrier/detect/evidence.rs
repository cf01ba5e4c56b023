//! How much messages speak for our protocol.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Standing;
use crate::carrier::{Plausible, Way};

/// Points that decide at once.
pub(super) const CERTAIN_POINTS: u32 = 3;

/// Messages against us that are tolerated beside one for each point.
const TOLERATED: u32 = 2;

/// Different messages that are remembered to find others of the same conversation.
const REMEMBERED: usize = 16;

/// What the framing tells beside the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A datagram or segment, which everything has.
    Any,
    /// A length in 2 bytes, which any 2 bytes are.
    Loose,
    /// A length in 4 bytes, two of them 0, which few other streams have.
    Tight,
}

/// The messages of a flow as one carrier delimits them, weighed.
#[derive(Debug)]
pub(super) struct Evidence {
    plausible: Plausible,
    framing: Framing,
    points: u32,
    fitting: u32,
    unfitting: u32,
    remembered: Vec<Remembered>,
}

/// What messages of one conversation share, and what tells them apart.
#[derive(Debug, PartialEq, Eq)]
struct Remembered {
    from: Way,
    id: [u8; 3],
    content: u64,
}

impl Evidence {
    pub(super) const fn new(plausible: Plausible, framing: Framing) -> Self {
        Self {
            plausible,
            framing,
            points: 0,
            fitting: 0,
            unfitting: 0,
            remembered: Vec::new(),
        }
    }

    /// Weighs a message of `length` bytes of which `known` are known.
    pub(super) fn weigh(&mut self, from: Way, known: &[u8], length: usize) {
        if (self.plausible)(known, length) {
            self.fitting += 1;
            self.points += self.points_for(from, known, length);
        } else {
            self.against();
        }
    }

    /// Something that speaks against the carrier.
    pub(super) const fn against(&mut self) {
        self.unfitting += 1;
    }

    /// What to make of it so far.
    pub(super) fn standing(&self) -> Standing {
        // A length that is written in a segment of its own makes every other
        // segment look like a message: more than half of them must.
        let outnumbered = match self.framing {
            Framing::Any => self.unfitting >= self.fitting,
            Framing::Loose | Framing::Tight => self.unfitting > self.fitting,
        };
        let enough = match self.framing {
            Framing::Tight => 1,
            Framing::Any | Framing::Loose => 2,
        };
        if self.unfitting > self.points + TOLERATED {
            Standing::Out
        } else if self.points >= CERTAIN_POINTS && !outnumbered {
            Standing::Certain
        } else if self.points >= enough && !outnumbered {
            Standing::Probable
        } else {
            Standing::Open
        }
    }

    fn points_for(&mut self, from: Way, known: &[u8], length: usize) -> u32 {
        if length == 1 {
            return u32::from(self.framing != Framing::Any);
        }
        let alone = (self.plausible)(&known[..1], 1);
        if alone {
            return 0;
        }
        let repeated = self.repeats(from, known);
        let begins_with_text = is_text(&known[..known.len().min(4)]);
        let framing = u32::from(self.framing == Framing::Tight && !begins_with_text);
        framing + self.points_for_length(known, length) + u32::from(repeated && !begins_with_text)
    }

    /// Points for a length that the content asks for: one byte less would be no message.
    fn points_for_length(&self, known: &[u8], length: usize) -> u32 {
        let exact = known.len() == length && !(self.plausible)(known, length - 1);
        match length {
            _ if !exact => 0,
            8.. => CERTAIN_POINTS,
            _ if is_text(known) => 0,
            5.. => 2,
            _ => 1,
        }
    }

    /// Whether an earlier message in this direction has the same id and
    /// another content, and none has the same content.
    fn repeats(&mut self, from: Way, known: &[u8]) -> bool {
        let Some(&[_, a, b, c]) = known.first_chunk() else {
            return false;
        };
        let mut hasher = DefaultHasher::new();
        known.hash(&mut hasher);
        let new = Remembered {
            from,
            id: [a, b, c],
            content: hasher.finish(),
        };
        if self.remembered.contains(&new) {
            return false;
        }
        let repeats = self
            .remembered
            .iter()
            .any(|old| (old.from, old.id) == (from, new.id));
        if self.remembered.len() < REMEMBERED {
            self.remembered.push(new);
        }
        repeats
    }
}

fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}
