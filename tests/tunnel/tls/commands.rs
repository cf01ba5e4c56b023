//! The suites, standard input and slow readers over `tls://`.

use std::io::{Read, Write};

use ministream_fixtures::unused_address;

use super::People;
use crate::endpoint::{Endpoint, PATIENCE, command, stdio, try_client, wait};
use crate::services::{echo, exchange, fill, half_deaf, pattern, read_slowly, service};

#[test]
fn every_case_for_servers_passes() {
    let people = People::new();
    let service = unused_address();
    let server = people.server("tls://127.0.0.1:0", service, &[]);
    let output = command(&["conform", "server", "--strict"])
        .args(["--carrier", server.carrier()])
        .args(people.calling())
        .args(["--service", &service.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn every_case_for_clients_passes() {
    let people = People::new();
    let (dial, carrier) = (unused_address().to_string(), unused_address());
    let mut suite = command(&["conform", "client", "--strict", "--dial", &dial]);
    suite
        .args(["--carrier", &format!("tls://{carrier}")])
        .args(["--keys", &people.keys("server")])
        .args(["--allow", &people.name("client")]);
    let mut client = command(&["client", "--listen", &dial, "--reconnect"]);
    client
        .args(["--carrier", &format!("tls://{carrier}")])
        .args(people.calling());
    let tried = try_client(suite, carrier, client);
    assert!(tried.status.success(), "{tried:?}");
}

#[test]
fn one_conversation_can_be_had_on_standard_input_and_output() {
    let people = People::new();
    let greeter = service(|mut stream| {
        let mut asked = [0; 4];
        stream.read_exact(&mut asked)?;
        stream.write_all(b"hello and goodbye")
    });
    let server = people.server("tls://127.0.0.1:0", greeter, &[]);
    let (mut child, mut input, mut output) = stdio(
        server.carrier(),
        &people.calling().each_ref().map(String::as_str),
    );
    input.write_all(b"who?").unwrap();
    let mut received = String::new();
    output.read_to_string(&mut received).unwrap();
    assert_eq!(received, "hello and goodbye");
    assert!(wait(&mut child).success());
}

#[test]
fn bytes_held_back_for_a_slow_reader_all_arrive_in_the_end() {
    let people = People::new();
    let sent = pattern(8 << 20);
    let speech = sent.clone();
    let speaker = service(move |mut stream| stream.write_all(&speech));
    let more = ["--buffer", "64KiB"];
    let server = people.server("tls://127.0.0.1:0", speaker, &more);
    let client = people.client(server.carrier(), &more);
    let mut stream = client.connect();
    let received = read_slowly(&mut stream, 3 << 20);
    assert!(received == sent);
}

#[test]
fn a_reader_that_does_not_read_costs_bounded_memory_and_is_closed_for_the_others() {
    let people = People::new();
    let more = ["--buffer", "256KiB", "--slow-reader", "close:1s"];
    let server = people.server("tls://127.0.0.1:0", half_deaf(), &more);
    let client = people.client(server.carrier(), &more);
    let ends = [&server, &client];
    let mut other = client.connect();
    other.write_all(b"e").unwrap();
    assert_eq!(exchange(&other, b"before"), b"before");
    let before = ends.map(Endpoint::resident_bytes);
    let mut deaf = client.connect();
    deaf.write_all(b"d").unwrap();
    // Until it is closed.
    fill(&deaf, PATIENCE, &pattern(1 << 20));
    let after = ends.map(Endpoint::resident_bytes);
    for (before, after) in before.into_iter().zip(after) {
        assert!(after < before + (8 << 20), "{before} became {after}");
    }
    server.wait_for_log("the reader was too slow");
    assert_eq!(exchange(&other, b"after"), b"after");
}

#[test]
fn an_idle_conversation_and_its_link_take_little_memory() {
    const COUNT: usize = 30;
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let links = |count: usize| -> Vec<Endpoint> {
        (0..count)
            .map(|_| {
                let client = people.client(server.carrier(), &[]);
                assert_eq!(
                    exchange(&client.connect(), &pattern(100_000)),
                    pattern(100_000)
                );
                client
            })
            .collect()
    };
    let warm = links(5);
    let before = server.resident_bytes();
    let idle = links(COUNT);
    let each = server.resident_bytes().saturating_sub(before) / COUNT as u64;
    assert!(each < 128 << 10, "{each} bytes for an idle link");
    drop((warm, idle));
}
