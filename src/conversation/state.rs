//! The states of a conversation and the tables of their transitions: by its messages, and by
//! other causes.
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
//! A conversation whose SYN is not in the capture goes through the same states and is shown as
//! `mid-stream`. The effect of a message follows from the [`Phase`], of which two are one state to
//! the reader, and the [`Circumstances`].

use std::fmt;

#[cfg(feature = "dump")]
use super::MeaningKind;
use super::{FindingCode, Level};
use crate::wire::Direction;

/// The state of a conversation, as far as the capture shows.
// The order is that of `ALL`: counts are indexed by `state as usize`, and rows of tables hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConversationState {
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

impl ConversationState {
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

    /// The state after a message with this meaning, for whoever has nothing but messages: what passes
    /// without one, as an answer that never comes, they do not tell.
    #[cfg(feature = "dump")]
    pub(crate) fn after(
        before: Option<Self>,
        meaning: MeaningKind,
        direction: Option<Direction>,
    ) -> Self {
        match (before, meaning) {
            (None, MeaningKind::Opens) => Self::SynSent,
            (None, _) => Self::MidStream,
            (Some(Self::SynSent), MeaningKind::Accepts) => Self::Open,
            (Some(Self::SynSent), MeaningKind::Refuses) => Self::Refused,
            (Some(Self::SynSent | Self::Open), MeaningKind::Closes) => match direction {
                Some(Direction::ServerToClient) => Self::ServerClosed,
                _ => Self::ClientClosed,
            },
            // The close was an empty ACK.
            (Some(Self::ServerClosed), MeaningKind::Carries) => Self::Open,
            (Some(before), _) => before,
        }
    }

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

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Its name for people: `server closed`.
impl fmt::Display for ConversationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

impl ConversationState {
    /// Its name for people: `client closed`.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::SynSent => "syn sent",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::ClientClosed => "client closed",
            Self::ServerClosed => "server closed",
            Self::NoAnswer => "no answer",
            Self::MidStream => "mid-stream",
        }
    }
}

/// The state of a conversation, as finely as the meaning of its next message depends on it. It begins
/// with `SynSent`, or with `Open` if its SYN was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Phase {
    /// The SYN was seen, its answer not yet.
    SynSent,
    /// The SYN was not answered in time.
    NoAnswer,
    /// A close answered the SYN.
    Refused,
    /// It was accepted, or begins in mid-stream.
    Open,
    /// An empty ACK was read as the server's close, which data after it take back
    /// (protocol text, sample (c); the reference ignores such an ACK).
    AckClosed,
    /// The client closed first.
    ClientClosed,
    /// The server closed first.
    ServerClosed,
}

impl Phase {
    /// Every phase, in the order of their declaration.
    // A tombstone keeps `phase as u8` in three bits, and reads it back by this order.
    pub(super) const ALL: [Self; 7] = [
        Self::SynSent,
        Self::NoAnswer,
        Self::Refused,
        Self::Open,
        Self::AckClosed,
        Self::ClientClosed,
        Self::ServerClosed,
    ];

    /// The state of a conversation whose SYN was seen.
    pub(super) const fn state(self) -> ConversationState {
        match self {
            Self::SynSent => ConversationState::SynSent,
            Self::NoAnswer => ConversationState::NoAnswer,
            Self::Refused => ConversationState::Refused,
            Self::Open => ConversationState::Open,
            Self::ClientClosed => ConversationState::ClientClosed,
            Self::AckClosed | Self::ServerClosed => ConversationState::ServerClosed,
        }
    }

    /// Whether a close was seen.
    pub(super) const fn is_closed(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::AckClosed | Self::ClientClosed | Self::ServerClosed
        )
    }

    /// The phase in which a conversation is remembered that was reported: an empty ACK
    /// that was reported as its close is not taken back any more.
    pub(super) const fn when_reported(self) -> Self {
        match self {
            Self::AckClosed => Self::ServerClosed,
            other => other,
        }
    }
}

/// The effect of missing or disordered messages of a capture on the next one. All false where a
/// conversation was seen whole and in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// Whether its ACK may still come, although messages came that no one sends
    /// before it.
    pub(super) awaits_ack: bool,
    /// The direction that is read late as a whole: its messages stand in the capture
    /// behind those of the other direction that answer them.
    pub(super) late: Option<Direction>,
    /// Whether the server sent data and its ACK may be missing: a server that sends data has
    /// accepted.
    pub(super) server_spoke: bool,
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

/// The effect of a message on a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Accepts,
    Refuses,
    Carries,
    Closes,
    ClosesAgain,
    Ignored,
}

/// A cause, besides the transitions, that changes the phase of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurrence {
    /// The time for its answer is over, or its channel or the capture ended after a server
    /// would have answered.
    AnswerOverdue,
    /// Its channel or the capture ended before that.
    CutShort,
    /// Its client names an id that nothing announced, behind a gap that can hold the ACK.
    AckInGap,
    /// Its SYN is read behind an answer.
    LateSyn,
}

/// One entry of the table of occurrences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) next: Phase,
    pub(super) finding: Option<(FindingCode, Level)>,
}

/// One entry of the transition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transition {
    pub(super) next: Phase,
    pub(super) effect: Effect,
    pub(super) finding: Option<(FindingCode, Level)>,
}

