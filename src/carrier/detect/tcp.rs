//! Detection on TCP flows.

use super::evidence::{Evidence, Framing};
use super::held::{Held, Piece};
use super::{
    CarrierVerdict, MAX_HELD_BYTES, MAX_HELD_PIECES, Protocol, Standing, Trace, Unanswered, i2cp,
    prefixed,
};
use crate::carrier::length_prefixed::Prefix;
use crate::carrier::{Carrier, Extent, FlowDirection};

/// Finds the carrier of a TCP flow.
///
/// Each carrier's own decoder is tried on the stream, and its items are weighed as the
/// [module](super) says. When more than [`MAX_HELD_BYTES`] or [`MAX_HELD_PIECES`] have come without
/// a verdict, it is the one that [`Detector::finish`] would give.
///
/// A direction whose beginning is not in the capture must begin with a gap of
/// unknown size; one that does not is taken to begin with a message.
#[derive(Debug)]
pub struct Detector<T> {
    held: Held<T>,
    trials: Trials,
    verdict: CarrierVerdict,
}

#[derive(Debug)]
struct Trials {
    asked: Asked,
    i2cp: [i2cp::Trial; 2],
    prefixed: [(Prefix, prefixed::Trial); Prefix::ALL.len()],
    segments: Evidence,
}

/// The carriers to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Any carrier, or none.
    Any,
    /// I2CP, with the application on one side or the other.
    I2cpSide,
}

impl<T: Copy> Detector<T> {
    /// A detector for a new flow.
    pub fn new(protocol: Protocol) -> Self {
        Self::asking(Asked::Any, protocol)
    }

    /// A detector for a flow that is known to be I2CP. It only finds out which
    /// side the application is; in doubt, the one that dialled.
    pub fn expecting_i2cp(protocol: Protocol) -> Self {
        Self::asking(Asked::I2cpSide, protocol)
    }

    /// Takes the next piece; see [`Piece`]. Pieces behind the verdict are not held and do not
    /// change it.
    pub fn push(&mut self, piece: Piece<'_>, token: T) -> CarrierVerdict {
        if self.verdict != CarrierVerdict::NeedMore {
            return self.verdict;
        }
        self.held.push(piece, token);
        self.trials.push(piece);
        self.verdict = self.trials.verdict();
        if self.is_full() {
            self.finish();
        }
        self.drop_foreign();
        self.verdict
    }

    /// Ends the flow, or the wait for more: the verdict on the pieces so far.
    pub fn finish(&mut self) -> CarrierVerdict {
        if self.verdict == CarrierVerdict::NeedMore {
            for from in FlowDirection::BOTH {
                self.trials.push(Piece::End { from });
            }
            self.verdict = self.trials.final_verdict();
            self.drop_foreign();
        }
        self.verdict
    }

    /// Traces of our protocol in a flow that is [`CarrierVerdict::Foreign`], and their carrier.
    pub fn trace(&self) -> Option<(Carrier, Trace)> {
        self.trials.trace()
    }

    /// The flow's evidence for judging others to the same server, if it holds nothing but openings
    /// without an answer and is whole.
    pub fn unanswered(&self) -> Option<Unanswered> {
        match self.verdict {
            CarrierVerdict::NeedMore | CarrierVerdict::Foreign if self.is_whole() => {
                self.trials.unanswered()
            }
            _ => None,
        }
    }

    /// Whether any bytes came.
    pub const fn has_payload(&self) -> bool {
        self.trials.segments.has_any()
    }

    /// Bytes of memory that the detector takes, with those held by it and its trials.
    pub fn held_bytes(&self) -> usize {
        let i2cp = self.trials.i2cp.iter().map(i2cp::Trial::held_bytes);
        let prefixed = self
            .trials
            .prefixed
            .iter()
            .map(|(_, trial)| trial.held_bytes());
        let segments = self.trials.segments.held_bytes();
        let trials = i2cp.chain(prefixed).chain([segments]).sum::<usize>();
        size_of::<Self>() + self.held.memory_bytes() + trials
    }

    /// The verdict so far.
    pub const fn verdict(&self) -> CarrierVerdict {
        self.verdict
    }

