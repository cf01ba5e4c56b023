//! The verdict on a conversation.

use super::live::Live;
use crate::replay::compare::{Compare, Difference, Masks};
use crate::replay::options::PlayOptions;
use crate::replay::outcome::{Note, PlayOutcome, ReplayResult};
use crate::replay::plan::{Opening, PlannedConversation};
use crate::replay::suggest::masks_for;
use crate::wire::Direction;

impl Live {
    /// Its result. Bytes that were not seen are not the same.
    pub(super) fn judged(
        &self,
        planned: &PlannedConversation,
        options: &PlayOptions,
        masks: &mut Masks,
    ) -> PlayOutcome {
        let mut outcome = self.outcome(planned);
        match (planned.opening, self.server_id, self.refused) {
            (Opening::Accepted | Opening::Refused, None, None) => {}
            (Opening::Accepted, None, Some(_)) => {
                outcome.result = ReplayResult::RefusedUnexpectedly;
            }
            (Opening::Refused, Some(_), _) => {
                outcome.result = ReplayResult::AcceptedUnexpectedly;
            }
            (Opening::Refused, None, Some(_)) => outcome.result = ReplayResult::Same,
            (Opening::Accepted, Some(_), _) => {
                self.judge_answers(planned, options, masks, &mut outcome);
            }
            (Opening::NotCaptured, ..) => {
                self.judge_answers(planned, options, masks, &mut outcome);
                if outcome.result == ReplayResult::Same && !self.was_answered() {
                    outcome.result = ReplayResult::NoReply;
                    outcome.note = Some(Note::NothingToCompare);
                }
            }
        }
        outcome
    }

    /// Whether the peer was heard at all.
    fn was_answered(&self) -> bool {
        self.server_id.is_some() || self.server_closed || self.answers.stream.got_bytes() > 0
    }

    pub(super) fn outcome(&self, planned: &PlannedConversation) -> PlayOutcome {
        PlayOutcome {
            conversation: planned.id,
            pass: self.pass,
            copy: u32::try_from(self.copy).map_or(u32::MAX, |copy| copy.saturating_add(1)),
            recorded_ids: (planned.client_id, planned.server_id),
            live_ids: (self.client_id, self.server_id),
            result: ReplayResult::NoReply,
            note: None,
            c2s_bytes: self.sent_bytes,
            s2c_want_bytes: planned.answers.required_bytes,
            s2c_got_bytes: self.answers.stream.got_bytes(),
            handshake: self.handshake,
            recorded_handshake: planned.recorded_handshake,
            differences: Vec::new(),
            suggested_masks: Vec::new(),
            exchange: None,
        }
    }

    fn judge_answers(
        &self,
        planned: &PlannedConversation,
        options: &PlayOptions,
        masks: &mut Masks,
        outcome: &mut PlayOutcome,
    ) {
        let differences = self.differences(planned, options, masks);
        // A stream that merely ends too soon has no other bytes in it.
        let is_other = differences.iter().any(|difference| {
            !difference.got.bytes.is_empty()
                || !difference.got.after.is_empty()
                || difference.want.bytes.is_empty()
        });
        if is_other {
            outcome.result = ReplayResult::Differs;
            outcome.differences = differences;
            if matches!(options.compare, Compare::Stream | Compare::Messages) {
                let recorded = &planned.answers.stream;
                let live = self.answers.stream.live(recorded);
                let direction = Direction::ServerToClient;
                outcome.suggested_masks = masks_for(direction, recorded, &live);
            }
            return;
        }
        let missing = self.missing(planned, options, &differences, masks);
        let unsent = planned.steps[self.next_step.min(planned.steps.len())..]
            .iter()
            .filter(|step| !step.payload.is_empty())
            .count();
        (outcome.result, outcome.note) = match (missing, self.server_closed) {
            (Some(note), true) => (ReplayResult::ClosedEarly, Some(note)),
            (Some(note), false) => (ReplayResult::NoReply, Some(note)),
            (None, true) if unsent > 0 => (
                ReplayResult::ClosedEarly,
                Some(Note::Unsent { messages: unsent }),
            ),
            (None, false) if self.owes_close(planned, options) => {
                (ReplayResult::NoReply, Some(Note::NoClose))
            }
            (None, false) if unsent > 0 => (ReplayResult::NoReply, None),
            (None, _) => (ReplayResult::Same, None),
        };
    }

    fn owes_close(&self, planned: &PlannedConversation, options: &PlayOptions) -> bool {
        options.compare != Compare::None && planned.answers.server_closes
    }

    fn differences(
        &self,
        planned: &PlannedConversation,
        options: &PlayOptions,
        masks: &mut Masks,
    ) -> Vec<Difference> {
        let answers = &planned.answers;
        let limit = options.max_differences.max(1);
        match options.compare {
            Compare::None | Compare::Shape => {
                if options.compare == Compare::Shape && self.answers.messages > answers.ends.len() {
                    return vec![self.at_boundary(answers.ends.len(), planned)];
                }
                Vec::new()
            }
            Compare::Stream => self.stream_differences(planned, masks, limit),
            Compare::Messages => {
                let found = self.stream_differences(planned, masks, limit);
                match self.answers.boundary {
                    Some(index) if found.is_empty() => vec![self.at_boundary(index, planned)],
                    _ => found,
                }
            }
        }
    }

    fn stream_differences(
        &self,
        planned: &PlannedConversation,
        masks: &mut Masks,
        limit: usize,
    ) -> Vec<Difference> {
        let answers = &planned.answers;
        self.answers.stream.differences(
            Direction::ServerToClient,
            &answers.stream,
            answers.required_bytes,
            masks,
            limit,
        )
    }

    /// The place from which the messages are others, although their bytes may be the same.
    fn at_boundary(&self, index: usize, planned: &PlannedConversation) -> Difference {
        let before = index
            .checked_sub(1)
            .and_then(|index| planned.answers.ends.get(index));
        Difference {
            direction: Direction::ServerToClient,
            offset: before.copied().unwrap_or(0),
            want: Default::default(),
            got: Default::default(),
        }
    }

    /// The messages missing from the peer.
    fn missing(
        &self,
        planned: &PlannedConversation,
        options: &PlayOptions,
        differences: &[Difference],
        masks: &Masks,
    ) -> Option<Note> {
        let answers = &planned.answers;
        let got = self.answers.stream.got_bytes();
        let bytes = Note::BytesMissing {
            got,
            want: answers.required_bytes,
        };
        match options.compare {
            Compare::Stream | Compare::Messages => {
                // With masks the lengths may differ; the comparison finds where the stream ends early.
                let short = if masks.concern(Direction::ServerToClient) && got > 0 {
                    !differences.is_empty()
                } else {
                    got < answers.required_bytes
                };
                short.then_some(bytes)
            }
            Compare::Shape => (self.answers.messages < answers.required_messages).then_some(
                Note::MessagesMissing {
                    got: self.answers.messages,
                    want: answers.required_messages,
                },
            ),
            Compare::None => {
                (answers.required_messages > 0 && self.answers.messages == 0).then_some(bytes)
            }
        }
    }
}
