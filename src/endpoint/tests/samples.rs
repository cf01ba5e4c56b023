//! The three conversations of the specification.

use super::*;

#[test]
fn sample_a_the_service_is_not_available() {
    let mut client = Rig::new(Config::default());
    client.open_with([0x12, 0x34, 0x56]);
    assert_eq!(client.sent(), [syn([0x12, 0x34, 0x56])]);
    client.receive(&[0x52, 0x12, 0x34, 0x56]);
    assert_eq!(client.ends(), [End::Refused]);

    let mut server = Rig::new(Config::default());
    let handle = server.incoming([0x12, 0x34, 0x56]);
    server.endpoint.refuse(server.now, handle);
    assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
    assert_eq!(server.ends(), [End::RefusedByUs]);
    assert!(client.endpoint.is_empty() && server.endpoint.is_empty());
}

#[test]
fn sample_b_the_server_sends_and_the_client_closes() {
    let mut client = Rig::new(Config::default());
    let handle = client.open_with([0x23, 0x45, 0x67]);
    client.receive(&[0x51, 0x23, 0x45, 0x67, 0x98, 0x76, 0x54]);
    client.receive(&message(0x50, [0x23, 0x45, 0x67], b"data"));
    assert_eq!(client.data(), [&b"data"[..]]);
    client.endpoint.consumed(client.now, handle, 4);
    client.endpoint.close(client.now, handle);
    assert_eq!(
        client.sent(),
        [syn([0x23, 0x45, 0x67]), vec![0xa2, 0x98, 0x76, 0x54],]
    );
    assert_eq!(client.ends(), [End::Closed]);
    assert!(client.endpoint.is_empty());
}

#[test]
fn sample_c_the_server_closes_after_its_answer() {
    for close in [0x51, 0x52] {
        let mut client = Rig::new(Config::default());
        let handle = client.open_with([0x11; 3]);
        client.receive(&[0x51, 0x11, 0x11, 0x11, 0xff, 0xff, 0xff]);
        client.write(handle, b"data");
        client.receive(&message(0x50, [0x11; 3], b"answer"));
        client.receive(&message(0x50, [0x11; 3], b"more data"));
        client.receive(&[close, 0x11, 0x11, 0x11]);
        if close == 0x51 {
            client.advance(5 * SECOND);
        }
        assert_eq!(
            client.sent(),
            [syn([0x11; 3]), message(0xa0, [0xff; 3], b"data")],
            "a close is not answered"
        );
        let events = client.events();
        assert_eq!(
            events[1..3],
            [&b"answer"[..], b"more data"].map(|bytes| Event::Data {
                conversation: handle,
                bytes: Bytes::copy_from_slice(bytes),
            })
        );
        assert!(matches!(
            events[3],
            Event::Closed {
                end: End::PeerClosed,
                summary: ConversationSummary {
                    sent_bytes: 4,
                    received_bytes: 15,
                    unsent_bytes: 0,
                    ..
                },
                ..
            }
        ));
        assert!(!client.endpoint.is_empty(), "15 bytes are not consumed");
        client.endpoint.consumed(client.now, handle, 15);
        assert!(client.endpoint.is_empty());
    }
}

#[test]
fn a_server_plays_its_part_of_sample_c() {
    let mut server = Rig::new(Config::default());
    let handle = server.incoming([0x11; 3]);
    let id = server.accept(handle).0.0;
    server.receive(&message(0xa0, id, b"data"));
    assert_eq!(server.data(), [&b"data"[..]]);
    server.endpoint.consumed(server.now, handle, 4);
    server.write(handle, b"answer");
    server.write(handle, b"more data");
    server.endpoint.finish(server.now, handle);
    assert_eq!(
        server.sent(),
        [
            message(0x51, [0x11; 3], &id),
            message(0x50, [0x11; 3], b"answer"),
            message(0x50, [0x11; 3], b"more data"),
            vec![0x52, 0x11, 0x11, 0x11],
        ]
    );
    assert_eq!(server.ends(), [End::Closed]);
    assert!(server.endpoint.is_empty());
}