    /// Hands on the held pieces, in their order, to be decoded. Of a flow that is
    /// [`CarrierVerdict::Foreign`] only what is [`Self::unanswered`] is held.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn replay<E>(&self, take: impl FnMut(Piece<'_>, T) -> Result<(), E>) -> Result<(), E> {
        self.held.replay(take)
    }

    fn asking(asked: Asked, protocol: Protocol) -> Self {
        Self {
            held: Held::new(),
            trials: Trials {
                asked,
                i2cp: FlowDirection::BOTH.map(i2cp::Trial::new),
                prefixed: Prefix::ALL
                    .map(|prefix| (prefix, prefixed::Trial::new(prefix, protocol))),
                segments: Evidence::new(protocol, Framing::Any),
            },
            verdict: CarrierVerdict::NeedMore,
        }
    }

    fn is_full(&self) -> bool {
        self.held.bytes() > MAX_HELD_BYTES || self.held.pieces() > MAX_HELD_PIECES
    }

    /// Whether all that came is held: neither is it too much, nor was it dropped for that.
    fn is_whole(&self) -> bool {
        !self.is_full() && self.held.pieces() > 0
    }

    fn drop_foreign(&mut self) {
        if self.verdict == CarrierVerdict::Foreign && self.unanswered().is_none() {
            self.held.clear();
        }
    }
}

impl Trials {
    fn push(&mut self, piece: Piece<'_>) {
        for trial in &mut self.i2cp {
            trial.push(piece);
        }
        if self.asked == Asked::I2cpSide {
            return;
        }
        for (_, trial) in &mut self.prefixed {
            trial.push(piece);
        }
        if let Piece::Bytes {
            from,
            bytes,
            extent,
        } = piece
        {
            let missing = match extent {
                Extent::WholeSegment => 0,
                Extent::CutSegment(missing) => usize::try_from(missing).unwrap_or(usize::MAX),
                Extent::PartOfSegment => return,
            };
            let length = bytes.len().saturating_add(missing);
            self.segments.weigh(from, bytes, length);
        }
    }

    /// The verdict while there may be more.
    fn verdict(&self) -> CarrierVerdict {
        let all_out = self
            .standings()
            .all(|(_, standing)| standing == Standing::Out);
        match (self.first_of(Standing::Certain), self.asked) {
            (Some(verdict), _) => verdict,
            (None, Asked::Any) if all_out => CarrierVerdict::Foreign,
            (None, _) => CarrierVerdict::NeedMore,
        }
    }

    /// The verdict when there is no more.
    fn final_verdict(&self) -> CarrierVerdict {
        let probable = self
            .first_of(Standing::Certain)
            .or_else(|| self.first_of(Standing::Probable));
        match (probable, self.asked) {
            (Some(verdict), _) => verdict,
            (None, Asked::Any) => CarrierVerdict::Foreign,
            (None, Asked::I2cpSide) => CarrierVerdict::I2cp {
                application: FlowDirection::Forward,
            },
        }
    }

    fn trace(&self) -> Option<(Carrier, Trace)> {
        let prefixed = self
            .prefixed
            .iter()
            .map(|(prefix, trial)| (prefix.carrier(), trial.trace()));
        prefixed
            .chain([(Carrier::Segment, self.segments.trace())])
            .find_map(|(carrier, trace)| Some((carrier, trace?)))
    }

    fn unanswered(&self) -> Option<Unanswered> {
        if self.asked == Asked::I2cpSide {
            return None;
        }
        let segments = || self.segments.unanswered(CarrierVerdict::Segments);
        let mut prefixed = self.prefixed.iter().map(|(_, trial)| trial);
        prefixed
            .find_map(prefixed::Trial::unanswered)
            .or_else(segments)
    }

    fn first_of(&self, wanted: Standing) -> Option<CarrierVerdict> {
        self.standings()
            .find_map(|(verdict, standing)| (standing == wanted).then_some(verdict))
    }

    /// The standing of each carrier, those first that are harder to take for another.
    fn standings(&self) -> impl Iterator<Item = (CarrierVerdict, Standing)> {
        let i2cp = self.i2cp.iter().map(|trial| {
            let application = trial.application();
            (CarrierVerdict::I2cp { application }, trial.standing())
        });
        let prefixed = self
            .prefixed
            .iter()
            .map(|(prefix, trial)| (CarrierVerdict::LengthPrefixed(*prefix), trial.standing()));
        let segments = [(CarrierVerdict::Segments, self.segments.standing())];
        i2cp.chain(prefixed).chain(segments).take(match self.asked {
            Asked::Any => usize::MAX,
            Asked::I2cpSide => self.i2cp.len(),
        })
    }
}
