//! Every type byte, in every state, with every kind of payload: those that belong there have their
//! effect, and the rest changes nothing.

use super::*;

const ID: [u8; 3] = [0x12, 0x34, 0x56];

/// The effect of a message.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Nothing,
    Opened,
    Offered,
    Delivered,
    /// Kept for after the ACK.
    Kept,
    Ended(End),
}

use Outcome::{Delivered, Ended, Kept, Nothing, Offered, Opened};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

const PLACES: [(Role, State); 8] = [
    (Role::Client, State::SynSent),
    (Role::Client, State::Open),
    (Role::Client, State::Draining),
    (Role::Client, State::Closing),
    (Role::Server, State::SynReceived),
    (Role::Server, State::Open),
    (Role::Server, State::Draining),
    (Role::Server, State::Closing),
];

/// A conversation in a state, and the id by which the peer calls us.
fn at(role: Role, state: State) -> (Rig, Handle, [u8; 3]) {
    let mut rig = Rig::new(Config {
        server_eof: OnEof::Drain(Some(5 * SECOND)),
        ..Config::default()
    });
    let (handle, id) = match (role, state) {
        (Role::Client, State::SynSent) => (rig.open_with(ID), ID),
        (Role::Client, _) => (rig.opened(), ID),
        (Role::Server, State::SynReceived) => (rig.incoming(ID), ID),
        (Role::Server, _) => {
            let (handle, id) = rig.accepted();
            (handle, id.0.0)
        }
    };
    match state {
        State::Draining => rig.endpoint.finish(rig.now, handle),
        State::Closing => {
            rig.endpoint.handle_link_blocked(Scope::All);
            rig.write(handle, b"unsent");
            rig.endpoint.close(rig.now, handle);
        }
        _ => {}
    }
    rig.drain();
    rig.take();
    assert_eq!(rig.endpoint.count_in(state), 1);
    (rig, handle, id)
}

fn expected(
    role: Role,
    state: State,
    frame_type: u8,
    payload_bytes: usize,
) -> (Outcome, Option<Anomaly>) {
    use Role::{Client, Server};
    use State as S;
    match (role, state, frame_type, payload_bytes) {
        // The messages that a client understands in each state.
        (Client, S::SynSent, 0x51, 3) => (Opened, None),
        (Client, S::SynSent, 0x51, _) => (Nothing, Some(Anomaly::AckLength)),
        (Client, S::SynSent, 0x50, 0) => (Nothing, None),
        (Client, S::SynSent, 0x50, _) => (Kept, Some(Anomaly::DataBeforeAck)),
        (Client, S::SynSent, 0x52, 0 | 3) => (Ended(End::Refused), None),
        (Client, S::SynSent, 0x52, _) => (Ended(End::Refused), Some(Anomaly::ClosePayload)),
        // It counts when no data follow.
        (Client, _, 0x51, 0) => (Nothing, Some(Anomaly::AckEmpty)),
        (Client, _, 0x51, 3) => (Nothing, Some(Anomaly::AckDuplicate)),
        (Client, _, 0x51, _) => (Nothing, Some(Anomaly::AckLength)),
        (Client, S::Closing, 0x50, _) => (Nothing, Some(Anomaly::DataAfterClose)),
        (Client, _, 0x50, 0) => (Nothing, None),
        (Client, _, 0x50, _) => (Delivered, None),
        (Client, _, 0x52, 0) => (Ended(End::PeerClosed), None),
        (Client, _, 0x52, _) => (Ended(End::PeerClosed), Some(Anomaly::ClosePayload)),
        (Client, _, 0xa0 | 0xa2, _) => (Nothing, Some(Anomaly::WrongDirection)),

        // The effects on a server. Before it accepts, the peer has no id to call it by.
        (Server, S::SynReceived, 0xa0 | 0xa2 | 0x50..=0x52, _) => {
            (Nothing, Some(Anomaly::UnknownId))
        }
        (Server, S::Closing, 0xa0, _) => (Nothing, Some(Anomaly::DataAfterClose)),
        (Server, _, 0xa0, 0) => (Nothing, None),
        (Server, _, 0xa0, _) => (Delivered, None),
        (Server, _, 0xa2, 0) => (Ended(End::PeerClosed), None),
        (Server, _, 0xa2, _) => (Ended(End::PeerClosed), Some(Anomaly::ClosePayload)),
        (Server, _, 0x50..=0x52, _) => (Nothing, Some(Anomaly::WrongDirection)),

        // Messages outside of the conversation.
        (_, _, 0xa1, 0..387) => (Nothing, Some(Anomaly::BadDestination)),
        (_, _, 0xa1, _) => (Offered, None),
        (_, _, 0xff, _) => (Nothing, Some(Anomaly::Chaff)),
        (_, _, _, _) => (Nothing, Some(Anomaly::UnknownType)),
    }
}

