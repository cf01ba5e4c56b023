use proptest::prelude::*;

use super::value::HOP_BYTES;
use super::*;
use crate::carrier::i2cp::{LEASE_BYTES, Sender, encode_mapping};

/// A destination with a null certificate, or a key certificate.
fn destination(certificate: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..384_u32)
        .map(|i| u8::try_from(i % 256).unwrap())
        .collect();
    bytes.extend_from_slice(certificate);
    bytes
}

const NULL: &[u8] = &[0, 0, 0];
const ED25519: &[u8] = &[5, 0, 4, 0, 7, 0, 0];

/// The values that messages borrow.
struct Parts {
    destination: Vec<u8>,
    lease_set: Vec<u8>,
    options: Vec<u8>,
    text: Vec<u8>,
    payload: Vec<u8>,
}

impl Parts {
    fn new(certificate: &[u8], text: &[u8], payload: &[u8]) -> Self {
        let mut options = Vec::new();
        let pairs = [("inbound.nickname", "a"), ("inbound.length", "0")];
        encode_mapping(pairs, &mut options).unwrap();
        Self {
            destination: destination(certificate),
            lease_set: vec![3; 387 + 256 + 128 + 1 + 44 + 40],
            options: options.split_off(2),
            text: text.to_vec(),
            payload: payload.to_vec(),
        }
    }

    /// One of each kind of message.
    fn messages(&self) -> Vec<Message<'_>> {
        let (destination, _) = Destination::split(&self.destination).unwrap();
        let options = Mapping::parse(&self.options).unwrap();
        let (text, payload) = (&self.text[..], &self.payload[..]);
        let (session, message_id, request_id) = (0x0102, 0x0304_0506, 0x0708_090a);
        let hash = self.destination.first_chunk().unwrap();
        vec![
            Message::CreateSession {
                destination,
                options,
                date_ms: 0x0a0b_0c0d_0e0f_1011,
                signature: &[9; 40],
            },
            Message::ReconfigureSession {
                session,
                destination,
                options,
                date_ms: 1,
                signature: &[9; 64],
            },
            Message::DestroySession { session },
            Message::CreateLeaseSet {
                session,
                revocation_key: &[0; 20],
                decryption_key: self.destination.first_chunk().unwrap(),
                lease_set: &self.lease_set,
            },
            Message::SendMessage {
                session,
                destination,
                payload,
                nonce: 0x7fff_ffff,
            },
            Message::SendMessageExpires {
                session,
                destination,
                payload,
                nonce: 0,
                expiry: Expiry {
                    flags: 0x1234,
                    at_ms: 0xffff_0000_ffff,
                },
            },
            Message::ReceiveMessageBegin {
                session,
                message_id,
            },
            Message::ReceiveMessageEnd {
                session,
                message_id,
            },
            Message::GetBandwidthLimits,
            Message::SessionStatus {
                session,
                status: SessionStatus::CREATED,
            },
            Message::RequestLeaseSet {
                session,
                hops: RouterHops::from_bytes(&self.destination[..2 * HOP_BYTES]).unwrap(),
                end_ms: 5,
            },
            Message::MessageStatus {
                session,
                message_id,
                status: MessageStatus::NO_LEASE_SET,
                size: 100,
                nonce: 6,
            },
            Message::BandwidthLimits {
                limits: self.destination.first_chunk().unwrap(),
            },
            Message::Disconnect { reason: text },
            Message::MessagePayload {
                session,
                message_id,
                payload,
            },
            Message::GetDate {
                version: Some(text),
                authentication: &[],
            },
            Message::GetDate {
                version: None,
                authentication: &[],
            },
            Message::SetDate {
                date_ms: u64::MAX,
                version: Some(text),
            },
            Message::SetDate {
                date_ms: 0,
                version: None,
            },
            Message::DestLookup { hash },
            Message::DestFound { destination },
            Message::DestNotFound { hash },
            Message::RequestVariableLeaseSet {
                session,
                leases: Leases::from_bytes(&self.destination[..2 * LEASE_BYTES]).unwrap(),
            },
            Message::HostLookupByHash {
                session: 0xffff,
                request_id,
                timeout_ms: 10_000,
                hash,
            },
            Message::HostLookupByName {
                session: 0xffff,
                request_id,
                timeout_ms: 10_000,
                name: text,
            },
            Message::HostFound {
                session,
                request_id,
                destination,
            },
            Message::HostNotFound {
                session,
                request_id,
                result: NonZeroU8::MAX,
            },
            Message::Other {
                message_type: MessageType::CREATE_LEASE_SET_2,
                body: &self.lease_set,
            },
            Message::Other {
                message_type: MessageType(99),
                body: &[],
            },
        ]
    }
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out).unwrap();
    out
}

