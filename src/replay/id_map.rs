//! Which recorded id became which live one.

use hashbrown::HashMap;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use serde_json::{Map, Value, json};

use super::outcome::Outcome;
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

/// Which conversation was played, and its recorded and live ids: the keys that
/// the report and the NDJSON of `--id-map` share.
pub(crate) fn identity(outcome: &Outcome) -> Map<String, Value> {
    let ids = |(client, server): (Option<ClientId>, Option<ServerId>)| {
        json!({
            "client_id": client.map(|id| id.0.to_string()),
            "server_id": server.map(|id| id.0.to_string()),
        })
    };
    let mut identity = Map::new();
    identity.insert("conv".into(), json!(outcome.conversation.to_string()));
    identity.insert("pass".into(), json!(outcome.pass));
    identity.insert("copy".into(), json!(outcome.copy));
    identity.insert("recorded".into(), ids(outcome.recorded_ids));
    identity.insert("live".into(), ids(outcome.live_ids));
    identity
}

/// A line of NDJSON, with its end, that tells which recorded id became which
/// live one (`--id-map`).
pub fn id_map_line(outcome: &Outcome) -> String {
    let mut line = Value::Object(identity(outcome)).to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::conversation::ConversationId;
    use crate::replay::ReplayResult;

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
        let line = id_map_line(&Outcome {
            conversation: ConversationId(3),
            pass: 1,
            copy: 2,
            recorded_ids: (
                Some(ClientId(StreamId([1, 2, 3]))),
                Some(ServerId(StreamId([7, 8, 9]))),
            ),
            live_ids: (Some(ClientId(StreamId([4, 5, 6]))), None),
            result: ReplayResult::NoReply,
            note: None,
            c2s_bytes: 0,
            s2c_want_bytes: 0,
            s2c_got_bytes: 0,
            handshake: None,
            recorded_handshake: None,
            differences: Vec::new(),
            suggested_masks: Vec::new(),
            exchange: None,
        });
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
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
