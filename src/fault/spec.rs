//! The faults that there are, and those of one direction.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Duration;

use crate::units::{shown_duration, shown_share, shown_size};

/// One fault with its strength.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Each message is late by `time`, and by up to `jitter` more or less; the order stays.
    Latency {
        /// The delay.
        time: Duration,
        /// The variation of the delay.
        jitter: Duration,
    },
    /// Share of messages that are lost, from 0 to 1.
    Loss(f64),
    /// Share of messages that arrive twice, from 0 to 1.
    Duplicates(f64),
    /// Share of messages that the next one overtakes, from 0 to 1.
    Reordered(f64),
    /// Share of messages in which one byte is changed, from 0 to 1.
    Corrupted(f64),
    /// Most bytes in one write to a TCP connection, from 1.
    Slice(usize),
    /// Messages wait until so many bytes can go together, but 20 ms at most.
    Merge(usize),
    /// Bytes a second that pass at most.
    Rate(NonZeroU64),
    /// Nothing passes for a time, once on each connection.
    Stall(Stall),
    /// Bytes after which the connection breaks, where a stream carries them inside a message; else the
    /// message that would go beyond is not sent.
    CutAfter(u64),
    /// Messages vanish between these two times, which count from the beginning of the run.
    BlackHole(Range<Duration>),
}

/// A time in which nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The duration.
    pub time: Duration,
    /// The number of bytes before it.
    pub after_bytes: u64,
}

/// The kind of a fault, without its strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// `latency`
    Latency,
    /// `loss`
    Loss,
    /// `dup`
    Duplicates,
    /// `reorder`
    Reordered,
    /// `corrupt`
    Corrupted,
    /// `slice`
    Slice,
    /// `merge`
    Merge,
    /// `rate`
    Rate,
    /// `stall`
    Stall,
    /// `cut-after`
    CutAfter,
    /// `blackhole`
    BlackHole,
}

impl FaultKind {
    /// Every kind, in the order of the documentation.
    // None may be missing: effects are indexed by `kind as usize`.
    pub const ALL: [Self; 11] = [
        Self::Latency,
        Self::Loss,
        Self::Duplicates,
        Self::Reordered,
        Self::Corrupted,
        Self::Slice,
        Self::Merge,
        Self::Rate,
        Self::Stall,
        Self::CutAfter,
        Self::BlackHole,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Loss => "loss",
            Self::Duplicates => "dup",
            Self::Reordered => "reorder",
            Self::Corrupted => "corrupt",
            Self::Slice => "slice",
            Self::Merge => "merge",
            Self::Rate => "rate",
            Self::Stall => "stall",
            Self::CutAfter => "cut-after",
            Self::BlackHole => "blackhole",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// An example of its value.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Latency => "50ms±10ms",
            Self::Loss => "1%",
            Self::Duplicates => "0.5%",
            Self::Reordered => "2%",
            Self::Corrupted => "0.1%",
            Self::Slice => "512B",
            Self::Merge => "8KiB",
            Self::Rate => "1MiB/s",
            Self::Stall => "2s@10KiB",
            Self::CutAfter => "10KiB",
            Self::BlackHole => "5s..8s",
        }
    }
}

impl Fault {
    /// Its kind.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Latency { .. } => FaultKind::Latency,
            Self::Loss(_) => FaultKind::Loss,
            Self::Duplicates(_) => FaultKind::Duplicates,
            Self::Reordered(_) => FaultKind::Reordered,
            Self::Corrupted(_) => FaultKind::Corrupted,
            Self::Slice(_) => FaultKind::Slice,
            Self::Merge(_) => FaultKind::Merge,
            Self::Rate(_) => FaultKind::Rate,
            Self::Stall(_) => FaultKind::Stall,
            Self::CutAfter(_) => FaultKind::CutAfter,
            Self::BlackHole(_) => FaultKind::BlackHole,
        }
    }
}

/// `latency=50ms±10ms`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.kind().name())?;
        match self {
            Self::Latency { time: t, jitter } if jitter.is_zero() => {
                f.write_str(&shown_duration(*t))
            }
            Self::Latency { time: t, jitter } => {
                write!(f, "{}±{}", shown_duration(*t), shown_duration(*jitter))
            }
            Self::Loss(share)
            | Self::Duplicates(share)
            | Self::Reordered(share)
            | Self::Corrupted(share) => f.write_str(&shown_share(*share)),
            Self::Slice(bytes) | Self::Merge(bytes) => f.write_str(&shown_size(*bytes as u64)),
            Self::Rate(bytes) => write!(f, "{}/s", shown_size(bytes.get())),
            Self::Stall(stall) => write!(
                f,
                "{}@{}",
                shown_duration(stall.time),
                shown_size(stall.after_bytes)
            ),
            Self::CutAfter(bytes) => f.write_str(&shown_size(*bytes)),
            Self::BlackHole(hole) => {
                write!(
                    f,
                    "{}..{}",
                    shown_duration(hole.start),
                    shown_duration(hole.end)
                )
            }
        }
    }
}

/// The faults of one direction: at most one of each kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultSpec {
    /// In the order in which they were asked for.
    faults: Vec<Fault>,
}

impl FaultSpec {
    /// Whether messages pass as they are, and at once.
    pub const fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// The part of it that concerns the size of writes only.
    #[must_use]
    pub fn only_slices(&self) -> Self {
        self.slice().map(Fault::Slice).into_iter().collect()
    }

    /// Whether it does anything beyond the size of writes.
    pub fn acts_on_messages(&self) -> bool {
        let is_slice = |fault: &Fault| fault.kind() == FaultKind::Slice;
        !self.faults.iter().all(is_slice)
    }

    /// The faults.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Adds a fault, in the place of one of its kind.
    pub fn set(&mut self, fault: Fault) {
        match self.place(fault.kind()) {
            Some(place) => self.faults[place] = fault,
            None => self.faults.push(fault),
        }
    }

    /// Takes a fault away; false if there was none of the kind.
    pub fn clear(&mut self, kind: FaultKind) -> bool {
        let place = self.place(kind);
        if let Some(place) = place {
            self.faults.remove(place);
        }
        place.is_some()
    }

    fn place(&self, kind: FaultKind) -> Option<usize> {
        self.faults.iter().position(|fault| fault.kind() == kind)
    }

    /// Most bytes in one write; the links of streams see to it themselves.
    pub fn slice(&self) -> Option<usize> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Slice(bytes) => Some(*bytes),
            _ => None,
        })
    }
}

impl FromIterator<Fault> for FaultSpec {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        let mut spec = Self::default();
        for fault in faults {
            spec.set(fault);
        }
        spec
    }
}

/// `latency=50ms±10ms, loss=1%`
impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.faults.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}
