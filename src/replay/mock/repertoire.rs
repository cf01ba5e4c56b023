//! The recorded conversations, and which of them an incoming one is.

use std::cmp::Reverse;

use super::Matched;
use super::nearest;
use super::script::Script;
use crate::replay::compare::Masks;
use crate::replay::options::Loops;

/// All that can be played.
#[derive(Debug)]
pub(super) struct Repertoire {
    scripts: Vec<Script>,
    /// How often each may be played.
    loops: Loops,
}

/// What came of looking for a recorded conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Made(usize, Matched),
    /// More has to come first.
    Open,
    /// There is none for this request.
    TurnedAway,
}

/// What is known of an incoming conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// The recorded one that is kept for it.
    pub(super) held: usize,
    pub(super) received: &'a [u8],
    /// Whether nothing more comes.
    pub(super) is_closed: bool,
}

impl Repertoire {
    pub(super) const fn new(scripts: Vec<Script>, loops: Loops) -> Self {
        Self { scripts, loops }
    }

    pub(super) fn get(&self, index: usize) -> &Script {
        &self.scripts[index]
    }

    /// Whether one of them may be played once more.
    pub(super) fn is_left(&self, index: usize) -> bool {
        !self.loops.are_over(self.scripts[index].played)
    }

    /// Whether all were played as often as they may be.
    pub(super) fn is_used_up(&self) -> bool {
        !(0..self.scripts.len()).any(|index| self.is_left(index))
    }

    /// The first that may still be played. Each is played once before any is played again.
    pub(super) fn first_left(&self) -> Option<usize> {
        (0..self.scripts.len())
            .filter(|&index| self.is_left(index))
            .min_by_key(|&index| self.scripts[index].played)
    }

    /// One of them is played, or kept for somebody.
    pub(super) fn use_up(&mut self, index: usize) {
        self.scripts[index].played += 1;
    }

    /// What was kept for somebody is not needed.
    pub(super) fn give_back(&mut self, index: usize) {
        self.scripts[index].played -= 1;
    }

    /// Chooses as soon as the bytes decide; among those that are left, and those held for
    /// somebody else, who can do with another.
    pub(super) fn choose(
        &self,
        request: Request<'_>,
        is_held: impl Fn(usize) -> bool,
        masks: &mut Masks,
    ) -> Choice {
        let Request {
            held,
            received,
            is_closed,
        } = request;
        // An empty message proves an address (docs/endpoint.md, "Datagrams"), and asks for
        // nothing yet, although a recorded client that said nothing is like it so far.
        if received.is_empty() && !is_closed {
            return Choice::Open;
        }
        let scripts = &self.scripts;
        let available: Vec<usize> = (0..scripts.len())
            .filter(|&index| scripts[index].accepted)
            .filter(|&index| index == held || self.is_left(index) || is_held(index))
            .collect();
        let exact = available
            .iter()
            .copied()
            .filter(|&index| scripts[index].begins_with(received, masks))
            .min_by_key(|&index| (index != held, scripts[index].played, index));
        if let Some(index) = exact {
            return Choice::Made(index, Matched::Exactly);
        }
        // More may come that distinguishes them.
        let is_undecided = !is_closed
            && available.iter().any(|&index| {
                let burst = scripts[index].first_burst();
                burst.len() > received.len() && burst.starts_with(received)
            });
        if is_undecided {
            return Choice::Open;
        }
        let near = available.into_iter().filter_map(|index| {
            let nearness = nearest::nearness(scripts[index].first_burst(), received)?;
            let later = Reverse((index != held, scripts[index].played, index));
            Some((nearness, later, index))
        });
        match near.max() {
            Some((.., index))
                if is_closed || nearest::is_whole(scripts[index].first_burst(), received) =>
            {
                Choice::Made(index, Matched::Nearest)
            }
            Some(_) => Choice::Open,
            None if is_closed || nearest::may_be_http(received) => Choice::Open,
            None => Choice::TurnedAway,
        }
    }
}
