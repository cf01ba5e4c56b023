//! Which recorded id became which live one.

use hashbrown::HashMap;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::outcome::Outcome;
use crate::conversation::ConversationId;
use crate::wire::{ClientId, ServerId, StreamId};

/// The live client ids, each with the slot of its conversation.
///
/// Routing needs only these: the id in every message from a server is the
/// client's, so a server may hand out equal ids as it likes.
#[derive(Debug, Default)]
pub(super) struct LiveIds {
    slots: HashMap<StreamId, usize>,
}

impl LiveIds {
    /// Draws an id that is not reserved and not live.
    pub(super) fn draw(&mut self, rng: &mut ChaCha12Rng, slot: usize) -> ClientId {
        loop {
            let id = ClientId(StreamId::from_u32(rng.random_range(1..=0x00ff_ffff)));
            if self.claim(id, slot) {
                return id;
            }
        }
    }

    /// Takes a given id; false if it is live.
    pub(super) fn claim(&mut self, id: ClientId, slot: usize) -> bool {
        match self.slots.entry(id.0) {
            hashbrown::hash_map::Entry::Occupied(_) => false,
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(slot);
                true
            }
        }
    }

    /// The conversation of a live id.
    pub(super) fn slot(&self, id: StreamId) -> Option<usize> {
        self.slots.get(&id).copied()
    }

    /// The id may be drawn again.
    pub(super) fn release(&mut self, id: ClientId) {
        self.slots.remove(&id.0);
    }
}

/// The ids of one played conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMapping {
    /// Which recorded conversation.
    pub conversation: ConversationId,
    /// Which pass of its copy, from 1.
    pub pass: u64,
    /// Which copy, from 1.
    pub copy: u32,
    /// Recorded and live client id.
    pub client: (Option<ClientId>, Option<ClientId>),
    /// Recorded and live server id.
    pub server: (Option<ServerId>, Option<ServerId>),
}

impl From<&Outcome> for IdMapping {
    fn from(outcome: &Outcome) -> Self {
        Self {
            conversation: outcome.conversation,
            pass: outcome.pass,
            copy: outcome.copy,
            client: (outcome.recorded_ids.0, outcome.live_ids.0),
            server: (outcome.recorded_ids.1, outcome.live_ids.1),
        }
    }
}

/// Writes mappings as NDJSON, one conversation a line (`--id-map`).
#[derive(Clone, Copy, Debug, Default)]
pub struct IdMap;

impl IdMap {
    /// One line with its end.
    pub fn line(mapping: &IdMapping) -> String {
        let text = |id: Option<StreamId>| id.map(|id| id.to_string());
        let mut line = serde_json::json!({
            "conv": mapping.conversation.to_string(),
            "pass": mapping.pass,
            "copy": mapping.copy,
            "recorded": {
                "client_id": text(mapping.client.0.map(StreamId::from)),
                "server_id": text(mapping.server.0.map(StreamId::from)),
            },
            "live": {
                "client_id": text(mapping.client.1.map(StreamId::from)),
                "server_id": text(mapping.server.1.map(StreamId::from)),
            },
        })
        .to_string();
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn live_ids_never_collide_and_are_never_zero() {
        let mut ids = LiveIds::default();
        let mut rng = ChaCha12Rng::from_seed([7; 32]);
        let mut seen = std::collections::HashSet::new();
        for slot in 0..100_000 {
            let id = ids.draw(&mut rng, slot);
            assert!(!id.0.is_zero());
            assert!(seen.insert(id), "{id} came twice");
            assert_eq!(ids.slot(id.0), Some(slot));
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_ids() {
        let draw = || {
            let mut rng = ChaCha12Rng::from_seed([3; 32]);
            let mut ids = LiveIds::default();
            [0, 1, 2].map(|slot| ids.draw(&mut rng, slot))
        };
        assert_eq!(draw(), draw());
    }

    #[test]
    fn a_mapping_is_one_line_of_json() {
        let mapping = IdMapping {
            conversation: ConversationId(3),
            pass: 1,
            copy: 2,
            client: (
                Some(ClientId(StreamId([1, 2, 3]))),
                Some(ClientId(StreamId([4, 5, 6]))),
            ),
            server: (Some(ServerId(StreamId([7, 8, 9]))), None),
        };
        let value: serde_json::Value = serde_json::from_str(&IdMap::line(&mapping)).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "conv": "c3", "pass": 1, "copy": 2,
                "recorded": {"client_id": "010203", "server_id": "070809"},
                "live": {"client_id": "040506", "server_id": null},
            })
        );
    }
}
