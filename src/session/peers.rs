//! The destinations of peers by their hash.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::wire::{Destination, DestinationHash};

/// Destinations, at most so many; the one unused for the longest time goes first.
#[derive(Debug)]
pub(super) struct Peers {
    capacity: usize,
    known: HashMap<DestinationHash, Known>,
    /// When each was used, by a number that only grows.
    by_use: BTreeMap<u64, DestinationHash>,
    uses: u64,
}

#[derive(Debug)]
struct Known {
    destination: Box<[u8]>,
    used: u64,
}

impl Peers {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            known: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    /// Remembers a destination and returns its hash.
    pub(super) fn learn(&mut self, destination: Destination<'_>) -> DestinationHash {
        let hash = destination.hash();
        if self.touch(hash).is_none() {
            if self.known.len() == self.capacity
                && let Some((_, oldest)) = self.by_use.pop_first()
            {
                self.known.remove(&oldest);
            }
            let known = Known {
                destination: destination.as_bytes().into(),
                used: self.uses,
            };
            self.known.insert(hash, known);
            self.by_use.insert(self.uses, hash);
            self.uses += 1;
        }
        hash
    }

    /// The destination of a hash, which counts as its use.
    pub(super) fn get(&mut self, hash: DestinationHash) -> Option<Destination<'_>> {
        self.touch(hash)?;
        let known = self.known.get(&hash)?;
        Some(Destination::split(&known.destination).ok()?.0)
    }

    fn touch(&mut self, hash: DestinationHash) -> Option<()> {
        let known = self.known.get_mut(&hash)?;
        self.by_use.remove(&known.used);
        known.used = self.uses;
        self.by_use.insert(self.uses, hash);
        self.uses += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(fill: u8) -> Vec<u8> {
        let mut bytes = vec![fill; 387];
        bytes[384..].fill(0);
        bytes
    }

    fn learn(peers: &mut Peers, fill: u8) -> DestinationHash {
        let bytes = destination(fill);
        peers.learn(Destination::split(&bytes).unwrap().0)
    }

    #[test]
    fn beyond_the_bound_the_longest_unused_is_forgotten() {
        let mut peers = Peers::new(3);
        let hashes: Vec<_> = (1..=3).map(|fill| learn(&mut peers, fill)).collect();
        assert!(peers.get(hashes[0]).is_some(), "used again");
        let fourth = learn(&mut peers, 4);
        assert!(peers.get(hashes[1]).is_none());
        for (hash, fill) in [(hashes[0], 1), (hashes[2], 3), (fourth, 4)] {
            assert_eq!(peers.get(hash).unwrap().as_bytes(), destination(fill));
        }
        assert_eq!(peers.by_use.len(), 3);
    }

    #[test]
    fn learning_again_counts_as_use_and_takes_no_room() {
        let mut peers = Peers::new(2);
        let first = learn(&mut peers, 1);
        let second = learn(&mut peers, 2);
        assert_eq!(learn(&mut peers, 1), first);
        learn(&mut peers, 3);
        assert!(peers.get(first).is_some());
        assert!(peers.get(second).is_none());
    }
}
