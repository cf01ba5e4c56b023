//! Clients of a mock, and servers of a replay, that are made to keep it busy.

use std::io::Cursor;
use std::time::Instant;

use bytes::Bytes;
use ministream::capture::{CaptureFile, PacketSource as _};
use ministream::conversation::EndOfInput;
use ministream::dissect::{DissectOptions, Dissector};
use ministream::replay::inject::{self, Executor, InjectOutput};
use ministream::replay::mock::{Mock, MockOptions, MockOutput};
use ministream::replay::{
    Loops, Masks, MidStream, Plan, PlayOptions, Player, PlayerOutput, Recording, RecordingSink,
    Wanted,
};
use ministream_fixtures::file::Pcap;
use ministream_fixtures::message::{ack, client_data, id, server_close, server_data, syn};
use ministream_fixtures::{End, Link, UdpFlow, Wire, sample_destination};

use crate::count::linear;

/// A recording of as many conversations, each with this request and one answer.
fn recording(count: usize, request: impl Fn(usize) -> Vec<u8>) -> Recording {
    let mut wire = Wire::new(Link::ETHERNET);
    let ends = ["192.0.2.1:40000", "192.0.2.2:9004"].map(|end| end.parse().expect("an address"));
    let flow = UdpFlow::new(ends[0], ends[1]);
    let destination = sample_destination();
    for number in 0..count {
        let both = id(number as u32 + 1);
        flow.send(&mut wire, End::Client, &syn(both, &destination));
        flow.send(&mut wire, End::Server, &ack(both, both));
        flow.send(&mut wire, End::Client, &client_data(both, &request(number)));
        flow.send(&mut wire, End::Server, &server_data(both, b"answer"));
        flow.send(&mut wire, End::Server, &server_close(both));
    }
    let file = Cursor::new(Pcap::USUAL.write(&wire));
    let mut capture = CaptureFile::from_reader("made", file).expect("it is a capture");
    let wanted = Wanted {
        named: None,
        mid_stream: MidStream::Skip,
    };
    let mut recorder = RecordingSink::new(wanted, |_| true);
    let mut dissector = Dissector::new(DissectOptions::default());
    while let Some(packet) = capture.next_packet().expect("it is whole") {
        dissector
            .push(&packet, &mut recorder)
            .expect("it takes all");
    }
    dissector
        .finish(EndOfInput::Complete, &mut recorder)
        .expect("it takes all");
    recorder.into_recording()
}

struct Rig {
    mock: Mock<u32>,
    now: Instant,
    announced: Vec<[u8; 3]>,
}

impl Rig {
    fn new(recording: &Recording, loops: Loops, masks: &[&str]) -> Self {
        let mut options = MockOptions::default();
        options.loops = loops;
        Self::with(recording, options, masks)
    }

    fn with(recording: &Recording, options: MockOptions, masks: &[&str]) -> Self {
        let masks = masks
            .iter()
            .map(|mask| mask.parse().expect("a mask"))
            .collect();
        Self {
            mock: Mock::new(recording, options, Masks::new(masks), [1; 32]),
            now: Instant::now(),
            announced: Vec::new(),
        }
    }

    fn receive(&mut self, message: Vec<u8>) {
        self.mock.handle_message(self.now, Some(1), &message.into());
        loop {
            match self.mock.poll_output(self.now) {
                MockOutput::Transmit { message, .. } => {
                    if let [0x51, _, _, _, server @ ..] = &message.to_vec()[..] {
                        self.announced.push(server.try_into().expect("three bytes"));
                    }
                }
                MockOutput::Finished(_) => {}
                MockOutput::Timeout(_) | MockOutput::Idle => return,
            }
        }
    }
}

/// A client that asks in pieces of 64 bytes, and a recorded one that asked the same.
fn asks_in_pieces(size: usize, masks: &[&str]) {
    let request = vec![b'r'; 64 * size.max(1)];
    let recorded = recording(1, |_| request.clone());
    let mut rig = Rig::new(&recorded, Loops::Forever, masks);
    rig.receive(syn(id(1), b""));
    let server = rig.announced[0];
    for piece in request.chunks(64) {
        rig.receive(client_data(server, piece));
    }
}

linear!(a_request_in_small_pieces, 200, |size| asks_in_pieces(
    size,
    &[]
));

linear!(a_request_in_small_pieces_beside_a_mask, 250, |size| {
    asks_in_pieces(size, &["c2s:/x+/"]);
});