fn outcome(rig: &mut Rig, handle: Handle) -> Outcome {
    let kept = rig.endpoint.stats().anomaly_count(Anomaly::DataBeforeAck) > 0;
    match &rig.events()[..] {
        [] if kept => Kept,
        [] => Nothing,
        [Event::Opened { conversation, .. }] if *conversation == handle => Opened,
        [Event::Incoming { conversation, .. }] if *conversation != handle => Offered,
        [Event::Data { conversation, .. }] if *conversation == handle => Delivered,
        [
            Event::Closed {
                conversation, end, ..
            },
        ] if *conversation == handle => Ended(*end),
        other => panic!("{other:?}"),
    }
}

fn anomalies(rig: &Rig) -> Vec<Anomaly> {
    Anomaly::ALL
        .iter()
        .copied()
        .filter(|&anomaly| rig.endpoint.stats().anomaly_count(anomaly) > 0)
        .collect()
}

/// That the conversation can still do what its state allows.
fn assert_alive(rig: &mut Rig, role: Role, state: State, handle: Handle, id: [u8; 3]) {
    rig.take();
    let data = match role {
        Role::Client => message(0x50, id, b"alive"),
        Role::Server => message(0xa0, id, b"alive"),
    };
    match state {
        State::SynSent => {
            rig.receive(&[0x51, 0x12, 0x34, 0x56, 0x98, 0x76, 0x54]);
            assert!(matches!(rig.events()[0], Event::Opened { .. }));
        }
        State::SynReceived => {
            rig.endpoint.accept(rig.now, handle);
            assert_eq!(rig.sent().len(), 1);
        }
        State::Open | State::Draining => {
            rig.receive(&data);
            assert_eq!(rig.data(), [&b"alive"[..]]);
        }
        State::Closing => {
            rig.endpoint.handle_link_ready(Scope::All);
            assert_eq!(rig.sent().len(), 2, "the unsent data, and the close");
            assert_eq!(rig.ends(), [End::Closed]);
        }
        State::Ended => unreachable!("no place of the sweep"),
    }
}

#[test]
fn every_type_in_every_state_does_what_it_should_and_no_more() {
    for (role, state) in PLACES {
        for frame_type in 0..=255 {
            for payload_bytes in [0, 1, 2, 3, 4, 386, 387, 400] {
                let (mut rig, handle, id) = at(role, state);
                rig.receive(&message(frame_type, id, &vec![0; payload_bytes]));
                let case = format!("{role:?} {state:?} {frame_type:02x} {payload_bytes}");
                let (expected, mut anomaly) = expected(role, state, frame_type, payload_bytes);
                if expected == Opened {
                    // The payload hands out the reserved id.
                    anomaly = Some(Anomaly::ZeroId);
                }
                assert_eq!(rig.sent, [], "{case}");
                assert_eq!(outcome(&mut rig, handle), expected, "{case}");
                assert_eq!(anomalies(&rig), Vec::from_iter(anomaly), "{case}");
                if !matches!(expected, Ended(_) | Opened) {
                    assert_alive(&mut rig, role, state, handle, id);
                }
            }
        }
    }
}

#[test]
fn messages_too_short_for_an_id_do_nothing_in_any_state() {
    for (role, state) in PLACES {
        for frame_type in 0..=255 {
            for length in 0..4 {
                let (mut rig, handle, id) = at(role, state);
                rig.receive(&[frame_type, id[0], id[1]][..length.min(3)]);
                assert_eq!(outcome(&mut rig, handle), Nothing);
                let anomaly = match (frame_type, length) {
                    (0xff, 1) => Anomaly::Ping,
                    _ => Anomaly::TooShort,
                };
                assert_eq!(anomalies(&rig), [anomaly]);
            }
        }
        let (mut rig, handle, id) = at(role, state);
        rig.receive(&[0xa0]);
        assert_alive(&mut rig, role, state, handle, id);
    }
}

#[test]
fn messages_for_unknown_ids_get_no_answer() {
    for (role, state) in PLACES {
        for frame_type in [0x50, 0x51, 0x52, 0xa0, 0xa2] {
            for payload in [&[][..], b"abc", b"abcdef"] {
                let (mut rig, handle, id) = at(role, state);
                rig.receive(&message(frame_type, [0xee, 0xee, 0xee], payload));
                assert_eq!(rig.sent, []);
                assert_eq!(outcome(&mut rig, handle), Nothing);
                assert_eq!(anomalies(&rig), [Anomaly::UnknownId]);
                assert_alive(&mut rig, role, state, handle, id);
            }
        }
    }
}
