//! The data of the page's script, as JSON.

use data_encoding::BASE64;

use super::picture::{Picture, Row};
use crate::conversation::{ConversationId, Level, MessageEvent, Party, Tally};
use crate::field::{PREVIEW_BYTES, PayloadDetail, payload};
use crate::report::ladder::{View, info, label};
use crate::report::style::{Style, TimeWriter};
use crate::text::write::{
    put, put_address, put_conversation, put_display, put_id, put_json_string, put_number,
    put_seconds, text_of,
};
use crate::time::micros;
use crate::wire::{Direction, StreamId};

/// Appends JSON so that it cannot end the element that it stands in: in JSON,
/// `<` occurs only within strings, where it may be escaped.
pub(super) fn put_script_json(json: &[u8], out: &mut Vec<u8>) {
    for (index, part) in json.split(|&byte| byte == b'<').enumerate() {
        if index > 0 {
            put(out, "\\u003c");
        }
        out.extend_from_slice(part);
    }
}

/// Appends a row of the table of conversations, in the order of the script's columns.
pub(super) fn put_row(row: &Row, ladder: Option<ConversationId>, style: &Style, out: &mut Vec<u8>) {
    let conversation = &row.conversation;
    out.push(b'[');
    put_name(Some(conversation.id), out);
    out.push(b',');
    put_name(conversation.peer_view, out);
    for end in [&conversation.client, &conversation.server] {
        out.push(b',');
        put_json_string(out, &end_name(end, style));
    }
    for id in [
        conversation.client_id.map(StreamId::from),
        conversation.server_id.map(StreamId::from),
    ] {
        out.push(b',');
        put_or_null(out, id, |out, id| {
            put_json_string(out, &text_of(|out| style.put_id(id, out)));
        });
    }
    put_display(out, format_args!(",\"{}\",", conversation.state));
    put_seconds(out, conversation.start_us, 6);
    out.push(b',');
    put_number(out, micros(conversation.duration_ns()));
    out.push(b',');
    put_or_null(out, conversation.handshake_ns, |out, nanos| {
        put_number(out, micros(nanos));
    });
    put_tally(conversation.c2s, out);
    put_tally(conversation.s2c, out);
    out.push(b',');
    put_number(out, conversation.finding_count);
    out.push(b',');
    put_or_null(out, row.level, |out, level: Level| {
        put_json_string(out, level.name());
    });
    out.push(b',');
    put_name(ladder, out);
    out.push(b']');
}

fn end_name(end: &Party, style: &Style) -> String {
    match &end.nickname {
        Some(nickname) => style.escaped(nickname),
        None => text_of(|out| put_address(out, end.address)),
    }
}

fn put_tally(tally: Tally, out: &mut Vec<u8>) {
    out.push(b',');
    put_number(out, tally.message_count);
    out.push(b',');
    put_number(out, tally.payload_bytes);
}

fn put_name(id: Option<ConversationId>, out: &mut Vec<u8>) {
    put_or_null(out, id, |out, id| {
        out.push(b'"');
        put_conversation(out, id);
        out.push(b'"');
    });
}

fn put_or_null<T>(out: &mut Vec<u8>, value: Option<T>, put_value: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => put_value(out, value),
        None => put(out, "null"),
    }
}

/// Appends the messages of a ladder as an array.
pub(super) fn put_messages(picture: &Picture<'_>, style: &Style, out: &mut Vec<u8>) {
    out.push(b'[');
    let mut separator = "";
    for view in picture.views() {
        let View { conversation, log } = view;
        for index in 0..log.messages().len() {
            let event = log.event(index, conversation);
            put(out, separator);
            separator = ",\n";
            put_message(&event, log.payload_bytes(index), style, out);
        }
    }
    out.push(b']');
}

/// Appends a message whose whole payload has `payload_bytes` bytes.
pub(super) fn put_message(
    event: &MessageEvent<'_>,
    payload_bytes: usize,
    style: &Style,
    out: &mut Vec<u8>,
) {
    let payload = payload(&event.message);
    let shown = match style.payload {
        PayloadDetail::None => &[],
        PayloadDetail::Preview => &payload[..payload.len().min(PREVIEW_BYTES)],
        PayloadDetail::Full => payload,
    };
    put(out, "{\"n\":");
    put_number(out, event.number);
    put(out, ",\"conv\":");
    put_name(event.conversation, out);
    put(out, ",\"dir\":");
    put_or_null(out, event.direction.map(Direction::name), put_json_string);
    put(out, ",\"type\":");
    put_json_string(out, event.message.kind().name());
    put(out, ",\"id\":");
    put_or_null(out, event.message.frame(), |out, frame| {
        out.push(b'"');
        put_id(out, frame.id);
        out.push(b'"');
    });
    put(out, ",\"time\":");
    put_json_string(
        out,
        &text_of(|out| TimeWriter::new(style.times).put(event, out)),
    );
    put(out, ",\"label\":");
    put_json_string(out, &label(event, payload_bytes, style));
    put(out, ",\"info\":");
    put_json_string(out, &info(event, style));
    put(out, ",\"payload_bytes\":");
    put_number(out, payload_bytes);
    put(out, ",\"payload_base64\":\"");
    put(out, &BASE64.encode(shown));
    put(out, "\"}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{event, style};

    #[test]
    fn json_cannot_end_its_element() {
        let json = text_of(|out| put_json_string(out, "</script><!--"));
        assert_eq!(
            text_of(|out| put_script_json(json.as_bytes(), out)),
            r#""\u003c/script>\u003c!--""#
        );
    }

    #[test]
    fn a_message_is_told_with_as_much_of_its_payload_as_asked_for() {
        let bytes = [b"\xa0\xff\xff\xff", &[b'x'; 100][..]].concat();
        let event = event(&bytes);
        for (detail, expected) in [
            (PayloadDetail::None, 0),
            (PayloadDetail::Preview, 64),
            (PayloadDetail::Full, 100),
        ] {
            let style = Style {
                payload: detail,
                ..style()
            };
            let json = text_of(|out| {
                put_message(&event, 100, &style, out);
            });
            let message: serde_json::Value = serde_json::from_str(&json).unwrap();
            let payload = BASE64
                .decode(message["payload_base64"].as_str().unwrap().as_bytes())
                .unwrap();
            assert_eq!(payload.len(), expected, "{detail:?}");
            assert_eq!(message["payload_bytes"], 100);
            assert_eq!(message["label"], "DATA ffffff  100 B");
            assert_eq!(message["time"], "0.005000");
        }
    }
}