linear!(a_web_request_that_never_ends, 200, |size| {
    let recorded = recording(1, |_| b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    let mut rig = Rig::new(&recorded, Loops::Forever, &[]);
    rig.receive(syn(id(1), b""));
    let server = rig.announced[0];
    rig.receive(client_data(server, b"GET / HTTP/1.1\r\n"));
    for _ in 0..size {
        rig.receive(client_data(
            server,
            b"A: 0123456789012345678901234567890123456789\r\n",
        ));
    }
});

linear!(
    a_web_request_by_the_byte_beside_as_many_recorded,
    100,
    |size| {
        let recorded = recording(size.max(1), |number| {
            format!("GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
        });
        let mut rig = Rig::new(&recorded, Loops::Forever, &[]);
        rig.receive(syn(id(1), b""));
        let server = rig.announced[0];
        rig.receive(client_data(server, b"GET /other?"));
        for _ in 0..size {
            rig.receive(client_data(server, b"x"));
        }
    }
);

linear!(web_requests_without_their_bodies, 100, |size| {
    let request = b"POST / HTTP/1.1\r\nContent-Length: 10000\r\n\r\n";
    let recorded = recording(size.max(1), |_| request.to_vec());
    let mut rig = Rig::new(&recorded, Loops::Forever, &[]);
    rig.receive(syn(id(1), b""));
    let server = rig.announced[0];
    rig.receive(client_data(
        server,
        b"POST /?other HTTP/1.1\r\nContent-Length: 10000\r\n\r\n",
    ));
    for _ in 0..size {
        rig.receive(client_data(server, b"x"));
    }
});

linear!(
    requests_that_begin_as_none_of_as_many_recorded,
    100,
    |size| {
        let recorded = recording(size.max(1), |number| {
            format!("request {number}\n").into_bytes()
        });
        let mut rig = Rig::new(&recorded, Loops::Forever, &[]);
        for number in 0..size {
            rig.receive(syn(id(number as u32 + 1), b""));
            let server = rig.announced[number];
            rig.receive(client_data(server, b"other"));
        }
    }
);

linear!(clients_that_ask_when_all_is_taken, 100, |size| {
    let recorded = recording(size.max(1), |number| {
        format!("request {number}\n").into_bytes()
    });
    let mut rig = Rig::new(&recorded, Loops::Times(1), &[]);
    for number in 0..size as u32 {
        rig.receive(syn(id(number + 1), b""));
    }
    for server in rig.announced.clone() {
        rig.receive(client_data(server, b"r"));
    }
});

linear!(requests_of_which_each_is_the_last_recorded, 100, |size| {
    let recorded = recording(size.max(1), |number| {
        format!("request {number}\n").into_bytes()
    });
    let mut rig = Rig::new(&recorded, Loops::Times(1), &[]);
    for number in (0..size).rev() {
        rig.receive(syn(id(number as u32 + 1), b""));
        let server = *rig.announced.last().expect("it was accepted");
        rig.receive(client_data(
            server,
            format!("request {number}\n").as_bytes(),
        ));
    }
});

linear!(
    a_server_that_answers_byte_by_byte_and_says_much_else,
    400,
    |size| {
        let recorded = recording(1, |_| b"request".to_vec());
        let options = PlayOptions::default();
        let plan = Plan::new(&recorded, &options).expect("there is one");
        let mut now = Instant::now();
        let mut player = Player::new(plan, options, Masks::default(), [5; 32], now);
        let mut client = None;
        let poll = |player: &mut Player, now: &mut Instant, client: &mut Option<[u8; 3]>| {
            for _ in 0..3 {
                match player.poll_output(*now) {
                    PlayerOutput::Transmit(message) => {
                        client.get_or_insert(message.id.0);
                    }
                    PlayerOutput::Timeout(at) if client.is_none() => *now = at,
                    _ => return,
                }
            }
        };
        poll(&mut player, &mut now, &mut client);
        let client = client.expect("a SYN");
        player.handle_message(now, &ack(client, [1, 2, 3]).into());
        for number in 0..size as u32 {
            player.handle_message(now, &server_data(client, b"x").into());
            player.handle_message(now, &ack(id(number), [1, 2, 3]).into());
            player.handle_message(now, &Bytes::from(server_close(id(number + 1_000_000))));
            poll(&mut player, &mut now, &mut Some(client));
        }
    }
);

linear!(expected_bytes_that_come_in_small_pieces, 250, |size| {
    const PIECE: [u8; 1_000] = [0; 1_000];
    let text = format!("expect bytes 000001 = zero:{}", PIECE.len() * size.max(1));
    let script = inject::parse(&text, &mut |_| unreachable!("it names no file"));
    let script = script.expect("it is one");
    let mut executor = Executor::new(script, Bytes::new(), [1; 32]);
    let now = Instant::now();
    for _ in 0..size {
        let waits = executor.poll_output(now);
        assert!(matches!(waits, InjectOutput::Timeout(_)), "{waits:?}");
        executor.handle_message(server_data(id(1), &PIECE).into());
    }
});

// Each sends a part of a long request, until all together hold more than may be held.
linear!(clients_that_fill_what_a_mock_may_hold, 1_000, |size| {
    let recorded = recording(1, |_| vec![b'r'; 1_000]);
    let mut options = MockOptions::default();
    options.loops = Loops::Forever;
    options.max_held_bytes = 64 * size.max(1);
    let mut rig = Rig::with(&recorded, options, &[]);
    for number in 0..2 * size as u32 {
        rig.receive(syn(id(number + 1), b""));
        let server = rig.announced[number as usize];
        rig.receive(client_data(server, &[b'r'; 64]));
    }
});
