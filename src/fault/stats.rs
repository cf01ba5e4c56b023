//! The effects of faults.

use std::fmt;
use std::time::Duration;

use super::spec::FaultKind;

/// The effects of faults on one direction of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultStats {
    /// Messages that came in.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    effects: [FaultEffect; FaultKind::ALL.len()],
}

/// The effect of faults of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultEffect {
    /// Messages that it met; of a cut or a stall, the number of times that it happened.
    pub count: u64,
    /// Delay of all these messages together.
    pub delay: Duration,
}

impl FaultStats {
    /// The effect of the faults of a kind.
    pub const fn effect(&self, kind: FaultKind) -> FaultEffect {
        self.effects[kind as usize]
    }

    /// Adds the effects on another direction, or an earlier link.
    pub fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        for (mine, theirs) in self.effects.iter_mut().zip(&other.effects) {
            mine.count += theirs.count;
            mine.delay += theirs.delay;
        }
    }

    pub(super) fn note(&mut self, kind: FaultKind, delay: Duration) {
        let effect = &mut self.effects[kind as usize];
        effect.count += 1;
        effect.delay += delay;
    }
}

/// The faults that were applied to one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedFaults(Vec<(FaultKind, Duration)>);

impl AppliedFaults {
    /// Whether there were none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the message went no further.
    pub fn is_end(&self) -> bool {
        self.0.iter().any(|(kind, _)| {
            matches!(
                kind,
                FaultKind::Loss | FaultKind::CutAfter | FaultKind::BlackHole
            )
        })
    }

    /// Bytes of memory that it takes beside itself.
    pub fn held_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(FaultKind, Duration)>()
    }

    pub(super) fn note(&mut self, kind: FaultKind, delay: Duration) {
        self.0.push((kind, delay));
    }
}

/// `latency 52.3 ms, dup`
impl fmt::Display for AppliedFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (kind, delay)) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{}", kind.name())?;
            if !delay.is_zero() {
                write!(f, " {:.1} ms", delay.as_secs_f64() * 1e3)?;
            }
        }
        Ok(())
    }
}
