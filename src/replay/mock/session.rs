//! One incoming conversation.

use std::time::{Duration, Instant};

use super::candidates::{Candidates, Length};
use super::script::Script;
use super::{Matched, MockOutcome, nearest};
use crate::endpoint::allowance::Allowance;
use crate::replay::compare::{Masked, Masks, StreamFollower};
use crate::replay::outcome::ReplayResult;
use crate::replay::suggest::masks_for;
use crate::wire::{ClientId, Direction, ServerId};

/// A conversation with a live client.
#[derive(Debug)]
pub(super) struct Session<P> {
    pub(super) peer: P,
    pub(super) client_id: ClientId,
    pub(super) server_id: ServerId,
    /// The recorded conversation that is played, once that is known.
    pub(super) script: Option<(usize, Matched)>,
    /// The one that it gets if its bytes identify no other; kept from others meanwhile.
    pub(super) held: Option<usize>,
    pub(super) next_step: usize,
    pub(super) received: Vec<u8>,
    /// The recorded conversations whose clients sent the same so far.
    pub(super) candidates: Candidates,
    /// State at the last examination of the whole: the next message then, and the number of bytes.
    examined: Option<(usize, usize)>,
    /// Number of bytes received, those that were not kept included.
    got_bytes: usize,
    /// More came than this, in bytes, and it ends.
    pub(super) over_bound: Option<usize>,
    /// Number of bytes of the recorded client's stream that those stand for.
    pub(super) progress: usize,
    /// Start of a request that is not the recorded one: in the recorded client's stream, and in the
    /// received bytes.
    pub(super) aligned: (usize, usize),
    /// Whether nothing recorded is like it, and it is left without an answer.
    pub(super) is_turned_away: bool,
    /// Bytes that may go to the client's address.
    pub(super) allowance: Allowance,
    pub(super) closed_by_client: bool,
    /// The number of our close, among those of all sessions.
    pub(super) close: Option<u64>,
    /// When we last sent something.
    pub(super) changed: Instant,
    /// When the client last did.
    pub(super) last_received: Instant,
    /// When it was read again after its client had taken nothing.
    pub(super) read_again: Instant,
    pub(super) wake: Option<Instant>,
}

/// Requests up to this length are looked at as a whole with each message.
const SHORT_REQUEST_BYTES: usize = 512;

/// After that silence the longer ones are, too.
const QUIET: Duration = Duration::from_millis(10);

/// Whether the received bytes are examined as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Examines {
    Now,
    Later,
}

/// The condition that a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: the next message may go.
    Send,
    /// A time: to send, or to lose patience.
    Until(Instant),
    /// Nothing: the received bytes are to be examined as a whole.
    Examine,
    /// The client, however long that takes.
    ForClient,
    /// Nothing: it is over.
    Over,
    /// Nothing: the client was silent for too long.
    OutOfPatience,
}

impl<P> Session<P> {
    pub(super) fn new(
        peer: P,
        client_id: ClientId,
        server_id: ServerId,
        candidates: Candidates,
        now: Instant,
    ) -> Self {
        Self {
            peer,
            client_id,
            server_id,
            script: None,
            held: None,
            next_step: 0,
            received: Vec::new(),
            candidates,
            examined: None,
            got_bytes: 0,
            over_bound: None,
            progress: 0,
            aligned: (0, 0),
            is_turned_away: false,
            allowance: Allowance::UNLIMITED,
            closed_by_client: false,
            close: None,
            changed: now,
            last_received: now,
            read_again: now,
            wake: None,
        }
    }

    /// Takes bytes of the client; returns the number that are kept.
    pub(super) fn keep(&mut self, bytes: &[u8], bound: usize) -> usize {
        self.got_bytes += bytes.len();
        if self.is_turned_away {
            return 0;
        }
        if self.received.len() + bytes.len() > bound {
            self.over_bound = Some(bound);
            return 0;
        }
        self.received.extend_from_slice(bytes);
        bytes.len()
    }

    pub(super) fn wait(&self, script: Option<&Script>, patience: Duration, now: Instant) -> Wait {
        if self.closed_by_client || self.over_bound.is_some() {
            return Wait::Over;
        }
        if self.awaits_late_proof() {
            return until_out_of_patience(self.changed + patience, now);
        }
        if self.is_closed_by_us() {
            return Wait::Over;
        }
        if self.is_turned_away {
            return Wait::ForClient;
        }
        let since = self.changed.max(self.last_received);
        let patient_until = since.max(self.read_again) + patience;
        let Some(script) = script else {
            // A client that has said something owes the rest.
            return match (self.received.is_empty(), self.is_examined()) {
                // One that is there owes a sign of it.
                (true, _) if self.allowance.is_limited() => {
                    until_out_of_patience(patient_until, now)
                }
                (true, _) => Wait::ForClient,
                (false, true) => until_out_of_patience(patient_until, now),
                (false, false) => self.examination(now),
            };
        };
        match script.steps.get(self.next_step) {
            Some(step) if self.progress < step.gate && !self.is_examined() => self.examination(now),
            Some(step) if self.progress < step.gate => until_out_of_patience(patient_until, now),
            Some(step) if since + step.delay > now => Wait::Until(since + step.delay),
            // Until the client has proven its address by answering.
            Some(step) if !step.is_bare_close() && !self.allowance.admits(step.message_bytes()) => {
                until_out_of_patience(patient_until, now)
            }
            Some(_) => Wait::Send,
            // The recorded client had the last word; it may take its time.
            None => until_out_of_patience(patient_until, now),
        }
    }