/// Encodes a message, checks the length in front, and decodes the rest.
fn round_trip(message: &Message<'_>) {
    let frame = encode(message);
    let (length, rest) = frame.split_first_chunk().unwrap();
    let (message_type, body) = rest.split_first().unwrap();
    assert_eq!(
        usize::try_from(u32::from_be_bytes(*length)).unwrap(),
        body.len()
    );
    let message_type = MessageType(*message_type);
    assert_eq!(message_type, message.message_type());
    assert_eq!(Message::decode(message_type, body).as_ref(), Ok(message));
    if MessageType::KNOWN.contains(&message_type) {
        assert!(
            message_type.allows_body_of(body.len()),
            "{message_type} of {}",
            body.len()
        );
    }
}

#[test]
fn every_kind_of_message_survives_the_round_trip() {
    for certificate in [NULL, ED25519] {
        for (text, payload) in [
            (&b""[..], &b""[..]),
            (b"0.9.57", b"payload"),
            (&[b'x'; 255], &[1; 60_000]),
        ] {
            for message in Parts::new(certificate, text, payload).messages() {
                round_trip(&message);
            }
        }
    }
}

#[test]
fn every_known_type_is_among_the_messages_of_these_tests() {
    let parts = Parts::new(NULL, b"", b"");
    let messages = parts.messages();
    for message_type in MessageType::KNOWN {
        assert!(
            messages
                .iter()
                .any(|message| message.message_type() == *message_type),
            "{message_type}"
        );
        assert!(
            message_type.is_sent_by(Sender::Application) || message_type.is_sent_by(Sender::Router)
        );
    }
}

#[test]
fn frames_stand_on_the_wire_as_documented() {
    for (message, bytes) in [
        (
            Message::GetDate {
                version: Some(b"0.9.57"),
                authentication: &[],
            },
            &b"\0\0\0\x07\x20\x060.9.57"[..],
        ),
        (
            Message::SetDate {
                date_ms: 0x0000_01a2_0722_dde7,
                version: Some(b"0.8.8"),
            },
            b"\0\0\0\x0e\x21\0\0\x01\xa2\x07\x22\xdd\xe7\x050.8.8",
        ),
        (
            Message::DestroySession { session: 0xfffe },
            b"\0\0\0\x02\x03\xff\xfe",
        ),
        (Message::GetBandwidthLimits, b"\0\0\0\0\x08"),
        (
            Message::MessageStatus {
                session: 1,
                message_id: 2,
                status: MessageStatus::GUARANTEED_SUCCESS,
                size: 3,
                nonce: 5,
            },
            b"\0\0\0\x0f\x16\0\x01\0\0\0\x02\x04\0\0\0\x03\0\0\0\x05",
        ),
        (
            Message::MessagePayload {
                session: 1,
                message_id: 2,
                payload: b"abc",
            },
            b"\0\0\0\x0d\x1f\0\x01\0\0\0\x02\0\0\0\x03abc",
        ),
    ] {
        assert_eq!(encode(&message), bytes, "{message:?}");
    }
}

#[test]
fn a_message_to_send_is_session_destination_payload_nonce_and_expiry() {
    let parts = Parts::new(ED25519, b"", b"gzip");
    let messages = parts.messages();
    for (message, tail) in [
        (&messages[4], &b"\0\0\0\x04gzip\x7f\xff\xff\xff"[..]),
        (
            &messages[5],
            b"\0\0\0\x04gzip\0\0\0\0\x12\x34\xff\xff\0\0\xff\xff",
        ),
    ] {
        let frame = encode(message);
        assert_eq!(frame[5..7], [1, 2]);
        assert_eq!(frame[7..7 + 391], parts.destination);
        assert_eq!(&frame[7 + 391..], tail);
    }
}

