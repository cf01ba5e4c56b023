//! Many conversations at once.

use super::*;

#[test]
fn what_comes_late_finds_its_conversation_however_many_were_closed_since() {
    let mut watch = Watch::with(TrackerOptions {
        max_lingering: 2,
        ..TrackerOptions::default()
    });
    let udp = watch.udp();
    for id in 1..=100 {
        watch.pass(udp, A, &syn(id));
        watch.pass(udp, B, &ack(id, 1_000 + id));
        watch.pass(udp, A, &message(0xa2, 1_000 + id, &[]));
    }
    assert_eq!(watch.events().len(), 98, "all others were told");
    for (from, bytes, expected) in [
        (B, message(0x52, 1, &[]), "s2c c1 closes again"),
        (
            B,
            message(0x50, 1, b"late"),
            "s2c c1 ignored [note ms.data_after_close]",
        ),
        (
            A,
            message(0xa0, 1_001, b"at fault"),
            "c2s c1 ignored [warn ms.data_after_close]",
        ),
        (B, ack(1, 1_001), "s2c c1 ignored [warn ms.ack_duplicate]"),
        (
            A,
            message(0x50, 1, b"wrong"),
            "s2c c1 ignored [error ms.wrong_direction]",
        ),
        (
            B,
            message(0x53, 1, b"unknown"),
            "s2c c1 meaningless [error ms.unknown_type]",
        ),
        // The id is free again.
        (A, syn(1), "c2s c101 opens"),
        (B, ack(1, 1_001), "s2c c101 accepts 0003e9"),
    ] {
        assert_eq!(watch.pass(udp, from, &bytes), expected, "{bytes:02x?}");
    }
    watch.wait(31_000);
    assert_eq!(
        watch.pass(udp, B, &message(0x50, 2, b"much too late")),
        "s2c - orphan [warn ms.orphan_id]"
    );
    assert_eq!(watch.tracker.forgotten(), Forgotten::default());
}

#[test]
fn a_conversation_that_closes_again_does_not_crowd_out_itself() {
    for max_lingering in [1, 2] {
        let mut watch = Watch::with(TrackerOptions {
            max_lingering,
            ..TrackerOptions::default()
        });
        let udp = watch.udp();
        for id in 1..=2 {
            watch.pass(udp, A, &syn(id));
            watch.pass(udp, B, &ack(id, 1_000 + id));
        }
        for (from, bytes, expected) in [
            (
                B,
                message(0x51, 1, &[]),
                "s2c c1 closes s2c [warn ms.ack_empty]",
            ),
            (A, message(0xa0, 1_001, b"x"), "c2s c1 carries"),
            (A, message(0xa2, 1_002, &[]), "c2s c2 closes c2s"),
            (A, message(0xa2, 1_001, &[]), "c2s c1 closes c2s"),
            (B, message(0x52, 1, &[]), "s2c c1 closes again"),
        ] {
            assert_eq!(watch.pass(udp, from, &bytes), expected, "{bytes:02x?}");
        }
        let mut ended = watch.events();
        ended.extend(watch.finish());
        let expected = [
            "c2 000002/0003ea client closed 0/0 0/0",
            "c1 000001/0003e9 client closed 1/1 0/0",
        ];
        let expected = expected.map(str::to_owned);
        ended.sort_by(|one, other| other.cmp(one));
        assert_eq!(ended, expected);
    }
}

#[test]
fn conversations_that_exchange_their_messages_do_not_crowd_out_each_other() {
    let mut watch = Watch::with(TrackerOptions {
        max_lingering: 2,
        ..TrackerOptions::default()
    });
    let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Unknown);
    let refusal = [1, 2, 3];
    watch.pass(tcp, B, &message(0x52, 2, &refusal));
    watch.tracker.note_gap(tcp);
    watch.pass(tcp, A, &message(0xa0, 13, b"GET"));
    watch.pass(tcp, B, &message(0x52, 1, &refusal));
    watch.pass(tcp, A, &syn(3));
    assert_eq!(watch.pass(tcp, B, &ack(2, 13)), "s2c c1 accepts 00000d");
    assert!(watch.events().iter().all(|event| !event.starts_with("c1 ")));
    assert!(watch.finish().iter().any(|event| event.starts_with("c1 ")));
}

#[test]
fn a_new_channel_does_not_inherit_what_was_told_on_an_earlier_one() {
    let mut watch = Watch::with(TrackerOptions {
        max_lingering: 1,
        ..TrackerOptions::default()
    });
    let one = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    for id in 1..=3 {
        watch.pass(one, A, &syn(id));
        watch.pass(one, B, &message(0x52, id, &[]));
    }
    watch.tracker.close_channel(one, watch.time);
    let other = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    assert_eq!(
        watch.pass(other, B, &message(0x50, 1, b"x")),
        "s2c - orphan [warn ms.orphan_id]"
    );
}

#[test]
fn where_memory_ran_short_an_unknown_id_may_be_one_that_was_forgotten() {
    let mut watch = Watch::with(TrackerOptions {
        memory_bytes: 10 * CONVERSATION_BYTES,
        tombstone_bytes: 0,
        ..TrackerOptions::default()
    });
    let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    for id in 1..=11 {
        watch.pass(tcp, A, &syn(id));
        watch.pass(tcp, B, &ack(id, id));
    }
    assert_eq!(watch.tracker.forgotten().conversations, 2);
    assert_eq!(
        watch.pass(tcp, A, &message(0xa0, 1, b"x")),
        "c2s - orphan [note ms.orphan_id]"
    );
}

#[test]
fn an_unknown_id_may_be_one_of_a_channel_that_was_forgotten() {
    let mut watch = Watch::new();
    let [one, other] = [(); 2].map(|()| watch.channel(Carrier::TcpU32, ChannelStart::Captured));
    watch.tracker.evict_channel(one, watch.time);
    assert_eq!(
        watch.pass(other, A, &message(0xa0, 1, b"x")),
        "c2s - orphan [note ms.orphan_id]"
    );
}

/// Buckets that are read for a message when `open` conversations are.
fn reads_of_a_message(open: u32) -> f64 {
    const MESSAGES: u32 = 20_000;
    let mut watch = Watch::new();
    let channels: Vec<ChannelId> = (0..16).map(|_| watch.udp()).collect();
    let channel_of = |id: u32| channels[id as usize % channels.len()];
    for id in 1..=open {
        watch.pass(channel_of(id), A, &syn(id));
        watch.pass(channel_of(id), B, &ack(id, id));
    }
    let before = watch.tracker.registry.reads();
    for number in 0..MESSAGES {
        let id = 1 + number.wrapping_mul(2_654_435_761) % open;
        let line = watch.pass(channel_of(id), A, &message(0xa0, id, b"x"));
        assert!(line.ends_with("carries"), "{line}");
    }
    (watch.tracker.registry.reads() - before) as f64 / f64::from(MESSAGES)
}

#[test]
fn a_message_costs_no_more_look_ups_when_many_conversations_are_open() {
    for open in [100, 10_000, 100_000] {
        let reads = reads_of_a_message(open);
        assert!(reads < 3.0, "{reads} buckets with {open} open");
    }
}

#[test]
fn conversations_of_one_id_cost_the_same_however_many_there_were() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    let mut reads = Vec::new();
    for _ in 0..4 {
        let before = watch.tracker.registry.reads();
        for _ in 0..1_000 {
            watch.pass(udp, A, &syn(7));
        }
        reads.push(watch.tracker.registry.reads() - before);
    }
    assert!(reads[3] < reads[1] * 2, "{reads:?}");
    assert!(watch.tracker.forgotten().conversations > 3_900);
}
