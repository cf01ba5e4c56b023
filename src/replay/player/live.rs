//! One live conversation: its state and the condition that it waits for.

use std::time::{Duration, Instant};

use super::copies::Start;
use crate::replay::compare::{Masked, StreamFollower};
use crate::replay::options::PlayOptions;
use crate::replay::outcome::{Note, PlayOutcome, ReplayResult};
use crate::replay::plan::{Answers, Opening, PlannedConversation, PlannedMessage, progress};
use crate::replay::transcript::Transcript;
use crate::wire::{ClientId, FrameKind, ServerId};

/// A conversation that is played.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) serial: u64,
    pub(super) planned: usize,
    pub(super) copy: usize,
    pub(super) pass: u64,
    /// The origin of the plan's times.
    pub(super) base: Instant,
    pub(super) started: Instant,
    pub(super) client_id: Option<ClientId>,
    pub(super) server_id: Option<ServerId>,
    pub(super) phase: Phase,
    pub(super) next_step: usize,
    /// Whether its next message stands in line.
    pub(super) queued: bool,
    /// When its next message could have gone.
    pub(super) eligible: Instant,
    /// When it last sent something.
    pub(super) changed: Instant,
    /// When the peer was last heard.
    pub(super) last_received: Instant,
    /// The earliest timer.
    pub(super) armed: Option<Instant>,
    pub(super) handshake: Option<Duration>,
    pub(super) refused: Option<Duration>,
    pub(super) server_closed: bool,
    pub(super) closed_by_us: bool,
    pub(super) patience_is_over: bool,
    /// Whether its copy counts it as over.
    pub(super) released: bool,
    /// Whether a message of ours has named the server's id, or waits to be sent.
    pub(super) names_server: bool,
    pub(super) sent_bytes: usize,
    pub(super) answers: LiveAnswers,
    /// The messages, if they are to be shown.
    pub(super) transcript: Transcript,
}

/// The phase of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is something to send or to wait for.
    Playing,
    /// Nothing is: only unexpected messages are still taken.
    Lingering {
        /// As long as that.
        until: Instant,
    },
}

/// The obstacle to a conversation's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hindrance {
    /// Nothing: the next message may go.
    None,
    /// It is not time.
    Time(Instant),
    /// The peer owes something, for which it has until then.
    Peer { until: Instant },
    /// Nothing is left to do.
    Finished,
}

/// The peer's messages.
#[derive(Debug, Default)]
pub(super) struct LiveAnswers {
    pub(super) stream: StreamFollower,
    pub(super) messages: usize,
    /// The first message that does not end where its recorded one does.
    pub(super) boundary: Option<usize>,
}

impl LiveAnswers {
    pub(super) fn push(&mut self, recorded: &Answers, payload: &[u8], masked: Masked) {
        self.stream.push(&recorded.stream, payload, masked);
        let end = recorded.ends.get(self.messages);
        if self.boundary.is_none() && end != Some(&self.stream.got_bytes()) {
            self.boundary = Some(self.messages);
        }
        self.messages += 1;
    }
}

impl Live {
    pub(super) fn new(
        start: &Start,
        client_id: Option<ClientId>,
        serial: u64,
        now: Instant,
    ) -> Self {
        Self {
            serial,
            planned: start.planned,
            copy: start.copy,
            pass: start.pass,
            base: start.base,
            started: now,
            client_id,
            server_id: None,
            phase: Phase::Playing,
            next_step: 0,
            queued: false,
            eligible: now,
            changed: start.base,
            last_received: start.base,
            armed: None,
            handshake: None,
            refused: None,
            server_closed: false,
            closed_by_us: false,
            patience_is_over: false,
            released: false,
            names_server: false,
            sent_bytes: 0,
            answers: LiveAnswers::default(),
            transcript: Transcript::default(),
        }
    }

    /// A step was sent.
    pub(super) fn sent(&mut self, now: Instant, step: &PlannedMessage) {
        self.queued = false;
        self.changed = now;
        if self.next_step == 0 {
            self.started = now;
        }
        self.next_step += 1;
        match step.frame_type.kind() {
            FrameKind::Data => self.sent_bytes += step.payload.len(),
            FrameKind::Close => self.closed_by_us = true,
            _ => {}
        }
    }

    /// Whether the opening was answered in another way than recorded.
    pub(super) fn opened_against(&self, planned: &PlannedConversation) -> bool {
        match planned.opening {
            Opening::Accepted => self.refused.is_some(),
            Opening::Refused => self.server_id.is_some(),
            Opening::NotCaptured => false,
        }
    }

    pub(super) fn hindrance(
        &self,
        planned: &PlannedConversation,
        options: &PlayOptions,
        now: Instant,
    ) -> Hindrance {
        if self.server_closed || self.opened_against(planned) {
            return Hindrance::Finished;
        }
        let Some(step) = planned.steps.get(self.next_step) else {
            return self.hindrance_at_end(planned, options);
        };
        let due = self.base + step.offset;
        if due > now {
            return Hindrance::Time(due);
        }
        if options.needs_server_id(step)
            && self.server_id.is_none()
            && planned.opening != Opening::NotCaptured
        {
            return self.wait_for_opening(planned, options);
        }
        if self.progress(options) < step.gate && !self.patience_is_over {
            return self.wait_for_bytes(due, planned, options);
        }
        Hindrance::None
    }

    fn hindrance_at_end(&self, planned: &PlannedConversation, options: &PlayOptions) -> Hindrance {
        if self.server_id.is_none() && planned.opening != Opening::NotCaptured {
            return self.wait_for_opening(planned, options);
        }
        let owes_bytes = self.progress(options) < planned.answers.required;
        let owes_close = planned.answers.server_closes && !self.closed_by_us;
        if (owes_bytes || owes_close) && !(self.closed_by_us && self.patience_is_over) {
            return self.wait_for_bytes(self.changed, planned, options);
        }
        Hindrance::Finished
    }

    fn wait_for_opening(&self, planned: &PlannedConversation, options: &PlayOptions) -> Hindrance {
        // A peer that was slow when it was recorded may be as slow again.
        let recorded = planned.recorded_handshake.unwrap_or_default();
        Hindrance::Peer {
            until: self.started + options.timeouts.handshake + recorded,
        }
    }

    fn wait_for_bytes(
        &self,
        since: Instant,
        planned: &PlannedConversation,
        options: &PlayOptions,
    ) -> Hindrance {
        let since = since.max(self.last_received).max(self.changed);
        Hindrance::Peer {
            until: since + options.timeouts.reply + planned.slowest_answer,
        }
    }

    fn progress(&self, options: &PlayOptions) -> usize {
        let bytes = self.answers.stream.got_bytes();
        progress(options.compare, bytes, self.answers.messages)
    }

    /// The outcome of a conversation that could not begin.
    pub(super) fn skipped(&self, planned: &PlannedConversation, note: Note) -> PlayOutcome {
        PlayOutcome {
            result: ReplayResult::Skipped,
            note: Some(note),
            ..self.outcome(planned)
        }
    }
}
