use super::*;
use crate::conversation::FindingDetail;
use crate::testing;
use crate::wire::FrameType;

const BOTH: Secrets = Secrets {
    payload: true,
    destinations: true,
};
const PAYLOAD: Secrets = Secrets {
    payload: true,
    destinations: false,
};
const DESTINATIONS: Secrets = Secrets {
    payload: false,
    destinations: true,
};

fn redaction(secrets: Secrets) -> Redaction {
    Redaction::new(secrets, Pseudonyms::new([7; 32]))
}

/// The bytes of a message after redaction.
fn redacted(secrets: Secrets, message: &[u8]) -> Vec<u8> {
    let mut redaction = redaction(secrets);
    let mut bytes = Vec::new();
    match redaction.message(&testing::event(message)).message {
        RawMessage::Frame(frame) => frame.encode(&mut bytes),
        RawMessage::Ping => bytes.push(FrameType::CHAFF.0),
        RawMessage::Short(short) => bytes.extend_from_slice(short),
    }
    bytes
}

/// A SYN with a destination of 387 bytes and `trailing` behind it.
fn syn(trailing: &[u8]) -> Vec<u8> {
    [b"\xa1\x01\x02\x03", &[0x55; 384][..], &[0; 3], trailing].concat()
}

#[test]
fn header_and_length_of_every_message_stay_and_its_payload_goes() {
    for frame_type in 0..=u8::MAX {
        for length in 0..=9 {
            let message = [&[frame_type, 1, 2, 3], &b"SECRETSEC"[..length]].concat();
            let shown = redacted(BOTH, &message);
            assert_eq!(shown.len(), message.len());
            assert_eq!(shown[..4], message[..4]);
            let is_id = frame_type == 0x51 && length == 3;
            if frame_type == 0xa1 {
                let same = shown[4..].iter().zip(&message[4..]).filter(|(a, b)| a == b);
                assert!(same.count() < 3, "{shown:02x?}");
            } else if is_id {
                assert_eq!(shown, message, "the id that an ACK announces");
            } else {
                assert_eq!(shown[4..], b"*********"[..length], "{frame_type:02x}");
            }
        }
    }
}

#[test]
fn messages_too_short_for_a_header_keep_their_first_byte() {
    for (message, expected) in [
        (&b""[..], &b""[..]),
        (b"\xff", b"\xff"),
        (b"S", b"S"),
        (b"\xff\xff", b"\xff*"),
        (b"SEC", b"S**"),
    ] {
        assert_eq!(redacted(BOTH, message), expected);
        assert_eq!(redacted(DESTINATIONS, message), message);
    }
}

#[test]
fn of_a_syn_each_part_is_hidden_by_its_own_word() {
    let message = syn(b"SECRET");
    let payload = redacted(PAYLOAD, &message);
    assert_eq!(payload, syn(b"******"));
    let destinations = redacted(DESTINATIONS, &message);
    assert_ne!(destinations[4..388], message[4..388]);
    assert_eq!(destinations[388..], message[388..]);
    let both = redacted(BOTH, &message);
    assert_eq!(both[..391], destinations[..391]);
    assert_eq!(both[388..], *b"\0\0\0******");
}

#[test]
fn what_is_no_destination_is_hidden_by_either_word_and_stays_none() {
    let mut lying = syn(b"SECRET");
    lying[4 + 385] = 1;
    for message in [&syn(&[])[..390], &lying] {
        for secrets in [PAYLOAD, DESTINATIONS, BOTH] {
            let shown = redacted(secrets, message);
            assert_eq!(
                Destination::split(&shown[4..]).unwrap_err(),
                Destination::split(&message[4..]).unwrap_err()
            );
            let kept = shown[4..388].iter().filter(|byte| **byte == 0x55).count();
            assert!(kept < 10, "{secrets:?}");
            assert!(!shown.ends_with(b"SECRET"), "{secrets:?}");
        }
    }
}

#[test]
fn the_hash_that_is_told_is_that_of_the_destination_that_is_shown() {
    let message = syn(&[]);
    let event = MessageEvent {
        destination_hash: Some(DestinationHash::of(&message[4..])),
        ..testing::event(&message)
    };
    let mut redaction = redaction(BOTH);
    let destinations = redaction.destinations();
    let shown = redaction.message(&event);
    let payload = shown.message.frame().unwrap().payload;
    assert_eq!(shown.destination_hash, Some(DestinationHash::of(payload)));
    assert_ne!(shown.destination_hash, event.destination_hash);
    let (destination, _) = Destination::split(&message[4..]).unwrap();
    let Destinations::Pseudonyms(pseudonyms) = destinations else {
        panic!("the dissection must not tell true hashes");
    };
    assert_eq!(DestinationHash::of(payload), pseudonyms.hash(destination));
}

#[test]
fn who_selects_sees_the_true_hash() {
    let message = syn(&[]);
    let event = MessageEvent {
        destination_hash: Some(DestinationHash::of(b"a pseudonym")),
        ..testing::event(&message)
    };
    assert_eq!(
        Redaction::unveiled(&event).destination_hash,
        Some(DestinationHash::of(&message[4..]))
    );
}

#[test]
fn nicknames_are_hidden_everywhere_and_the_same_everywhere() {
    let session = testing::session();
    let nickname = session.nickname.clone();
    let event = MessageEvent {
        session: Some(&session),
        ..testing::event(b"\xa0\x01\x02\x03")
    };
    let mut conversation = testing::conversation(1);
    conversation.client.nickname = nickname.clone();
    for secrets in [PAYLOAD, DESTINATIONS, BOTH] {
        let mut redaction = redaction(secrets);
        let shown = redaction.message(&event).session.unwrap().nickname.clone();
        assert!(shown.is_some() && shown != nickname);
        let conversation = redaction.conversation(&conversation);
        assert_eq!(conversation.client.nickname, shown);
        assert_eq!(conversation.server.nickname, None);
    }
}

#[test]
fn numbers_that_were_read_from_payloads_are_not_told() {
    let mut finding = testing::finding(FindingCode::TcpBadPrefix);
    finding.text = "length 1397048146 at offset 8 is that of no message".to_owned();
    let told = redaction(PAYLOAD).finding(&finding).into_owned();
    assert_eq!(told.text, "length prefix that no message has");
    assert_eq!(told.detail, finding.detail);
    assert_eq!(*redaction(DESTINATIONS).finding(&finding), finding);
}

#[test]
fn a_length_that_data_announced_is_not_among_the_details() {
    let silent = (DetailName::SilentMs, FindingDetail::Number(5_021));
    let mut finding = testing::finding(FindingCode::LeftoverStall);
    finding.detail = vec![
        silent.clone(),
        (DetailName::RestBytes, FindingDetail::Number(8)),
    ];
    assert_eq!(redaction(PAYLOAD).finding(&finding).detail, [silent]);
    assert_eq!(*redaction(DESTINATIONS).finding(&finding), finding);
}
