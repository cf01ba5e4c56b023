//! The map from recorded to live ids.

use serde_json::{Map, Value, json};

use super::outcome::PlayOutcome;
use crate::wire::{ClientId, ServerId};

/// The played conversation, and its recorded and live ids: the keys that the report and the lines
/// of ids share.
pub(crate) fn identity(outcome: &PlayOutcome) -> Map<String, Value> {
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

/// A line of NDJSON, with its end, that says which recorded id became which
/// live one.
pub fn id_map_line(outcome: &PlayOutcome) -> String {
    let mut line = Value::Object(identity(outcome)).to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::ConversationId;
    use crate::replay::ReplayResult;
    use crate::wire::StreamId;

    #[test]
    fn a_mapping_is_one_line_of_json() {
        let line = id_map_line(&PlayOutcome {
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
        let value: Value = serde_json::from_str(&line).unwrap();
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