    pub(super) const fn is_closed_by_us(&self) -> bool {
        self.close.is_some()
    }

    /// Whether all is played, to an address that may be forged. Only whoever is there uses it up,
    /// which it may still show: its answers are on their way when we close.
    pub(super) const fn awaits_late_proof(&self) -> bool {
        self.is_closed_by_us() && self.allowance.is_limited()
    }

    /// Whether it counts among the unproven conversations of its origin.
    pub(super) const fn counts_as_unproven(&self) -> bool {
        !self.is_closed_by_us() && self.allowance.is_limited()
    }

    /// Plays a recorded conversation from now on.
    pub(super) fn begin(&mut self, script: usize, matched: Matched) {
        self.script = Some((script, matched));
        // As the beginning of this one it was not looked at.
        self.examined = None;
    }

    /// Whether to look at all that came, now. Byte by byte this would take the square of its
    /// length, and so long requests are looked at when they are as
    /// long as a recorded one, have grown by an eighth, or nothing more came for a moment.
    pub(super) fn examine(&mut self, now: Instant, length: Length) -> Examines {
        let bytes = self.received.len();
        let grown = match self.examined {
            Some((step, examined)) if step == self.next_step => bytes - examined.min(bytes),
            _ => usize::MAX,
        };
        let request_bytes = bytes - self.aligned.1;
        let is_due = request_bytes <= SHORT_REQUEST_BYTES
            || length == Length::AsRecorded
            || grown > request_bytes / 9
            || self.closed_by_client
            || now >= self.last_received + QUIET;
        if !is_due {
            return Examines::Later;
        }
        self.examined = Some((self.next_step, bytes));
        Examines::Now
    }

    fn is_examined(&self) -> bool {
        self.examined == Some((self.next_step, self.received.len()))
    }

    fn examination(&self, now: Instant) -> Wait {
        match self.last_received + QUIET {
            at if at > now => Wait::Until(at),
            _ => Wait::Examine,
        }
    }

    /// Finds out whether the client has sent all that the next message waits
    /// for. Where masks cover bytes, those may be more or fewer than recorded.
    pub(super) fn follow(&mut self, script: &Script, masks: &mut Masks, now: Instant) {
        let (recorded, live) = self.aligned;
        let gate = script.steps.get(self.next_step).map_or(0, |step| step.gate);
        let length = if self.received.len() - live == gate.saturating_sub(recorded) {
            Length::AsRecorded
        } else {
            Length::Other
        };
        let examines = self.examine(now, length);
        if matches!(self.script, Some((_, Matched::Nearest))) {
            return self.follow_requests(script, examines);
        }
        self.progress = self.progress.max(self.received.len());
        let direction = Direction::ClientToServer;
        if let Some(step) = script.steps.get(self.next_step)
            && examines == Examines::Now
            && masks.concern(direction)
            && self.progress < step.gate
            && masks.are_equal(
                direction,
                &script.client_stream[..step.gate],
                &self.received,
            )
        {
            self.progress = step.gate;
        }
    }

    /// The same where the client asks for something similar, with other lengths: each
    /// request stands for the recorded one in its place as soon as it is whole.
    fn follow_requests(&mut self, script: &Script, examines: Examines) {
        let (recorded, live) = self.aligned;
        if let Some(step) = script.steps.get(self.next_step)
            && examines == Examines::Now
            && step.gate > recorded
            && self.received.len() > live
            && nearest::is_whole(
                &script.client_stream[recorded..step.gate],
                &self.received[live..],
            )
        {
            self.aligned = (step.gate, self.received.len());
        }
        self.progress = self.aligned.0;
    }

    /// The client's behaviour, against the recording.
    pub(super) fn judged(
        &self,
        script: Option<&Script>,
        masks: &mut Masks,
        max_differences: usize,
    ) -> MockOutcome {
        let mut outcome = MockOutcome {
            conversation: script.map(|script| script.id),
            client_id: self.client_id,
            server_id: Some(self.server_id),
            matched: self.script.map_or(Matched::Not, |(_, matched)| matched),
            result: ReplayResult::NoReply,
            c2s_want_bytes: 0,
            c2s_got_bytes: self.got_bytes,
            differences: Vec::new(),
            suggested_masks: Vec::new(),
            over_bound: self.over_bound,
        };
        let Some(script) = script else {
            return outcome;
        };
        let want = &script.client_stream;
        outcome.c2s_want_bytes = want.len();
        let direction = Direction::ClientToServer;
        let masked = if masks.concern(direction) {
            Masked::Yes
        } else {
            Masked::No
        };
        let mut follower = StreamFollower::default();
        follower.push(want, &self.received, masked);
        let found = follower.differences(direction, want, want.len(), masks, max_differences);
        let is_other = found
            .iter()
            .any(|difference| !difference.got.bytes.is_empty() || !difference.got.after.is_empty());
        let is_short = !found.is_empty()
            || (masked == Masked::No && self.received.len() < want.len())
            || self.next_step < script.steps.len();
        outcome.result = match (is_other, is_short, self.closed_by_client) {
            (true, ..) => ReplayResult::Differs,
            (false, true, true) => ReplayResult::ClosedEarly,
            (false, true, false) => ReplayResult::NoReply,
            (false, false, _) => ReplayResult::Same,
        };
        if is_other {
            outcome.differences = found;
            outcome.suggested_masks = masks_for(direction, want, &self.received);
        }
        outcome
    }
}

fn until_out_of_patience(at: Instant, now: Instant) -> Wait {
    if now >= at {
        Wait::OutOfPatience
    } else {
        Wait::Until(at)
    }
}