impl Phase {
    /// The effect of a message in this phase. With [`change`](Self::change), which has the other
    /// causes, and [`exchange`](Self::exchange), which swaps the phases of two conversations, this is
    /// the whole truth: nothing is decided anywhere else, and the tables in `docs/protocol.md` are
    /// held against the first two.
    #[rustfmt::skip]
    pub(super) fn transition(self, stimulus: Stimulus, circumstances: Circumstances) -> Transition {
        use Direction::{ClientToServer as Client, ServerToClient as Server};
        use Effect::{Accepts, Carries, Closes, ClosesAgain, Ignored, Refuses};
        use FindingCode::{AckBadLength, AckDuplicate, AckEmpty, DataAfterClose, DataBeforeAck};
        use Phase::{AckClosed, ClientClosed, NoAnswer, Open, Refused, ServerClosed, SynSent};
        use Stimulus::{Ack, Close, Data, EmptyAck, MisshapenAck};

        let plain = |next, effect| Transition { next, effect, finding: None };
        let odd = |next, effect, code: FindingCode| Transition { next, effect, finding: Some((code, code.level())) };
        let warn = |next, effect, code| Transition { next, effect, finding: Some((code, Level::Warn)) };
        let Circumstances { awaits_ack, late, server_spoke } = circumstances;

        match (self, stimulus) {
            (Open, Data(_))                               => plain(Open, Carries),

            (SynSent | NoAnswer, Ack)                     => plain(Open, Accepts),
            // No ACK is sent so late: it is read late.
            (_, Ack) if awaits_ack                        => plain(self, Accepts),
            (SynSent | NoAnswer, EmptyAck | MisshapenAck) => odd(self, Ignored, AckBadLength),
            // A client cannot send before the ACK: it is the ACK that is read late.
            (SynSent | NoAnswer, Data(Client)) if awaits_ack => plain(self, Carries),
            (SynSent | NoAnswer, Data(_))                 => odd(self, Carries, DataBeforeAck),
            (SynSent | NoAnswer, Close(Server)) if server_spoke => plain(ServerClosed, Closes),
            (SynSent | NoAnswer, Close(Server))           => plain(Refused, Refuses),
            // Without a server id a client cannot close; it could name one only by guessing.
            (SynSent | NoAnswer, Close(Client))           => plain(ClientClosed, Closes),

            (Open, Ack)                                   => odd(Open, Ignored, AckDuplicate),
            (Open, EmptyAck)                              => odd(AckClosed, Closes, AckEmpty),
            (Open, MisshapenAck)                          => odd(Open, Ignored, AckBadLength),
            (Open, Close(Client))                         => plain(ClientClosed, Closes),
            (Open, Close(Server))                         => plain(ServerClosed, Closes),

            // It was no close after all, or here is the real one.
            (AckClosed, Data(_))                          => plain(Open, Carries),
            (AckClosed, Close(Server))                    => plain(ServerClosed, Closes),

            (Refused | ClientClosed | ServerClosed, Data(from)) if late == Some(from)
                                                          => plain(self, Carries),
            // Messages that were on their way when the other side closed are
            // normal; a side that goes on after its own close is at fault.
            (ClientClosed, Data(Server))                  => odd(self, Ignored, DataAfterClose),
            (ServerClosed, Data(Client))                  => odd(self, Ignored, DataAfterClose),
            (ClientClosed, Close(Server))                 => plain(self, ClosesAgain),
            (AckClosed | ServerClosed, Close(Client))     => plain(self, ClosesAgain),
            (ClientClosed | ServerClosed | Refused, Data(_) | Close(_))
                                                          => warn(self, Ignored, DataAfterClose),
            (AckClosed | ClientClosed | ServerClosed, Ack) => odd(self, Ignored, AckDuplicate),
            (Refused, Ack)                                => odd(self, Ignored, DataAfterClose),
            (AckClosed | ClientClosed | ServerClosed | Refused, EmptyAck | MisshapenAck)
                                                          => odd(self, Ignored, AckBadLength),
        }
    }

    /// The effect in this phase of a cause besides the [`transition`](Self::transition)s.
    pub(super) const fn change(
        self,
        occurrence: Occurrence,
        circumstances: Circumstances,
    ) -> Change {
        use FindingCode::SynNoAnswer;
        use Occurrence::{AckInGap, AnswerOverdue, CutShort, LateSyn};
        use Phase::{NoAnswer, Open, Refused, ServerClosed, SynSent};

        let (next, finding) = match (self, occurrence) {
            (SynSent, AnswerOverdue) => (NoAnswer, Some((SynNoAnswer, SynNoAnswer.level()))),
            (SynSent, CutShort) => (NoAnswer, Some((SynNoAnswer, Level::Note))),
            (SynSent, AckInGap) => (Open, None),
            // The close was read first, and there was no ACK before it.
            (ServerClosed, LateSyn) if circumstances.awaits_ack => (Refused, None),
            _ => (self, None),
        };
        Change { next, finding }
    }

    /// Exchanges the phases of two conversations each of which got messages of the other's
    /// client, since nothing had announced their ids. That is no transition: each takes on the
    /// history of the other. Exchanged are phases that a client's messages and gaps lead to; a
    /// server's close and the end of waiting were the conversation's own.
    pub(super) const fn exchange(one: &mut Self, other: &mut Self) {
        if one.is_of_client() && other.is_of_client() {
            std::mem::swap(one, other);
        }
    }

    /// Whether a client's messages alone, and a gap, lead here.
    const fn is_of_client(self) -> bool {
        matches!(self, Self::SynSent | Self::Open | Self::ClientClosed)
    }

    /// The effect of a message on a conversation that was reported already: in any case, the
    /// conversation stays as it was reported.
    pub(super) fn transition_when_reported(
        self,
        stimulus: Stimulus,
        circumstances: Circumstances,
    ) -> Transition {
        let transition = self.when_reported().transition(stimulus, circumstances);
        match transition.effect {
            Effect::ClosesAgain | Effect::Ignored => transition,
            Effect::Accepts | Effect::Refuses | Effect::Carries | Effect::Closes => Transition {
                next: self,
                effect: Effect::Ignored,
                finding: None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
