//! The states of a conversation as its participant sees them.
//!
//! ```text
//!      open()                               SYN arrives
//!        │ SYN                                  │
//!        ▼                                      ▼
//!   ┌──────────┐                          ┌─────────────┐
//!   │ SynSent  │                          │ SynReceived │
//!   └──────────┘                          └─────────────┘
//!     │      │ ACK           accept(): ACK  │         │ refuse(), abort(), timeout: close
//!     │      └──────────┐  ┌────────────────┘         │
//!     │                 ▼  ▼                          │
//!     │               ┌──────┐ finish() ┌──────────┐  │
//!     │               │ Open │─────────▶│ Draining │  │
//!     │               └──────┘          └──────────┘  │
//!     │        close() │   │              │  │        │
//!     │                ▼   │      close() │  │        │
//!     │         ┌─────────┐│              │  │        │
//!     │         │ Closing │◀──────────────┘  │        │
//!     │         └─────────┘│                 │        │
//!     │  all sent: │       │ close arrives   │ close  │
//!     │      close │       │                 │ arrives,
//!     │            │       │                 │ silence│
//!     ▼            ▼       ▼                 ▼        ▼
//!   ┌──────────────────────────────────────────────────┐
//!   │                      Ended                       │
//!   └──────────────────────────────────────────────────┘
//!     close arrives (refused), timeout, abort()
//! ```
//!
//! Not drawn: from every state a lost link, and from the last three an
//! `abort()` or a timeout, lead to Ended. [`transition`] is the whole of it.

use super::output::End;

/// The state of a live conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// We opened it; the peer has not answered.
    SynSent,
    /// The peer opened it; our application has not answered.
    SynReceived,
    /// Data may go both ways.
    Open,
    /// Our application has no more to send; the close is held back for the peer's data.
    Draining,
    /// Our application has closed; its last data are still to be sent.
    Closing,
    /// Over; it is kept only because the application holds bytes of it.
    Ended,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::SynSent,
        Self::SynReceived,
        Self::Open,
        Self::Draining,
        Self::Closing,
        Self::Ended,
    ];

    /// Its name in metrics: `syn_sent`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynSent => "syn_sent",
            Self::SynReceived => "syn_received",
            Self::Open => "open",
            Self::Draining => "draining",
            Self::Closing => "closing",
            Self::Ended => "ended",
        }
    }
}

/// A stimulus of a conversation's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stimulus {
    /// An ACK with a server id arrived.
    Ack,
    /// An ACK without payload arrived: the close of the specification's sample (c).
    EmptyAck,
    /// Data arrived.
    Data,
    /// A close arrived.
    PeerClose,
    /// The application takes the peer's SYN.
    Accept,
    /// The application refuses it.
    Refuse,
    /// The application has no more to send, and [`OnEof::Drain`](super::OnEof) applies.
    Eof,
    /// The application closes.
    Close,
    /// The application gives up.
    Abort,
    /// All that was written has been sent.
    Flushed,
    /// The state's own time is up.
    Deadline,
    /// Its peer has not proven its address, and another needs the place.
    Displaced,
    /// It has been idle for too long ([`Config::idle_timeout`](super::Config::idle_timeout)).
    Idle,
    /// More data is held than the policy allows.
    Overflow,
    /// The carrier's link was lost.
    LinkLost,
    /// The carrier has lost a message to the peer.
    MessageLost,
}

#[cfg(test)]
impl Stimulus {
    pub(super) const ALL: [Self; 16] = [
        Self::Ack,
        Self::EmptyAck,
        Self::Data,
        Self::PeerClose,
        Self::Accept,
        Self::Refuse,
        Self::Eof,
        Self::Close,
        Self::Abort,
        Self::Flushed,
        Self::Deadline,
        Self::Displaced,
        Self::Idle,
        Self::Overflow,
        Self::LinkLost,
        Self::MessageLost,
    ];
}

/// The effect of a stimulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// The conversation goes on in this state, which may be the one it was in.
    To(State),
    /// It ends.
    Ends(End, Farewell),
    /// Nothing: this does not belong here.
    Ignored,
}

/// The last message to the peer at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// Nothing: it knows, or cannot be reached.
    Silent,
    /// A close.
    Close,
    /// A close, should its ACK still come: until then it has no id to send it to.
    CloseIfAcked,
}

