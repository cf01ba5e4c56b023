use super::candidates::Length;
use super::session::Examines;
use super::*;
use crate::conversation::ConversationState;
use crate::replay::compare::Mask;
use crate::replay::recording::{Effect, RecordedConversation, RecordedMessage};
use crate::time::Timestamp;

/// A recorded conversation of one request and one answer.
fn recorded(number: u64, request: &'static [u8], answer: &'static [u8]) -> RecordedConversation {
    let messages: [(u8, &'static [u8], Effect); 5] = [
        (0xa1, b"destination", Effect::Opened),
        (0x51, b"\x01\x02\x03", Effect::Accepted),
        (0xa0, request, Effect::Carried),
        (0x50, answer, Effect::Carried),
        (0x52, b"", Effect::Closed),
    ];
    conversation(number, &messages)
}

fn conversation(number: u64, messages: &[(u8, &'static [u8], Effect)]) -> RecordedConversation {
    RecordedConversation {
        id: ConversationId(number),
        client_id: None,
        server_id: None,
        state: ConversationState::Open,
        messages: (0..)
            .zip(messages)
            .map(|(index, &(byte, payload, effect))| RecordedMessage {
                number: index + 1,
                time: Timestamp::from_nanos(10_000_000 * index as i64),
                direction: FrameType(byte).direction().unwrap(),
                frame_type: FrameType(byte),
                id: StreamId([1, 1, 1]),
                payload: Bytes::from_static(payload),
                effect,
            })
            .collect(),
    }
}

struct Rig {
    mock: Mock<u8>,
    now: Instant,
    outcomes: Vec<MockOutcome>,
}

impl Rig {
    fn new(conversations: Vec<RecordedConversation>, options: MockOptions) -> Self {
        Self::with_masks(conversations, options, Masks::default())
    }

    fn with_masks(
        conversations: Vec<RecordedConversation>,
        options: MockOptions,
        masks: Masks,
    ) -> Self {
        let recording = Recording {
            conversations,
            ..Recording::default()
        };
        Self {
            mock: Mock::new(&recording, options, masks, [1; 32]),
            now: Instant::now(),
            outcomes: Vec::new(),
        }
    }

    fn receive(&mut self, from: u8, message: &[u8]) {
        self.mock
            .handle_message(self.now, Some(from), &Bytes::copy_from_slice(message));
    }

    /// The output until `for_millis` have passed.
    fn sent(&mut self, for_millis: u64) -> Vec<(u8, Vec<u8>)> {
        let end = self.now + Duration::from_millis(for_millis);
        let mut sent = Vec::new();
        loop {
            match self.mock.poll_output(self.now) {
                MockOutput::Transmit { to, message } => sent.push((to, message.to_vec())),
                MockOutput::Finished(outcome) => self.outcomes.push(outcome),
                MockOutput::Timeout(at) if at <= end => self.now = at,
                MockOutput::Timeout(_) | MockOutput::Idle => {
                    self.now = end;
                    return sent;
                }
            }
        }
    }

    /// A client takes nothing for a time, and is not read meanwhile.
    fn leave_unread(&mut self, client: u8, for_millis: u64) {
        self.mock.handle_blocked(client);
        assert_eq!(self.sent(for_millis), []);
        self.mock.handle_ready(self.now, client);
    }

    /// Opens a conversation and returns the id that it was given.
    fn open(&mut self, from: u8, client: [u8; 3]) -> [u8; 3] {
        self.receive(from, &[&[0xa1], &client[..], b"any"].concat());
        let sent = self.sent(0);
        assert_eq!(sent[0].0, from);
        assert_eq!(sent[0].1[..4], [&[0x51], &client[..]].concat());
        sent[0].1[4..].try_into().unwrap()
    }

    fn send(&mut self, from: u8, server: [u8; 3], bytes: &[u8]) {
        self.receive(from, &[&[0xa0], &server[..], bytes].concat());
    }
}

fn frame(byte: u8, id: [u8; 3], payload: &[u8]) -> Vec<u8> {
    [&[byte], &id[..], payload].concat()
}

const A: [u8; 3] = [0xaa; 3];
const B: [u8; 3] = [0xbb; 3];

fn two() -> Vec<RecordedConversation> {
    vec![
        recorded(1, b"one", b"first"),
        recorded(2, b"two", b"second"),
    ]
}

#[test]
fn a_conversation_is_matched_by_what_the_client_sends_in_any_pieces() {
    for pieces in 1..=3 {
        let mut rig = Rig::new(two(), MockOptions::default());
        let server = rig.open(7, A);
        for piece in b"two".chunks(pieces) {
            rig.send(7, server, piece);
        }
        assert_eq!(
            rig.sent(1_000),
            [(7, frame(0x50, A, b"second")), (7, frame(0x52, A, b"")),]
        );
        let [outcome] = &*rig.outcomes else {
            panic!("{:?}", rig.outcomes);
        };
        assert_eq!(outcome.conversation, Some(ConversationId(2)));
        assert_eq!(outcome.matched, Matched::Exactly);
        assert_eq!(outcome.result, ReplayResult::Same);
    }
}

#[test]
fn an_empty_message_does_not_make_a_client_one_that_asks_for_nothing() {
    let silent: [(u8, &[u8], Effect); 3] = [
        (0xa1, b"destination", Effect::Opened),
        (0x51, b"\x01\x02\x03", Effect::Accepted),
        (0xa2, b"", Effect::Closed),
    ];
    let conversations = vec![conversation(1, &silent), recorded(2, b"two", b"second")];
    let mut rig = Rig::new(conversations, MockOptions::default());
    let server = rig.open(7, A);
    rig.send(7, server, b"");
    rig.send(7, server, b"two");
    let sent = rig.sent(100);
    assert_eq!(
        sent,
        [(7, frame(0x50, A, b"second")), (7, frame(0x52, A, b""))]
    );
    // The other one is still there for a client that closes without a word.
    let server = rig.open(7, B);
    rig.send(7, server, b"");
    rig.receive(7, &frame(0xa2, server, b""));
    rig.sent(0);
    let told = rig
        .outcomes
        .iter()
        .map(|outcome| (outcome.conversation, outcome.result));
    let same = |number| (Some(ConversationId(number)), ReplayResult::Same);
    assert_eq!(told.collect::<Vec<_>>(), [same(2), same(1)]);
}

#[test]
fn masked_bytes_of_the_client_may_be_more_or_fewer() {
    for agent in ["", "x", "curl", "a much longer name than the recorded one"] {
        let conversations = vec![
            recorded(1, b"other", b"first"),
            recorded(2, b"GET <curl>\n", b"second"),
        ];
        let masks = Masks::new(vec!["c2s:/<[^>]*>/".parse().unwrap()]);
        let mut rig = Rig::with_masks(conversations, MockOptions::default(), masks);
        let server = rig.open(7, A);
        rig.send(7, server, format!("GET <{agent}>\n").as_bytes());
        assert_eq!(
            rig.sent(1_000),
            [(7, frame(0x50, A, b"second")), (7, frame(0x52, A, b""))],
            "{agent}"
        );
        assert_eq!(rig.outcomes[0].matched, Matched::Exactly);
        assert_eq!(rig.outcomes[0].result, ReplayResult::Same, "{agent}");
    }
}

#[test]
fn what_is_like_nothing_is_closed_at_once_and_leaves_the_recording_to_others() {
    for (unmatched, closed) in [
        (Unmatched::Refuse, true),
        (Unmatched::Close, true),
        (Unmatched::Silence, false),
    ] {
        let options = MockOptions {
            unmatched,
            ..MockOptions::default()
        };
        let mut rig = Rig::new(two(), options);
        let server = rig.open(7, A);
        rig.send(7, server, b"xyz");
        let expected = if closed {
            vec![(7, frame(0x52, A, b""))]
        } else {
            Vec::new()
        };
        assert_eq!(rig.sent(0), expected, "{unmatched:?}");
        if !closed {
            assert_eq!(rig.sent(60_000), []);
            rig.receive(7, &frame(0xa2, server, b""));
            assert_eq!(rig.sent(0), []);
        }
        assert_eq!(rig.outcomes[0].matched, Matched::Not);
        assert_eq!(rig.outcomes[0].result, ReplayResult::Skipped);
        for request in [&b"two"[..], b"one"] {
            let server = rig.open(8, B);
            rig.send(8, server, request);
            assert_eq!(rig.sent(1_000).len(), 2, "{unmatched:?}");
        }
        assert!(rig.mock.is_used_up());
    }
}

const PAGE_A: &[u8] = b"GET /a HTTP/1.1\r\nHost: x:80\r\n\r\n";
const PAGE_B: &[u8] = b"GET /b HTTP/1.1\r\nHost: x:80\r\n\r\n";

fn pages() -> Vec<RecordedConversation> {
    vec![
        recorded(1, PAGE_A, b"first"),
        recorded(2, PAGE_B, b"second"),
    ]
}

#[test]
fn a_request_for_the_same_with_other_fields_is_played_in_any_pieces_and_differs() {
    // Shorter, as long, and longer than the recorded one.
    for host in ["y", "y:80", "other.example:8080"] {
        let request = format!("GET /b HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for cut in 1..=request.len() {
            let mut rig = Rig::new(pages(), MockOptions::default());
            let server = rig.open(7, A);
            for piece in [&request.as_bytes()[..cut], &request.as_bytes()[cut..]] {
                rig.send(7, server, piece);
            }
            let answer = (7, frame(0x50, A, b"second"));
            assert_eq!(rig.sent(1_000), [answer, (7, frame(0x52, A, b""))]);
            let [outcome] = &*rig.outcomes else {
                panic!("{:?}", rig.outcomes);
            };
            assert_eq!(outcome.matched, Matched::Nearest);
            assert_eq!(outcome.result, ReplayResult::Differs);
            assert_eq!(outcome.suggested_masks, ["c2s:/Host: [^\\r]+/"]);
        }
    }
}

#[test]
fn a_path_that_was_not_recorded_is_closed_when_its_head_is_whole() {
    let request = b"GET /c HTTP/1.1\r\nHost: x:80\r\n\r\n";
    let mut rig = Rig::new(pages(), MockOptions::default());
    let server = rig.open(7, A);
    rig.send(7, server, &request[..20]);
    assert_eq!(rig.sent(100), []);
    rig.send(7, server, &request[20..]);
    assert_eq!(rig.sent(0), [(7, frame(0x52, A, b""))]);
}

#[test]
fn a_client_that_owes_the_rest_of_its_request_is_closed_in_time() {
    let mut rig = Rig::new(pages(), MockOptions::default());
    let server = rig.open(7, A);
    rig.send(7, server, b"GET /a HT");
    assert_eq!(rig.sent(4_900), []);
    assert_eq!(rig.sent(200), [(7, frame(0x52, A, b""))]);
}

#[test]
fn equal_requests_are_answered_in_the_recorded_order() {
    let both = vec![
        recorded(1, b"get", b"first"),
        recorded(2, b"get", b"second"),
    ];
    let mut rig = Rig::new(both, MockOptions::default());
    for (client, answer) in [(A, &b"first"[..]), (B, b"second")] {
        let server = rig.open(7, client);
        rig.send(7, server, b"get");
        assert_eq!(rig.sent(1_000)[0].1, frame(0x50, client, answer));
    }
    assert!(rig.mock.is_used_up());
}

#[test]
fn the_unmatched_are_met_by_the_policy() {
    for (unmatched, expected) in [
        (Unmatched::Refuse, vec![0x52]),
        (Unmatched::Close, vec![0x51, 0x52]),
        (Unmatched::Silence, vec![]),
    ] {
        let options = MockOptions {
            unmatched,
            ..MockOptions::default()
        };
        let mut rig = Rig::new(Vec::new(), options);
        rig.receive(7, &frame(0xa1, A, b"any"));
        let types: Vec<u8> = rig.sent(0).iter().map(|(_, bytes)| bytes[0]).collect();
        assert_eq!(types, expected, "{unmatched:?}");
        assert_eq!(rig.outcomes[0].matched, Matched::Not);
        assert_eq!(rig.outcomes[0].result, ReplayResult::Skipped);
    }
}

#[test]
fn a_recorded_refusal_is_played_in_its_turn() {
    let refused = conversation(
        1,
        &[(0xa1, b"d", Effect::Opened), (0x52, b"", Effect::Refused)],
    );
    let mut rig = Rig::new(
        vec![refused, recorded(2, b"two", b"second")],
        MockOptions::default(),
    );
    rig.receive(7, &frame(0xa1, A, b"any"));
    assert_eq!(rig.sent(0), [(7, frame(0x52, A, b""))]);
    rig.open(7, B);
}

#[test]
fn the_turn_of_a_refusal_comes_behind_a_client_that_has_not_spoken_yet() {
    let refused = conversation(
        2,
        &[(0xa1, b"d", Effect::Opened), (0x52, b"", Effect::Refused)],
    );
    let all = vec![
        recorded(1, b"one", b"first"),
        refused,
        recorded(3, b"two", b"third"),
    ];
    let mut rig = Rig::new(all, MockOptions::default());
    let first = rig.open(7, A);
    rig.receive(7, &frame(0xa1, B, b"any"));
    assert_eq!(rig.sent(0), [(7, frame(0x52, B, b""))]);
    let third = rig.open(7, B);
    // The two that were accepted may still change places.
    rig.send(7, first, b"two");
    rig.send(7, third, b"one");
    let sent = rig.sent(1_000);
    assert!(sent.contains(&(7, frame(0x50, A, b"third"))), "{sent:?}");
    assert!(sent.contains(&(7, frame(0x50, B, b"first"))), "{sent:?}");
    assert!(rig.mock.is_used_up());
}

#[test]
fn a_server_that_speaks_first_does_so_at_its_time() {
    let greeting = conversation(
        1,
        &[
            (0xa1, b"d", Effect::Opened),
            (0x51, b"\x01\x02\x03", Effect::Accepted),
            (0x50, b"220 ready\r\n", Effect::Carried),
            (0xa2, b"", Effect::Closed),
        ],
    );
    let mut rig = Rig::new(vec![greeting], MockOptions::default());
    let server = rig.open(7, A);
    assert_eq!(rig.sent(9), []);
    assert_eq!(rig.sent(1), [(7, frame(0x50, A, b"220 ready\r\n"))]);
    rig.receive(7, &frame(0xa2, server, b""));
    assert_eq!(rig.sent(0), []);
    assert_eq!(rig.outcomes[0].result, ReplayResult::Same);
}

#[test]
fn only_the_peer_of_a_conversation_is_heard() {
    let mut rig = Rig::new(two(), MockOptions::default());
    let server = rig.open(7, A);
    rig.send(8, server, b"one");
    assert_eq!(rig.sent(1_000), []);
    rig.send(7, server, b"one");
    assert_eq!(rig.sent(1_000).len(), 2);
}

#[test]
fn a_client_that_is_not_read_is_not_called_silent() {
    let mut rig = Rig::new(two(), MockOptions::default());
    let server = rig.open(7, A);
    rig.send(7, server, b"o");
    // Also where its time is not over yet when it is read again.
    rig.leave_unread(7, 4_900);
    assert_eq!(rig.sent(4_000), []);
    assert_eq!(rig.outcomes, []);
    rig.leave_unread(7, 6_000);
    assert_eq!(rig.outcomes, []);
    // It takes messages again, and what it has sent meanwhile is read.
    assert_eq!(rig.sent(100), []);
    rig.send(7, server, b"ne");
    assert_eq!(rig.sent(100)[0].1, frame(0x50, A, b"first"));
    // Read, it is.
    let silent = rig.open(7, B);
    rig.send(7, silent, b"t");
    rig.leave_unread(7, 6_000);
    rig.sent(5_000);
    let results: Vec<_> = rig.outcomes.iter().map(|outcome| outcome.result).collect();
    assert_eq!(results.last(), Some(&ReplayResult::NoReply), "{results:?}");
}

#[test]
fn nobody_is_called_silent_while_the_link_takes_nothing() {
    let mut rig = Rig::new(two(), MockOptions::default());
    let server = rig.open(7, A);
    rig.send(7, server, b"o");
    rig.now += Duration::from_secs(6);
    rig.mock.handle_all_ready(rig.now);
    assert_eq!(rig.sent(100), []);
    assert_eq!(rig.outcomes, []);
    rig.send(7, server, b"ne");
    assert_eq!(rig.sent(100)[0].1, frame(0x50, A, b"first"));
}

#[test]
fn an_answer_at_a_speed_slower_than_any_clock_does_not_go_at_once() {
    let options = MockOptions {
        speed: Some(1e-300),
        ..MockOptions::default()
    };
    let mut rig = Rig::new(two(), options);
    let server = rig.open(7, A);
    rig.send(7, server, b"one");
    assert_eq!(rig.sent(1_000_000_000), []);
}

#[test]
fn recorded_conversations_may_be_played_again() {
    let options = MockOptions {
        loops: Loops::Forever,
        speed: None,
        ..MockOptions::default()
    };
    let mut rig = Rig::new(two(), options);
    for round in 0..5 {
        for (request, answer) in [(&b"one"[..], &b"first"[..]), (b"two", b"second")] {
            let server = rig.open(7, A);
            rig.send(7, server, request);
            assert_eq!(rig.sent(0)[0].1, frame(0x50, A, answer), "round {round}");
        }
    }
    assert!(!rig.mock.is_used_up());
}

#[test]
fn a_silent_and_a_leaving_client_have_results_of_their_own() {
    let mut rig = Rig::new(two(), MockOptions::default());
    let server = rig.open(7, A);
    rig.send(7, server, b"tw");
    assert_eq!(rig.sent(4_999), []);
    assert_eq!(rig.outcomes, []);
    rig.sent(1);
    assert_eq!(rig.outcomes[0].result, ReplayResult::NoReply);

    let server = rig.open(7, B);
    rig.send(7, server, b"tw");
    rig.receive(7, &frame(0xa2, server, b""));
    rig.sent(0);
    assert_ne!(rig.outcomes[1].result, ReplayResult::Same);
}

#[test]
fn a_conversation_that_brings_more_than_is_kept_ends_and_tells_the_bound() {
    let options = MockOptions {
        max_received_bytes: 10,
        ..MockOptions::default()
    };
    for length in [9, 10, 11, 100] {
        let long = recorded(1, b"0123456789 and more", b"answer");
        let mut rig = Rig::new(vec![long], options);
        let server = rig.open(7, A);
        for byte in &b"0123456789 and more and more"[..length.min(28)] {
            rig.send(7, server, &[*byte]);
        }
        let is_over = length > 10;
        let expected = if is_over {
            vec![(7, frame(0x52, A, b""))]
        } else {
            Vec::new()
        };
        assert_eq!(rig.sent(0), expected, "{length}");
        rig.mock.stop();
        rig.sent(0);
        assert_eq!(rig.outcomes[0].over_bound, is_over.then_some(10));
        assert_eq!(rig.outcomes[0].c2s_got_bytes, length.min(11));
        assert_eq!(rig.mock.held_bytes(), 0);
    }
}

#[test]
fn where_all_hold_too_much_the_conversation_that_holds_most_ends_and_the_others_go_on() {
    let options = MockOptions {
        max_held_bytes: 100,
        loops: Loops::Forever,
        ..MockOptions::default()
    };
    let request = vec![b'x'; 200].leak();
    let mut rig = Rig::new(vec![recorded(1, request, b"answer")], options);
    let small: Vec<_> = (1..=4)
        .map(|number| (number, rig.open(number, A)))
        .collect();
    for (number, server) in &small {
        rig.send(*number, *server, &request[..20]);
    }
    let hog = rig.open(9, B);
    rig.send(9, hog, &request[..20]);
    assert_eq!(rig.sent(0), []);
    assert_eq!(rig.mock.held_bytes(), 100);
    rig.send(9, hog, &request[..1]);
    assert_eq!(rig.sent(0), [(9, frame(0x52, B, b""))]);
    assert_eq!(rig.outcomes[0].over_bound, Some(100));
    assert_eq!(rig.mock.held_bytes(), 80);
    for (number, server) in small {
        rig.receive(number, &frame(0xa2, server, b""));
    }
    rig.sent(0);
    assert_eq!(rig.outcomes.len(), 5);
    assert_eq!(rig.mock.held_bytes(), 0);
}

#[test]
fn nothing_is_kept_of_what_is_left_without_an_answer() {
    let options = MockOptions {
        unmatched: Unmatched::Silence,
        max_received_bytes: 10,
        ..MockOptions::default()
    };
    let mut rig = Rig::new(two(), options);
    let server = rig.open(7, A);
    for _ in 0..100 {
        rig.send(7, server, b"xyz");
    }
    assert_eq!(rig.mock.held_bytes(), 0);
    rig.mock.stop();
    rig.sent(0);
    assert_eq!(rig.outcomes[0].c2s_got_bytes, 300);
    assert_eq!(rig.outcomes[0].over_bound, None);
}

#[test]
fn a_client_that_takes_nothing_waits_for_all_in_order_and_holds_up_nobody() {
    let options = MockOptions {
        loops: Loops::Forever,
        speed: None,
        ..MockOptions::default()
    };
    let mut rig = Rig::new(two(), options);
    let slow = rig.open(7, A);
    rig.send(7, slow, b"one");
    // The next message waits already, and nothing follows it.
    rig.mock.handle_blocked(7);
    assert!(rig.mock.is_blocked(7));
    assert_eq!(rig.sent(60_000), []);
    rig.receive(7, &frame(0xa1, B, b"any"));
    assert_eq!(rig.sent(0), []);
    let other = rig.open(8, A);
    rig.send(8, other, b"two");
    assert_eq!(
        rig.sent(0),
        [(8, frame(0x50, A, b"second")), (8, frame(0x52, A, b""))]
    );
    rig.mock.handle_ready(rig.now, 7);
    let sent = rig.sent(0);
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert_eq!(
        sent[..2],
        [(7, frame(0x50, A, b"first")), (7, frame(0x52, A, b""))]
    );
    assert_eq!(sent[2].1[..4], frame(0x51, B, b""));
    // Whoever leaves leaves nothing behind.
    rig.mock.handle_blocked(7);
    rig.mock.handle_link_lost(Some(7));
    assert!(!rig.mock.is_blocked(7));
}

#[test]
fn no_client_opens_more_conversations_than_it_leaves_to_others() {
    let options = MockOptions {
        loops: Loops::Forever,
        ..MockOptions::default()
    };
    let mut rig = Rig::new(two(), options);
    let mut accepted = |client: u8| {
        for number in 0..40_000_u32 {
            let [_, id @ ..] = number.to_be_bytes();
            rig.receive(client, &frame(0xa1, id, b"any"));
        }
        let sent = rig.sent(0);
        sent.iter().filter(|(_, bytes)| bytes[0] == 0x51).count()
    };
    assert_eq!([1, 2, 3].map(&mut accepted), [32_768, 16_384, 8_192]);
    for client in [1, 2, 3] {
        rig.mock.handle_link_lost(Some(client));
    }
    assert!(rig.mock.sessions.of_client.is_empty());
    rig.open(4, A);
}

#[test]
fn a_client_has_the_conversations_that_it_opened_and_did_not_end() {
    let options = MockOptions {
        loops: Loops::Forever,
        ..MockOptions::default()
    };
    let mut rig = Rig::new(two(), options);
    let servers = [A, B, [0xcc; 3]].map(|client| rig.open(7, client));
    assert_eq!(rig.mock.sessions.count_of(7), 3);
    for (server, left) in servers.into_iter().zip([2, 1, 0]) {
        rig.receive(7, &frame(0xa2, server, b""));
        rig.sent(0);
        assert_eq!(rig.mock.sessions.count_of(7), left);
    }
}

#[test]
fn of_equally_near_conversations_the_one_that_is_held_for_the_client_is_played() {
    let equal = vec![
        recorded(1, PAGE_B, b"first"),
        recorded(2, PAGE_B, b"second"),
    ];
    let mut rig = Rig::new(equal, MockOptions::default());
    rig.open(7, A);
    let server = rig.open(7, B);
    rig.send(7, server, b"GET /b HTTP/1.1\r\nHost: y:80\r\n\r\n");
    assert_eq!(rig.sent(1_000)[0].1, frame(0x50, B, b"second"));
}

/// A server that greets with a few bytes, with none, and with many, and then takes its leave.
fn greeting() -> RecordedConversation {
    let messages: [(u8, &'static [u8], Effect); 6] = [
        (0xa1, b"destination", Effect::Opened),
        (0x51, b"\x01\x02\x03", Effect::Accepted),
        (0x50, b"hi", Effect::Carried),
        (0x50, b"", Effect::Carried),
        (0x50, &[7; 2_000], Effect::Carried),
        (0x52, b"", Effect::Closed),
    ];
    conversation(1, &messages)
}

fn unproven() -> MockOptions {
    MockOptions {
        loops: Loops::Forever,
        address_proof: AddressProof::Required,
        ..MockOptions::default()
    }
}

fn bytes_of(sent: &[(u8, Vec<u8>)]) -> usize {
    sent.iter().map(|(_, message)| message.len()).sum()
}

#[test]
fn a_mock_sends_an_unproven_address_at_most_three_times_what_came_from_there() {
    for unmatched in [Unmatched::Refuse, Unmatched::Close, Unmatched::Silence] {
        for loops in [Loops::Forever, Loops::Times(1)] {
            let mut rig = Rig::new(
                vec![greeting()],
                MockOptions {
                    unmatched,
                    loops,
                    ..unproven()
                },
            );
            for number in 0..700_u16 {
                let [high, low] = number.to_be_bytes();
                let syn = frame(0xa1, [1, high, low], &vec![0; usize::from(number)]);
                rig.receive(7, &syn);
                // Patience with silent clients is 5 s.
                let sent = rig.sent(60_000);
                let (came, went) = (syn.len(), bytes_of(&sent));
                assert!(went <= 3 * came, "{went} bytes for {came}: {sent:?}");
                if loops == Loops::Forever {
                    assert_eq!(sent.last().unwrap().1, frame(0x52, [1, high, low], b""));
                }
            }
        }
    }
}

#[test]
fn what_an_unproven_address_was_played_is_left_to_others() {
    let options = MockOptions {
        loops: Loops::Times(1),
        ..unproven()
    };
    let mut rig = Rig::new(vec![greeting()], options);
    for number in 0..10 {
        rig.receive(7, &frame(0xa1, [1, 0, number], &[0; 300]));
        rig.sent(60_000);
        assert!(!rig.mock.is_used_up());
    }
    rig.receive(8, &frame(0xa1, [2, 0, 0], &[0; 300]));
    let sent = rig.sent(0);
    let server_id: [u8; 3] = sent[0].1[4..].try_into().unwrap();
    rig.receive(8, &frame(0xa0, server_id, b""));
    rig.sent(60_000);
    assert!(
        rig.mock.is_used_up(),
        "played once to somebody who is there"
    );
}

#[test]
fn a_proof_that_comes_behind_the_close_uses_up_what_was_played() {
    let mut rig = Rig::new(vec![farewell()], once_at_top_speed());
    for (client, is_there) in [(7, false), (8, true)] {
        let server = rig.greeted(client, A).unwrap();
        assert!(rig.outcomes.is_empty());
        if is_there {
            rig.receive(client, &frame(0xa0, server, b""));
        }
        assert_eq!(rig.sent(if is_there { 0 } else { 5_000 }), []);
        let outcome = rig.outcomes.pop().unwrap();
        assert_eq!(outcome.result, ReplayResult::Same);
        assert_eq!(rig.mock.is_used_up(), is_there);
    }
}

/// Greets and closes: all of it goes out before anybody can answer.
fn farewell() -> RecordedConversation {
    farewell_with(1, b"hi")
}

fn farewell_with(number: u64, greeting: &'static [u8]) -> RecordedConversation {
    let messages: [(u8, &'static [u8], Effect); 4] = [
        (0xa1, b"destination", Effect::Opened),
        (0x51, b"\x01\x02\x03", Effect::Accepted),
        (0x50, greeting, Effect::Carried),
        (0x52, b"", Effect::Closed),
    ];
    conversation(number, &messages)
}

/// Each is played once, as fast as may be, and clients have to prove their addresses.
fn once_at_top_speed() -> MockOptions {
    MockOptions {
        loops: Loops::Times(1),
        speed: None,
        ..unproven()
    }
}

impl Rig {
    /// Opens a conversation that is a [`farewell`]; returns its id, or `None` if it is refused.
    fn greeted(&mut self, client: u8, id: [u8; 3]) -> Option<[u8; 3]> {
        self.greeted_with(client, id, b"hi")
    }

    fn greeted_with(&mut self, client: u8, id: [u8; 3], greeting: &[u8]) -> Option<[u8; 3]> {
        self.receive(client, &frame(0xa1, id, &[0; 387]));
        let sent = self.sent(0);
        let refused = [(client, frame(0x52, id, b""))];
        if sent == refused {
            return None;
        }
        let rest = [(client, frame(0x50, id, greeting)), refused[0].clone()];
        assert_eq!(sent[1..], rest);
        Some(sent[0].1[4..].try_into().unwrap())
    }
}

#[test]
fn what_was_played_without_a_proof_is_left_to_others_from_its_close_on() {
    let mut rig = Rig::new(vec![farewell()], once_at_top_speed());
    let forged = rig.greeted(7, A).unwrap();
    let server = rig.greeted(8, B).unwrap();
    assert!(!rig.mock.is_used_up());
    rig.send(8, server, b"");
    assert_eq!(rig.sent(0), []);
    assert_eq!(rig.greeted(9, [9; 3]), None, "it is used up");
    // One that is proven when another has used it up takes nothing more.
    rig.send(7, forged, b"");
    assert_eq!(rig.sent(0), []);
    assert!(rig.mock.is_used_up());
    let results: Vec<_> = rig.outcomes.iter().map(|outcome| outcome.result).collect();
    assert_eq!(
        results,
        [
            ReplayResult::Same,
            ReplayResult::Skipped,
            ReplayResult::Same
        ]
    );
}

#[test]
fn clients_whose_proofs_are_on_their_way_get_a_conversation_each() {
    let scripts = vec![farewell(), farewell_with(2, b"welcome")];
    let mut rig = Rig::new(scripts, once_at_top_speed());
    let first = rig.greeted(7, A).unwrap();
    let second = rig.greeted_with(8, B, b"welcome").unwrap();
    for (client, server) in [(7, first), (8, second)] {
        assert!(!rig.mock.is_used_up());
        rig.send(client, server, b"");
        assert_eq!(rig.sent(0), []);
    }
    assert!(rig.mock.is_used_up());
}

#[test]
fn a_late_proof_counts_while_another_is_played_the_same() {
    let mut rig = Rig::new(vec![farewell()], once_at_top_speed());
    let client = rig.greeted(8, B).unwrap();
    rig.greeted(7, A).unwrap();
    rig.send(8, client, b"");
    assert_eq!(rig.sent(0), []);
    assert_eq!(
        rig.greeted(9, [9; 3]),
        None,
        "it was played to somebody who is there"
    );
    rig.sent(60_000);
    assert!(rig.mock.is_used_up());
}

#[test]
fn messages_that_cross_the_close_prove_the_address_and_nothing_else() {
    let options = MockOptions {
        speed: None,
        ..unproven()
    };
    for address_proof in [AddressProof::Required, AddressProof::NotNeeded] {
        for (byte, bytes) in [(0xa0, &b""[..]), (0xa0, b"unheard"), (0xa2, b"")] {
            let options = MockOptions {
                address_proof,
                ..options
            };
            let mut rig = Rig::new(vec![farewell()], options);
            let server = rig.greeted(8, B).unwrap();
            rig.receive(8, &frame(byte, server, bytes));
            assert_eq!(rig.sent(0), []);
            let outcome = rig.outcomes.pop().unwrap();
            assert_eq!(outcome.result, ReplayResult::Same, "{byte:x} {bytes:?}");
            assert_eq!((outcome.c2s_got_bytes, rig.mock.held_bytes()), (0, 0));
        }
    }
}

#[test]
fn conversations_that_the_mock_has_closed_do_not_count_as_unproven() {
    let options = MockOptions {
        speed: None,
        max_unproven: 2,
        ..unproven()
    };
    let mut rig = Rig::new(vec![farewell()], options);
    let servers: Vec<_> = (0..10)
        .map(|number| rig.greeted(7, [1, 0, number]).unwrap())
        .collect();
    assert_eq!(rig.mock.open_count(), 10);
    for server in servers {
        rig.send(7, server, b"");
    }
    assert_eq!(rig.mock.open_count(), 0);
    // Those that are open count as before.
    let mut rig = Rig::new(vec![recorded(1, b"one", b"first")], options);
    for (number, is_open) in [(1, true), (2, true), (3, false)] {
        rig.receive(7, &frame(0xa1, [1, 0, number], &[0; 387]));
        assert_eq!(rig.sent(0)[0].1[0] == 0x51, is_open, "{number}");
    }
}

#[test]
fn closed_conversations_without_a_proof_are_bounded_and_the_first_goes() {
    let options = MockOptions {
        speed: None,
        ..unproven()
    };
    let mut rig = Rig::new(vec![farewell()], options);
    for number in 0..MAX_CLOSED + 10 {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        rig.greeted(7, [1, high, low]).unwrap();
    }
    assert_eq!(rig.mock.open_count(), MAX_CLOSED);
    let ended: Vec<_> = rig.outcomes.iter().map(|one| one.client_id.0.0).collect();
    let first: Vec<_> = (0..10).map(|number| [1, 0, number]).collect();
    assert_eq!(ended, first);
    rig.sent(5_000);
    assert_eq!(rig.mock.open_count(), 0);
}

#[test]
fn conversations_without_a_proof_are_limited_for_each_origin() {
    let options = MockOptions {
        max_unproven: 3,
        ..unproven()
    };
    let mut rig = Rig::new(vec![recorded(1, b"one", b"first")], options);
    let recording = Recording {
        conversations: vec![recorded(1, b"one", b"first")],
        ..Recording::default()
    };
    // Ten clients of one origin each, but for those from 100 on, which have none.
    rig.mock = Mock::with_origins(&recording, options, Masks::default(), [1; 32], |client| {
        (client < 100).then_some(u128::from(client / 10))
    });
    let syn = |number: u8| frame(0xa1, [9, 9, number], &[0; 387]);
    let mut servers = Vec::new();
    let mut opens = |rig: &mut Rig, client: u8, number: u8| {
        rig.receive(client, &syn(number));
        let (to, answer) = rig.sent(0).pop().unwrap();
        assert_eq!(to, client);
        let is_open = answer[0] == 0x51;
        if is_open {
            servers.push(<[u8; 3]>::try_from(&answer[4..]).unwrap());
        } else {
            assert_eq!(answer, frame(0x52, [9, 9, number], b""));
        }
        is_open
    };
    for (client, number, is_open) in [
        (10, 1, true),
        (11, 2, true),
        (12, 3, true),
        (13, 4, false),
        (10, 5, false),
        (20, 6, true),
        (100, 7, true),
        (101, 8, true),
        (100, 9, true),
        (100, 10, true),
        (100, 11, false),
        (102, 12, true),
    ] {
        assert_eq!(
            opens(&mut rig, client, number),
            is_open,
            "{client} {number}"
        );
    }
    // One has proven its address, and one that has not has left.
    let server = servers[0];
    rig.send(10, server, b"o");
    let mut servers = Vec::new();
    let mut opens = |rig: &mut Rig, client: u8, number: u8| {
        rig.receive(client, &syn(number));
        let (_, answer) = rig.sent(0).pop().unwrap();
        servers.push(answer[0]);
        answer[0] == 0x51
    };
    assert!(opens(&mut rig, 14, 13));
    assert!(!opens(&mut rig, 14, 14));
    rig.mock.handle_link_lost(Some(11));
    assert!(opens(&mut rig, 14, 15));
    assert!(!opens(&mut rig, 14, 16));
    // Those that stay silent end, and nothing is left of them.
    rig.sent(60_000);
    assert_eq!(rig.mock.open_count(), 0);
    for (client, number) in [(15, 17), (15, 18), (16, 19)] {
        assert!(opens(&mut rig, client, number));
    }
    assert!(!opens(&mut rig, 17, 20));
}

#[test]
fn a_client_that_never_proves_its_address_leaves_its_place_to_another() {
    let options = MockOptions {
        loops: Loops::Times(1),
        ..unproven()
    };
    let mut rig = Rig::new(vec![recorded(1, b"one", b"first")], options);
    rig.receive(7, &frame(0xa1, A, b"any"));
    rig.sent(0);
    assert_eq!(rig.sent(5_000), [(7, frame(0x52, A, b""))]);
    let server = rig.open(8, B);
    rig.send(8, server, b"one");
    assert_eq!(rig.sent(1_000)[0].1, frame(0x50, B, b"first"));
}

#[test]
fn a_long_request_is_known_under_a_mask_although_the_next_one_follows_at_once() {
    const REQUEST: [u8; 600] = [b'r'; 600];
    let messages: [(u8, &'static [u8], Effect); 7] = [
        (0xa1, b"destination", Effect::Opened),
        (0x51, b"\x01\x02\x03", Effect::Accepted),
        (0xa0, &REQUEST, Effect::Carried),
        (0x50, b"first", Effect::Carried),
        (0xa0, b"and more..", Effect::Carried),
        (0x50, b"second", Effect::Carried),
        (0x52, b"", Effect::Closed),
    ];
    let options = MockOptions {
        speed: None,
        ..MockOptions::default()
    };
    let masks = Masks::new(vec!["c2s:500..508".parse().unwrap()]);
    let mut rig = Rig::with_masks(vec![conversation(1, &messages)], options, masks);
    let server = rig.open(7, A);
    let mut live = REQUEST;
    live[500..508].fill(b'x');
    for piece in [&live[..590], &live[590..], b"and more.."] {
        rig.send(7, server, piece);
    }
    let sent: Vec<Vec<u8>> = rig
        .sent(0)
        .into_iter()
        .map(|(_, message)| message)
        .collect();
    assert_eq!(
        sent,
        [
            frame(0x50, A, b"first"),
            frame(0x50, A, b"second"),
            frame(0x52, A, b"")
        ]
    );
    assert_eq!(rig.outcomes[0].matched, Matched::Exactly);
}

#[test]
fn the_server_id_in_a_client_message_proves_its_address_to_a_mock() {
    let mut rig = Rig::new(vec![greeting()], unproven());
    rig.receive(7, &frame(0xa1, A, &[0; 20]));
    let sent = rig.sent(1_000);
    let server: [u8; 3] = sent[0].1[4..].try_into().unwrap();
    assert_eq!(
        sent[1..],
        [(7, frame(0x50, A, b"hi")), (7, frame(0x50, A, b""))]
    );
    rig.send(8, server, b"");
    rig.send(7, [server[0] ^ 1, 0, 0], b"");
    assert_eq!(rig.sent(1_000), []);
    rig.send(7, server, b"");
    assert_eq!(
        rig.sent(1_000),
        [(7, frame(0x50, A, &[7; 2_000])), (7, frame(0x52, A, b""))]
    );
    assert_eq!(rig.outcomes[0].result, ReplayResult::Same);
}

#[test]
fn a_long_request_in_small_pieces_is_known_at_once_or_after_a_moment_of_silence() {
    const REQUEST: [u8; 3_000] = [b'r'; 3_000];
    let mut longer = REQUEST;
    longer[2_000] = b'x';
    let mask: Mask = "c2s:2000..2001".parse().unwrap();
    for (masks, request, patience) in [
        (Vec::new(), REQUEST, 0),
        // Not the same byte for byte.
        (vec![mask], longer, 10),
    ] {
        let recorded = vec![
            recorded(1, b"other", b"first"),
            recorded(2, &REQUEST, b"second"),
        ];
        let options = MockOptions {
            speed: None,
            ..MockOptions::default()
        };
        let mut rig = Rig::with_masks(recorded, options, Masks::new(masks));
        let server = rig.open(7, A);
        for byte in request {
            assert_eq!(rig.sent(0), []);
            rig.send(7, server, &[byte]);
        }
        let before = rig.now;
        let sent = rig.sent(patience);
        assert_eq!(
            sent,
            [(7, frame(0x50, A, b"second")), (7, frame(0x52, A, b""))]
        );
        assert_eq!(rig.outcomes[0].result, ReplayResult::Same);
        assert_eq!(rig.now - before, Duration::from_millis(patience));
    }
}

/// A long request with so many bytes in angle brackets, which [`in_brackets`] covers.
fn bracketed(bytes: usize) -> Vec<u8> {
    [
        &[b'r'; 2_000][..],
        b"<",
        &vec![b'x'; bytes],
        b">",
        &[b'r'; 990],
    ]
    .concat()
}

fn in_brackets() -> Masks {
    Masks::new(vec!["c2s:/<[^>]*>/".parse().unwrap()])
}

#[test]
fn a_long_request_with_fewer_bytes_under_a_mask_is_known_after_a_moment_of_silence() {
    let request: &[u8] = bracketed(10).leak();
    for first in [&b""[..], b"first"] {
        let messages = [
            (0xa1, &b"destination"[..], Effect::Opened),
            (0x51, b"\x01\x02\x03", Effect::Accepted),
            (0xa0, first, Effect::Carried),
            (0x50, b"go on", Effect::Carried),
            (0xa0, request, Effect::Carried),
            (0x50, b"answer", Effect::Carried),
            (0x52, b"", Effect::Closed),
        ];
        // Without a first request, the long one is all that the client says.
        let messages = match first {
            b"" => [&messages[..2], &messages[4..]].concat(),
            _ => messages.to_vec(),
        };
        let options = MockOptions {
            speed: None,
            ..MockOptions::default()
        };
        let conversations = vec![recorded(1, b"other", b""), conversation(2, &messages)];
        let mut rig = Rig::with_masks(conversations, options, in_brackets());
        let server = rig.open(7, A);
        if !first.is_empty() {
            rig.send(7, server, first);
            assert_eq!(rig.sent(0), [(7, frame(0x50, A, b"go on"))]);
        }
        for byte in bracketed(1) {
            rig.send(7, server, &[byte]);
        }
        assert_eq!(rig.sent(9), []);
        assert_eq!(
            rig.sent(1),
            [(7, frame(0x50, A, b"answer")), (7, frame(0x52, A, b""))]
        );
        assert_eq!(rig.outcomes[0].result, ReplayResult::Same);
    }
}

#[test]
fn what_follows_a_request_that_is_known_does_not_hold_its_answer_back() {
    let request: &[u8] = bracketed(10).leak();
    // An answer after 10 ms is played after 5.
    let options = MockOptions {
        speed: Some(2.0),
        ..MockOptions::default()
    };
    let recorded = vec![recorded(1, request, b"answer")];
    let mut rig = Rig::with_masks(recorded, options, in_brackets());
    let server = rig.open(7, A);
    rig.send(7, server, &bracketed(1));
    assert_eq!(rig.sent(1), []);
    rig.send(7, server, b"r");
    assert_eq!(rig.sent(4), []);
    assert_eq!(rig.sent(1), [(7, frame(0x50, A, b"answer"))]);
}

#[test]
fn a_long_request_that_comes_byte_by_byte_is_looked_at_when_it_has_grown_by_an_eighth() {
    for aligned in [0, 100_000] {
        let mut rig = Rig::new(two(), MockOptions::default());
        rig.open(7, A);
        let (now, session) = (rig.now, &mut rig.mock.sessions[0]);
        session.received = vec![0; aligned];
        session.aligned = (0, aligned);
        let mut count = 0;
        for _ in 0..50_000 {
            session.received.push(0);
            count += u32::from(session.examine(now, Length::Other) == Examines::Now);
        }
        // The first 512 bytes, and 39 eighths.
        assert!((512 + 35..512 + 45).contains(&count), "{aligned}: {count}");
    }
}

#[test]
fn a_close_goes_into_the_room_that_is_left_for_it() {
    // Three times 391 bytes may go: an ACK of 7, this, and a close of 4.
    const GREETING: [u8; 3 * 391 - 7 - 4 - 4] = [7; 3 * 391 - 7 - 4 - 4];
    let mut rig = Rig::new(vec![farewell_with(1, &GREETING)], once_at_top_speed());
    assert!(rig.greeted_with(7, A, &GREETING).is_some());
}
