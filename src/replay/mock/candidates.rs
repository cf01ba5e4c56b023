//! Recorded conversations whose clients sent the same bytes, as more and more come.

use std::ops::Range;

use hashbrown::HashSet;

use super::script::Script;

/// Recorded conversations in the order of their clients' bytes, so that those that begin with the
/// same bytes stand side by side.
#[derive(Debug)]
pub(super) struct Streams {
    sorted: Vec<usize>,
    /// The fewest bytes that a client sent before its server first spoke.
    shortest_burst: usize,
    burst_lengths: HashSet<usize>,
}

impl Streams {
    pub(super) fn new(scripts: &[Script]) -> Self {
        let mut sorted: Vec<usize> = (0..scripts.len()).collect();
        sorted.sort_by(|&one, &other| {
            scripts[one]
                .client_stream
                .cmp(&scripts[other].client_stream)
        });
        Self {
            shortest_burst: shortest_burst(&sorted, scripts),
            burst_lengths: scripts
                .iter()
                .map(|script| script.first_burst().len())
                .collect(),
            sorted,
        }
    }

    pub(super) fn length(&self, bytes: usize) -> Length {
        if self.burst_lengths.contains(&bytes) {
            Length::AsRecorded
        } else {
            Length::Other
        }
    }

    pub(super) const fn candidates(&self) -> Candidates {
        Candidates {
            places: 0..self.sorted.len(),
            agreed_bytes: 0,
            shortest_burst: self.shortest_burst,
        }
    }
}

/// Whether a request is as long as a recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    AsRecorded,
    Other,
}

/// Those whose clients sent the bytes so far, and more. The bytes are compared once, however small
/// the pieces in which they come.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    places: Range<usize>,
    /// Bytes in which they agree with the live client's.
    agreed_bytes: usize,
    shortest_burst: usize,
}

impl Candidates {
    /// Leaves out those that do not go on as `received` does.
    pub(super) fn narrow(&mut self, streams: &Streams, scripts: &[Script], received: &[u8]) {
        let new = &received[self.agreed_bytes..];
        let places = &streams.sorted[self.places.clone()];
        let next = |index: &usize| {
            let rest = &scripts[*index].client_stream[self.agreed_bytes..];
            &rest[..rest.len().min(new.len())]
        };
        let start = places.partition_point(|index| next(index) < new);
        let end = start + places[start..].partition_point(|index| next(index) == new);
        if places.len() != end - start {
            self.shortest_burst = shortest_burst(&places[start..end], scripts);
            self.places = self.places.start + start..self.places.start + end;
        }
        self.agreed_bytes = received.len();
    }

    /// Those of which all has come that the client sent before the server first spoke, of
    /// `bytes` that came.
    pub(super) fn whose_burst_has_come<'a>(
        &self,
        streams: &'a Streams,
        scripts: &'a [Script],
        bytes: usize,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let places = match self.shortest_burst {
            shortest if shortest > bytes => 0..0,
            _ => self.places.clone(),
        };
        let places = streams.sorted[places].iter().copied();
        places.filter(move |&index| scripts[index].first_burst().len() <= bytes)
    }

    /// The others.
    pub(super) fn whose_burst_is_longer<'a>(
        &self,
        streams: &'a Streams,
        scripts: &'a [Script],
        bytes: usize,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let places = streams.sorted[self.places.clone()].iter().copied();
        places.filter(move |&index| scripts[index].first_burst().len() > bytes)
    }
}

fn shortest_burst(indexes: &[usize], scripts: &[Script]) -> usize {
    let bursts = indexes.iter().map(|&index| scripts[index].first_burst());
    bursts.map(<[u8]>::len).min().unwrap_or(usize::MAX)
}