#[test]
fn every_cut_body_is_an_error_or_another_legal_body() {
    let parts = Parts::new(NULL, b"0.9.57", b"payload");
    for message in parts.messages() {
        let frame = encode(&message);
        let message_type = message.message_type();
        for cut in 0..frame.len() - 5 {
            match Message::decode(message_type, &frame[5..5 + cut]) {
                // Fields to the end of the body take what there is.
                Ok(shorter) => assert!(
                    matches!(
                        shorter,
                        Message::CreateSession { .. }
                            | Message::ReconfigureSession { .. }
                            | Message::CreateLeaseSet { .. }
                            | Message::GetDate { .. }
                            | Message::SetDate { version: None, .. }
                            | Message::DestNotFound { .. }
                            | Message::Other { .. }
                    ),
                    "{message_type} cut to {cut}"
                ),
                Err(error) => assert!(
                    matches!(
                        error,
                        MessageError::Malformed { body_bytes, .. } if body_bytes == cut
                    ) || matches!(error, MessageError::ExtraBytes { .. })
                ),
            }
        }
    }
}

#[test]
fn bytes_too_many_are_counted() {
    assert_eq!(
        Message::decode(MessageType::DESTROY_SESSION, &[1, 2, 3, 4]),
        Err(MessageError::ExtraBytes {
            message_type: MessageType::DESTROY_SESSION,
            extra_bytes: 2
        })
    );
}

#[test]
fn what_does_not_fit_its_length_field_is_refused_and_leaves_nothing_behind() {
    let long = [0; 70_000];
    let parts = Parts::new(NULL, b"", &long);
    let destination = Destination::split(&parts.destination).unwrap().0;
    for (message, expected) in [
        (
            Message::Disconnect {
                reason: &long[..256],
            },
            EncodeError::StringTooLong(256),
        ),
        (
            Message::SendMessage {
                session: 1,
                destination,
                payload: &long[..65_535 - 396],
                nonce: 1,
            },
            EncodeError::BodyTooLong(65_536),
        ),
    ] {
        let mut out = vec![7];
        assert_eq!(message.encode(&mut out), Err(expected));
        assert_eq!(out, [7]);
    }
}

#[test]
fn a_lookup_of_an_unknown_kind_is_malformed() {
    let body = [0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 2, 1, b'x'];
    assert_eq!(
        Message::decode(MessageType::HOST_LOOKUP, &body),
        Err(MessageError::Malformed {
            message_type: MessageType::HOST_LOOKUP,
            body_bytes: body.len(),
        })
    );
}

/// Random bodies hardly ever decode where a message holds lists or destinations.
#[test]
fn a_changed_message_that_decodes_encodes_to_the_same_bytes() {
    for message in Parts::new(ED25519, b"text", b"payload").messages() {
        let frame = encode(&message);
        let (message_type, body) = (MessageType(frame[4]), &frame[5..]);
        let mut decoded = 0;
        for at in 0..body.len() {
            for mask in [1, 0x80, 0xff] {
                let mut changed = body.to_vec();
                changed[at] ^= mask;
                if let Ok(other) = Message::decode(message_type, &changed) {
                    assert_eq!(encode(&other)[5..], changed, "{message_type:?} {at}");
                    decoded += 1;
                }
            }
        }
        assert!(decoded > 0 || body.is_empty(), "{message_type:?}");
    }
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(
        message_type in prop::sample::select(MessageType::KNOWN.to_vec()),
        head in prop::collection::vec(any::<u8>(), 0..60),
        filler in any::<u8>(),
        length in 0_usize..500,
    ) {
        let mut body = head;
        body.resize(length.max(body.len()), filler);
        if let Ok(message) = Message::decode(message_type, &body) {
            let frame = encode(&message);
            prop_assert_eq!(&frame[5..], &body[..]);
            prop_assert_eq!(frame[4], message_type.0);
        }
    }
}
