//! The states of a conversation and the one table of their transitions.
//!
//! ```text
//!            SYN
//!             │
//!        ┌────▼─────┐ 60 s     ┌───────────┐
//!        │ syn sent ├─────────▶│ no answer │  a late answer counts all the same
//!        └─┬──────┬─┘          └───────────┘
//!    close │      │ ACK
//!    ┌─────▼───┐ ┌▼─────┐ client's close ┌───────────────┐
//!    │ refused │ │ open ├───────────────▶│ client closed │
//!    └─────────┘ └┬───▲─┘                └───────────────┘
//!  server's close │   │ data after an empty ACK
//!  or empty ACK ┌─▼───┴─────────┐
//!               │ server closed │
//!               └───────────────┘
//! ```
//!
//! A conversation whose SYN is not in the capture goes through the same
//! states and is shown as `mid-stream`.

use std::fmt;

use super::{FindingCode, Level};
use crate::wire::Direction;

/// Where a conversation stands, as far as the capture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The SYN was seen, its answer not yet.
    SynSent,
    /// A close answered the SYN.
    Refused,
    /// An ACK answered the SYN.
    Open,
    /// The client closed first.
    ClientClosed,
    /// The server closed first.
    ServerClosed,
    /// The SYN was never answered.
    NoAnswer,
    /// The SYN is not in the capture.
    MidStream,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::SynSent,
        Self::Refused,
        Self::Open,
        Self::ClientClosed,
        Self::ServerClosed,
        Self::NoAnswer,
        Self::MidStream,
    ];

    /// Its name in the JSON records: `server_closed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynSent => "syn_sent",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::ClientClosed => "client_closed",
            Self::ServerClosed => "server_closed",
            Self::NoAnswer => "no_answer",
            Self::MidStream => "mid_stream",
        }
    }

    /// Whether a close was seen.
    pub(super) const fn is_closed(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::ClientClosed | Self::ServerClosed
        )
    }
}

/// Its name for people: `server closed`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SynSent => "syn sent",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::ClientClosed => "client closed",
            Self::ServerClosed => "server closed",
            Self::NoAnswer => "no answer",
            Self::MidStream => "mid-stream",
        })
    }
}

/// A message within a conversation, as far as its state cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stimulus {
    /// An ACK with a server id.
    Ack,
    /// An ACK without payload.
    EmptyAck,
    /// An ACK with a payload of another length.
    MisshapenAck,
    /// Data.
    Data(Direction),
    /// A close.
    Close(Direction),
}

/// What a message does to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Accepts,
    Refuses,
    Carries,
    Closes,
    ClosesAgain,
    Ignored,
}

/// One entry of the transition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) next: State,
    pub(super) effect: Effect,
    pub(super) finding: Option<(FindingCode, Level)>,
}

impl State {
    /// What a message does in this state. `taken_as_close` says that the
    /// state came about by an empty ACK, which data after it takes back
    /// (protocol text, sample (c); the reference ignores such an ACK).
    #[rustfmt::skip]
    pub(super) fn step(self, stimulus: Stimulus, taken_as_close: TakenAsClose) -> Step {
        use Direction::{ClientToServer as Client, ServerToClient as Server};
        use Effect::{Accepts, Carries, Closes, ClosesAgain, Ignored, Refuses};
        use FindingCode::{AckBadLength, AckDuplicate, AckEmpty, DataAfterClose, DataBeforeAck};
        use State::{ClientClosed, NoAnswer, Open, Refused, ServerClosed, SynSent};

        let step = |next, effect| Step { next, effect, finding: None };
        let odd = |next, effect, code: FindingCode| Step { next, effect, finding: Some((code, code.level())) };
        let warn = |next, effect, code| Step { next, effect, finding: Some((code, Level::Warn)) };
        let was_taken_back = self == ServerClosed && taken_as_close == TakenAsClose::Yes;

        match (self, stimulus) {
            (SynSent | NoAnswer,  Stimulus::Ack)           => step(Open, Accepts),
            (SynSent | NoAnswer,  Stimulus::EmptyAck | Stimulus::MisshapenAck)
                                                           => odd(self, Ignored, AckBadLength),
            (SynSent | NoAnswer,  Stimulus::Data(_))       => odd(self, Carries, DataBeforeAck),
            (SynSent | NoAnswer,  Stimulus::Close(Server)) => step(Refused, Refuses),
            // Without a server id a client cannot close; it could name one only by guessing.
            (SynSent | NoAnswer,  Stimulus::Close(Client)) => step(ClientClosed, Closes),

            (Open | State::MidStream, Stimulus::Ack)           => odd(Open, Ignored, AckDuplicate),
            (Open | State::MidStream, Stimulus::EmptyAck)      => odd(ServerClosed, Closes, AckEmpty),
            (Open | State::MidStream, Stimulus::MisshapenAck)  => odd(Open, Ignored, AckBadLength),
            (Open | State::MidStream, Stimulus::Data(_))       => step(Open, Carries),
            (Open | State::MidStream, Stimulus::Close(Client)) => step(ClientClosed, Closes),
            (Open | State::MidStream, Stimulus::Close(Server)) => step(ServerClosed, Closes),

            (ServerClosed, Stimulus::Data(_))       if was_taken_back => step(Open, Carries),
            (ServerClosed, Stimulus::Close(Server)) if was_taken_back => step(ServerClosed, Closes),

            // Messages that were on their way when the other side closed are
            // normal; a side that goes on after its own close is at fault.
            (ClientClosed, Stimulus::Data(Server))  => odd(self, Ignored, DataAfterClose),
            (ServerClosed, Stimulus::Data(Client))  => odd(self, Ignored, DataAfterClose),
            (ClientClosed, Stimulus::Close(Server)) => step(self, ClosesAgain),
            (ServerClosed, Stimulus::Close(Client)) => step(self, ClosesAgain),
            (ClientClosed | ServerClosed | Refused, Stimulus::Data(_) | Stimulus::Close(_))
                                                    => warn(self, Ignored, DataAfterClose),
            (ClientClosed | ServerClosed, Stimulus::Ack)
                                                    => odd(self, Ignored, AckDuplicate),
            (Refused, Stimulus::Ack)                => odd(self, Ignored, DataAfterClose),
            (ClientClosed | ServerClosed | Refused, Stimulus::EmptyAck | Stimulus::MisshapenAck)
                                                    => odd(self, Ignored, AckBadLength),
        }
    }
}

