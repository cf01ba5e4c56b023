//! Faults as they are written: `c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB`.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use super::spec::{Fault, FaultKind, FaultSpec, Stall};
use crate::units;
use crate::wire::Direction;

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// No name and value.
    #[error("`{}` is no fault; there are {names}", .0.escape_debug(), names = names())]
    Unknown(String),
    /// A direction that there is not.
    #[error("`{}` is no direction; there are c2s and s2c", .0.escape_debug())]
    Direction(String),
    /// A value that is none of its kind.
    #[error("{name}={value}: {expected}", name = kind.name(), value = value.escape_debug())]
    Value {
        /// The fault.
        kind: FaultKind,
        /// Its value.
        value: String,
        /// The expected form of the value.
        expected: &'static str,
    },
    /// Two faults of a kind in one direction.
    #[error("{} is given twice", .0.name())]
    Twice(FaultKind),
}

/// `latency=50ms±10ms, loss=1%, … `
fn names() -> String {
    let each = FaultKind::ALL.map(|kind| format!("{}={}", kind.name(), kind.example()));
    each.join(", ")
}

impl FaultError {
    const fn value(kind: FaultKind, value: String, expected: &'static str) -> Self {
        Self::Value {
            kind,
            value,
            expected,
        }
    }
}

/// `latency=50ms±10ms`
impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let unknown = || FaultError::Unknown(text.to_owned());
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        let (name, value) = (name.trim(), value.trim());
        let kind = FaultKind::named(name).ok_or_else(unknown)?;
        let refused = |expected| FaultError::value(kind, value.to_owned(), expected);
        let share = || units::share(value).ok_or_else(|| refused("a share is 0% to 100%"));
        let bytes = || {
            size(value)
                .and_then(|bytes| usize::try_from(bytes).ok())
                .filter(|bytes| *bytes > 0)
                .ok_or_else(|| refused("a size is bytes above 0, as in 512B or 10KiB"))
        };
        Ok(match kind {
            FaultKind::Latency => latency(value)
                .ok_or_else(|| refused("a latency is a time, as in 50ms or 50ms±10ms"))?,
            FaultKind::Loss => Self::Loss(share()?),
            FaultKind::Duplicates => Self::Duplicates(share()?),
            FaultKind::Reordered => Self::Reordered(share()?),
            FaultKind::Corrupted => Self::Corrupted(share()?),
            FaultKind::Slice => Self::Slice(bytes()?),
            FaultKind::Merge => Self::Merge(bytes()?),
            FaultKind::Rate => {
                Self::Rate(rate(value).ok_or_else(|| refused("a rate is as in 512KiB/s"))?)
            }
            FaultKind::Stall => {
                Self::Stall(stall(value).ok_or_else(|| {
                    refused("a stall is a time and after how much, as in 2s@10KiB")
                })?)
            }
            FaultKind::CutAfter => Self::CutAfter(
                size(value).ok_or_else(|| refused("a size is bytes, as in 512B or 10KiB"))?,
            ),
            FaultKind::BlackHole => black_hole(value).ok_or_else(|| {
                refused("a black hole is from a time to a later one, as in 5s..8s")
            })?,
        })
    }
}

/// A time that can be waited for.
fn time(text: &str) -> Option<Duration> {
    let time = units::duration(text.trim()).ok()?;
    (time <= units::LONGEST_WAIT).then_some(time)
}

fn size(text: &str) -> Option<u64> {
    units::size(text.trim()).ok()
}

fn latency(value: &str) -> Option<Fault> {
    let (late, jitter) = match value.split_once('±').or_else(|| value.split_once("+-")) {
        Some((late, jitter)) => (time(late)?, time(jitter)?),
        None => (time(value)?, Duration::ZERO),
    };
    Some(Fault::Latency { time: late, jitter })
}

fn rate(value: &str) -> Option<NonZeroU64> {
    NonZeroU64::new(size(value.strip_suffix("/s")?)?)
}

fn stall(value: &str) -> Option<Stall> {
    let (stalled, after) = value.split_once('@')?;
    Some(Stall {
        time: time(stalled)?,
        after_bytes: size(after)?,
    })
}

fn black_hole(value: &str) -> Option<Fault> {
    let (from, to) = value.split_once("..")?;
    let (from, to) = (time(from)?, time(to)?);
    (from < to).then_some(Fault::BlackHole(from..to))
}

/// `latency=50ms, loss=1%`
impl FromStr for FaultSpec {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut spec = Self::default();
        for fault in text.split(',') {
            let fault: Fault = fault.trim().parse()?;
            if spec
                .faults()
                .iter()
                .any(|other| other.kind() == fault.kind())
            {
                return Err(FaultError::Twice(fault.kind()));
            }
            spec.set(fault);
        }
        Ok(spec)
    }
}

/// Faults as written: for a direction, or for sent messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultLines(Vec<(Option<Direction>, FaultSpec)>);

/// `c2s: latency=50ms; s2c: loss=1%`, or `latency=50ms` for sent messages.
impl FromStr for FaultLines {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let lines = text.split(';').map(|line| match line.split_once(':') {
            Some((direction, faults)) => {
                let direction = direction.trim();
                let known = Direction::named(direction)
                    .ok_or_else(|| FaultError::Direction(direction.to_owned()))?;
                Ok((Some(known), faults.parse()?))
            }
            None => Ok((None, line.parse()?)),
        });
        lines.collect::<Result<_, _>>().map(Self)
    }
}

/// The faults of messages, by direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Faults of clients' messages.
    pub c2s: FaultSpec,
    /// Faults of servers' messages.
    pub s2c: FaultSpec,
}

impl Faults {
    /// Those of a command that sends in these directions. Where two lines name
    /// faults of a kind for a direction, the later holds.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a FaultLines>, sends: &[Direction]) -> Self {
        let mut faults = Self::default();
        for (direction, spec) in lines.into_iter().flat_map(|lines| &lines.0) {
            let directions = match direction {
                Some(direction) => std::slice::from_ref(direction),
                None => sends,
            };
            for direction in directions {
                for fault in spec.faults() {
                    faults.direction_mut(*direction).set(fault.clone());
                }
            }
        }
        faults
    }

    /// Whether nothing is done.
    pub const fn is_empty(&self) -> bool {
        self.c2s.is_empty() && self.s2c.is_empty()
    }

    /// The faults of a direction.
    pub const fn direction(&self, direction: Direction) -> &FaultSpec {
        match direction {
            Direction::ClientToServer => &self.c2s,
            Direction::ServerToClient => &self.s2c,
        }
    }

    /// The same, to be changed.
    pub const fn direction_mut(&mut self, direction: Direction) -> &mut FaultSpec {
        match direction {
            Direction::ClientToServer => &mut self.c2s,
            Direction::ServerToClient => &mut self.s2c,
        }
    }
}

/// `c2s: latency=50ms; s2c: loss=1%`
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.c2s.is_empty(), self.s2c.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => write!(f, "c2s: {}", self.c2s),
            (true, false) => write!(f, "s2c: {}", self.s2c),
            (false, false) => write!(f, "c2s: {}; s2c: {}", self.c2s, self.s2c),
        }
    }
}