/// The transition table: one block for each state; the last arm of a block names the stimuli that
/// do not belong there.
pub(super) const fn transition(state: State, stimulus: Stimulus) -> Transition {
    use Farewell::{Close as SayClose, CloseIfAcked, Silent};
    use State as S;
    use Stimulus as I;
    use Transition::{Ends, Ignored, To};
    match (state, stimulus) {
        (S::SynSent, I::Ack) => To(S::Open),
        // Data before the ACK are kept, and so is the application's request for after it.
        (S::SynSent, I::Data | I::Eof | I::Close) => To(S::SynSent),
        (S::SynSent, I::PeerClose) => Ends(End::Refused, Silent),
        (S::SynSent, I::Abort) => Ends(End::Aborted, CloseIfAcked),
        (S::SynSent, I::Deadline) => Ends(End::HandshakeTimeout, CloseIfAcked),
        (S::SynSent, I::Overflow) => Ends(End::EarlyDataOverflow, CloseIfAcked),
        (S::SynSent, I::LinkLost) => Ends(End::LinkLost, Silent),
        (S::SynSent, I::MessageLost) => Ends(End::MessageLost, Silent),
        (S::SynSent, I::EmptyAck | I::Accept | I::Refuse | I::Flushed | I::Displaced | I::Idle) => {
            Ignored
        }

        (S::SynReceived, I::Accept) => To(S::Open),
        (S::SynReceived, I::Refuse | I::Eof | I::Close | I::Abort) => {
            Ends(End::RefusedByUs, SayClose)
        }
        (S::SynReceived, I::Deadline) => Ends(End::AcceptTimeout, SayClose),
        (S::SynReceived, I::LinkLost) => Ends(End::LinkLost, Silent),
        // Nothing was sent in it yet: the lost message belongs to another with the same id.
        (
            S::SynReceived,
            I::Ack
            | I::EmptyAck
            | I::Data
            | I::PeerClose
            | I::Flushed
            | I::Displaced
            | I::Idle
            | I::Overflow
            | I::MessageLost,
        ) => Ignored,

        // A close behind the hole would make it look like the end (II.5): nothing more is sent.
        (S::Open | S::Draining | S::Closing, I::MessageLost) => Ends(End::MessageLost, Silent),

        (S::Open | S::Draining | S::Closing, I::Displaced) => Ends(End::AddressUnproven, SayClose),

        (S::Open, I::Data) => To(S::Open),
        (S::Open, I::Eof) => To(S::Draining),
        (S::Open, I::Close) => To(S::Closing),
        (S::Open, I::PeerClose | I::EmptyAck) => Ends(End::PeerClosed, Silent),
        (S::Open, I::Abort) => Ends(End::Aborted, SayClose),
        (S::Open, I::Deadline) => Ends(End::AddressUnproven, SayClose),
        (S::Open, I::Idle) => Ends(End::IdleTimeout, SayClose),
        (S::Open, I::Overflow) => Ends(End::SlowReader, SayClose),
        (S::Open, I::LinkLost) => Ends(End::LinkLost, Silent),
        (S::Open, I::Ack | I::Accept | I::Refuse | I::Flushed) => Ignored,

        (S::Draining, I::Data) => To(S::Draining),
        (S::Draining, I::Close) => To(S::Closing),
        (S::Draining, I::Deadline) => Ends(End::DrainTimeout, SayClose),
        (S::Draining, I::PeerClose | I::EmptyAck) => Ends(End::PeerClosed, Silent),
        (S::Draining, I::Abort) => Ends(End::Aborted, SayClose),
        (S::Draining, I::Idle) => Ends(End::IdleTimeout, SayClose),
        (S::Draining, I::Overflow) => Ends(End::SlowReader, SayClose),
        (S::Draining, I::LinkLost) => Ends(End::LinkLost, Silent),
        (S::Draining, I::Ack | I::Accept | I::Refuse | I::Eof | I::Flushed) => Ignored,

        (S::Closing, I::Flushed) => Ends(End::Closed, SayClose),
        (S::Closing, I::PeerClose | I::EmptyAck) => Ends(End::PeerClosed, Silent),
        (S::Closing, I::Abort) => Ends(End::Aborted, SayClose),
        (S::Closing, I::Deadline) => Ends(End::CloseTimeout, SayClose),
        (S::Closing, I::Idle) => Ends(End::IdleTimeout, SayClose),
        (S::Closing, I::LinkLost) => Ends(End::LinkLost, Silent),
        (
            S::Closing,
            I::Ack | I::Data | I::Accept | I::Refuse | I::Eof | I::Close | I::Overflow,
        ) => Ignored,

        (S::Ended, _) => Ignored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transition table as it stands in the documentation.
    fn table() -> String {
        let states = &State::ALL[..5];
        let mut table = "| |".to_owned();
        for state in states {
            table += &format!(" {state:?} |");
        }
        table += "\n|---|---|---|---|---|---|\n";
        for stimulus in Stimulus::ALL {
            table += &format!("| {stimulus:?} |");
            for &state in states {
                let cell = match transition(state, stimulus) {
                    Transition::To(after) if after == state => "stays".to_owned(),
                    Transition::To(after) => format!("**{after:?}**"),
                    Transition::Ends(end, Farewell::Silent) => format!("{end:?}"),
                    Transition::Ends(end, Farewell::Close) => format!("{end:?}, close"),
                    Transition::Ends(end, Farewell::CloseIfAcked) => format!("{end:?}, late close"),
                    Transition::Ignored => "-".to_owned(),
                };
                table += &format!(" {cell} |");
            }
            table += "\n";
        }
        table
    }

    #[test]
    fn the_documented_transition_table_is_the_one_in_force() {
        let documented = include_str!("../../docs/endpoint.md");
        let table = table();
        assert!(
            documented.contains(&table),
            "docs/endpoint.md does not contain:\n{table}"
        );
    }

    #[test]
    fn nothing_moves_a_conversation_that_has_ended() {
        for stimulus in Stimulus::ALL {
            assert_eq!(transition(State::Ended, stimulus), Transition::Ignored);
        }
    }

    #[test]
    fn a_lost_link_and_the_application_end_every_live_state() {
        for state in &State::ALL[..5] {
            for stimulus in [Stimulus::LinkLost, Stimulus::Abort] {
                assert!(
                    matches!(transition(*state, stimulus), Transition::Ends(..)),
                    "{state:?} {stimulus:?}"
                );
            }
        }
    }
}