/// Whether a conversation is closed only because an empty ACK was read as its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakenAsClose {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ClientToServer, ServerToClient};

    const STIMULI: [Stimulus; 7] = [
        Stimulus::Ack,
        Stimulus::EmptyAck,
        Stimulus::MisshapenAck,
        Stimulus::Data(ClientToServer),
        Stimulus::Data(ServerToClient),
        Stimulus::Close(ClientToServer),
        Stimulus::Close(ServerToClient),
    ];

    #[test]
    fn a_closed_conversation_stays_closed_whatever_comes() {
        for state in [State::Refused, State::ClientClosed, State::ServerClosed] {
            for stimulus in STIMULI {
                let step = state.step(stimulus, TakenAsClose::No);
                assert_eq!(step.next, state, "{state} {stimulus:?}");
                assert!(
                    matches!(step.effect, Effect::Ignored | Effect::ClosesAgain),
                    "{state} {stimulus:?}"
                );
                assert_eq!(
                    step.finding.is_none(),
                    step.effect == Effect::ClosesAgain,
                    "only crossing closes are normal: {state} {stimulus:?}"
                );
            }
        }
    }

    #[test]
    fn only_data_or_a_real_close_takes_an_empty_ack_back() {
        for stimulus in STIMULI {
            let step = State::ServerClosed.step(stimulus, TakenAsClose::Yes);
            let expected = match stimulus {
                Stimulus::Data(_) => (State::Open, Effect::Carries),
                Stimulus::Close(ServerToClient) => (State::ServerClosed, Effect::Closes),
                Stimulus::Close(ClientToServer) => (State::ServerClosed, Effect::ClosesAgain),
                _ => (State::ServerClosed, Effect::Ignored),
            };
            assert_eq!((step.next, step.effect), expected, "{stimulus:?}");
        }
    }

    #[test]
    fn a_late_answer_counts_as_one_in_time() {
        for stimulus in STIMULI {
            let in_time = State::SynSent.step(stimulus, TakenAsClose::No);
            let late = State::NoAnswer.step(stimulus, TakenAsClose::No);
            assert_eq!(
                (in_time.effect, in_time.finding),
                (late.effect, late.finding)
            );
            if in_time.next != State::SynSent {
                assert_eq!(in_time.next, late.next);
            }
        }
    }

    #[test]
    fn an_open_conversation_ends_by_either_close_and_the_empty_ack() {
        let ends: Vec<_> = STIMULI
            .into_iter()
            .filter_map(|stimulus| {
                let step = State::Open.step(stimulus, TakenAsClose::No);
                (step.next != State::Open).then_some((stimulus, step.next))
            })
            .collect();
        assert_eq!(
            ends,
            [
                (Stimulus::EmptyAck, State::ServerClosed),
                (Stimulus::Close(ClientToServer), State::ClientClosed),
                (Stimulus::Close(ServerToClient), State::ServerClosed),
            ]
        );
    }
}
