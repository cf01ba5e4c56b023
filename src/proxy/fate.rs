//! The effect of a rule on a message.

use std::sync::Arc;
use std::time::Duration;

use super::carried::{Carried, Content};
use super::gate::Matched;
use super::holds::Until;
use super::rule::{Action, Change, Ends, KnownIds, Rules};
use crate::wire::{Direction, FrameType};

/// The fate of a message after the rules.
#[derive(Debug, Default)]
pub(super) struct Fate {
    pub(super) dropped: bool,
    pub(super) twice: bool,
    pub(super) delay: Option<Duration>,
    pub(super) until: Option<Until>,
    pub(super) injected: Vec<(Direction, Vec<u8>)>,
}

impl Fate {
    /// The effect of a rule on a message; its bytes are changed at once.
    pub(super) fn of(
        rule: &Matched,
        carried: &mut Carried,
        ids: KnownIds,
        rules: &mut Rules,
    ) -> Self {
        let mut fate = Self::default();
        let tally = rules.tally_mut(rule.number);
        let mut left_out = 0;
        for action in &rule.actions {
            match action {
                Action::Pass => {}
                Action::Drop => {
                    fate.dropped = true;
                    tally.dropped += 1;
                }
                Action::Duplicate => {
                    fate.twice = true;
                    tally.duplicated += 1;
                }
                Action::Delay(time) => {
                    fate.delay = Some(*time);
                    tally.delayed += 1;
                    tally.delay += *time;
                }
                Action::HoldUntil(filter) => {
                    fate.until = Some(Until::Matches(Arc::clone(filter)));
                    tally.held += 1;
                }
                Action::SwapWithNext => {
                    // The direction is filled in where it is known.
                    fate.until = Some(Until::Next(Direction::ClientToServer));
                    tally.held += 1;
                }
                Action::Inject(direction, made) => match made.bytes(ids) {
                    Some(bytes) => fate.injected.push((*direction, bytes)),
                    None => left_out += 1,
                },
                Action::Close(ends) => {
                    let (closes, missing) = closes(*ends, ids);
                    fate.injected.extend(closes);
                    left_out += missing;
                }
                Action::SetId(_)
                | Action::SetType(_)
                | Action::Replace(..)
                | Action::Truncate(_)
                | Action::Append(_) => {
                    if let Content::Message { bytes, .. } = &carried.content {
                        let mut changed = bytes.to_vec();
                        match action.change(&mut changed, ids) {
                            Change::Changed => {
                                tally.changed += 1;
                                carried.set_bytes(changed);
                            }
                            Change::Unchanged => left_out += 1,
                        }
                    }
                }
            }
        }
        tally.injected += fate.injected.len() as u64;
        tally.left_out += left_out;
        carried.comment = Some(rules.comment(rule.number));
        fate
    }
}

/// The messages that close a conversation, and the number of those that cannot be made.
pub(super) fn closes(ends: Ends, ids: KnownIds) -> (Vec<(Direction, Vec<u8>)>, u64) {
    let to_client = (
        Direction::ServerToClient,
        FrameType::SERVER_CLOSE,
        ids.client,
    );
    let to_server = (
        Direction::ClientToServer,
        FrameType::CLIENT_CLOSE,
        ids.server,
    );
    let wanted = match ends {
        Ends::Client => vec![to_client],
        Ends::Server => vec![to_server],
        Ends::Both => vec![to_client, to_server],
    };
    let count = wanted.len();
    let closes: Vec<_> = wanted
        .into_iter()
        .filter_map(|(direction, frame_type, id)| {
            let mut bytes = vec![frame_type.0];
            bytes.extend(id?.0);
            Some((direction, bytes))
        })
        .collect();
    let missing = (count - closes.len()) as u64;
    (closes, missing)
}
