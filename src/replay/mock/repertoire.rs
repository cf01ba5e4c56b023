//! The recorded conversations, and which of them an incoming one is.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Matched;
use super::candidates::{Candidates, Length, Streams};
use super::nearest::{self, Live, Requests};
use super::script::Script;
use crate::replay::compare::Masks;
use crate::replay::options::Loops;
use crate::wire::Direction;

/// All that can be played.
#[derive(Debug)]
pub(super) struct Repertoire {
    scripts: Vec<Script>,
    /// Number of times that each may be played.
    loops: Loops,
    /// Those that may be played once more: the times played, and the index.
    left: BTreeSet<(u64, usize)>,
    /// The bytes of their clients.
    streams: Streams,
    /// What their clients sent before the server first spoke.
    requests: Requests,
}

/// The result of looking for a recorded conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Made(usize, Matched),
    /// More has to come first.
    Open,
    /// There is none for this request.
    TurnedAway,
}

/// The known part of an incoming conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// The recorded one that is kept for it.
    pub(super) held: usize,
    pub(super) received: &'a [u8],
    /// Those whose clients sent the same.
    pub(super) candidates: &'a Candidates,
    /// Whether nothing more comes.
    pub(super) is_closed: bool,
    /// Whether to search for streams that are not the same byte for byte, which takes long.
    pub(super) search: Search,
}

/// The extent of a search for a recorded conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Among those whose clients sent the same bytes.
    Same,
    /// Among those that are the same under masks, or similar, too.
    Similar,
}

impl Repertoire {
    pub(super) fn new(scripts: Vec<Script>, loops: Loops) -> Self {
        let mut repertoire = Self {
            streams: Streams::new(&scripts),
            requests: Requests::new(scripts.iter().map(Script::first_burst)),
            scripts,
            loops,
            left: BTreeSet::new(),
        };
        for index in 0..repertoire.scripts.len() {
            repertoire.note_left(index);
        }
        repertoire
    }

    /// Whether a recorded client sent so many bytes before the server first spoke.
    pub(super) fn length(&self, bytes: usize) -> Length {
        self.streams.length(bytes)
    }

    /// Leaves out candidates whose clients did not send the received bytes.
    pub(super) fn narrow(&self, candidates: &mut Candidates, received: &[u8]) {
        candidates.narrow(&self.streams, &self.scripts, received);
    }

    /// The candidates for a client that has not sent anything.
    pub(super) const fn candidates(&self) -> Candidates {
        self.streams.candidates()
    }

    pub(super) fn get(&self, index: usize) -> &Script {
        &self.scripts[index]
    }

    /// Whether one of them may be played once more, also one of which it is in doubt that it was played to anybody.
    pub(super) fn is_left(&self, index: usize) -> bool {
        let script = &self.scripts[index];
        !self.loops.are_over(script.played - script.doubtful)
    }

    /// Whether all were played as often as they may be.
    pub(super) fn is_used_up(&self) -> bool {
        self.left.is_empty()
    }

    /// The first that may still be played. Each is played once before any is played again.
    pub(super) fn first_left(&self) -> Option<usize> {
        self.left.first().map(|(_, index)| *index)
    }

    fn count(&mut self, index: usize, count: impl FnOnce(u64) -> u64) {
        let script = &mut self.scripts[index];
        self.left.remove(&(script.played, index));
        script.played = count(script.played);
        self.note_left(index);
    }

    fn note_left(&mut self, index: usize) {
        if self.is_left(index) {
            self.left.insert((self.scripts[index].played, index));
        }
    }

    /// One of them is played, or kept for somebody.
    pub(super) fn use_up(&mut self, index: usize) {
        self.count(index, |played| played + 1);
    }

    /// A conversation kept for a client is not needed.
    pub(super) fn give_back(&mut self, index: usize) {
        self.count(index, |played| played - 1);
    }

    /// One was played to an address that may be forged. Others may have it, after all that
    /// were played less often.
    pub(super) fn doubt(&mut self, index: usize) {
        self.scripts[index].doubtful += 1;
        self.count(index, |played| played);
    }

    /// There is no doubt about it any more, whichever it was.
    pub(super) fn settle_doubt(&mut self, index: usize) {
        self.scripts[index].doubtful -= 1;
        self.count(index, |played| played);
    }

    /// Chooses as soon as the bytes decide; among those that are left, and those held for another
    /// client that can do with another.
    pub(super) fn choose(
        &self,
        request: Request<'_>,
        is_held: impl Fn(usize) -> bool,
        masks: &mut Masks,
    ) -> Choice {
        let Request {
            held,
            received,
            candidates,
            is_closed,
            search,
        } = request;
        // An empty message proves an address (docs/endpoint.md, "Datagrams"), and asks for
        // nothing yet, although a recorded client that said nothing is like it so far.
        if received.is_empty() && !is_closed {
            return Choice::Open;
        }
        let scripts = &self.scripts;
        let is_available = |index: usize| {
            scripts[index].accepted && (index == held || self.is_left(index) || is_held(index))
        };
        let preference = |index: usize| (index != held, scripts[index].played, index);
        let same = candidates.whose_burst_has_come(&self.streams, scripts, received.len());
        let same = same.filter(|&index| is_available(index));
        let exact = same.min_by_key(|&index| preference(index));
        let exact = match (search, exact) {
            (Search::Similar, exact) if masks.concern(Direction::ClientToServer) => {
                let masked = (0..scripts.len())
                    .filter(|&index| is_available(index))
                    .filter(|&index| scripts[index].is_same_under(masks, received));
                masked.chain(exact).min_by_key(|&index| preference(index))
            }
            (_, exact) => exact,
        };
        if let Some(index) = exact {
            return Choice::Made(index, Matched::Exactly);
        }
        // More may come that distinguishes them.
        let is_undecided = !is_closed
            && candidates
                .whose_burst_is_longer(&self.streams, scripts, received.len())
                .any(is_available);
        if is_undecided || search == Search::Same {
            return Choice::Open;
        }
        // Which is the nearest does not matter before all of the request has come.
        if !is_closed && nearest::may_be_http(received) {
            return Choice::Open;
        }
        let live = Live::parse(received);
        let like = self.requests.like(&live).iter().copied();
        let mut near = like
            .filter(|&index| is_available(index))
            .filter_map(|index| {
                let nearness = live.nearness(scripts[index].first_burst())?;
                Some((nearness, Reverse(preference(index)), index))
            });
        if !is_closed && live.lacks_body() {
            return match near.next() {
                Some(_) => Choice::Open,
                None => Choice::TurnedAway,
            };
        }
        match near.max() {
            Some((.., index))
                if is_closed || nearest::is_whole(scripts[index].first_burst(), received) =>
            {
                Choice::Made(index, Matched::Nearest)
            }
            Some(_) => Choice::Open,
            None if is_closed => Choice::Open,
            None => Choice::TurnedAway,
        }
    }
}
