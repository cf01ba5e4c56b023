//! `tls://`: who is let in, and who is told what.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::endpoint::{Endpoint, command, connect, eventually};
use crate::i2cp::make_keys;
use crate::services::{echo, exchange, pattern, read_to_reset};

mod commands;
mod foreign;
mod hostile;
mod looked_into;

/// Keys of a server, of a client that it admits, and of somebody else.
pub(crate) struct People {
    directory: tempfile::TempDir,
}

impl People {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["server", "client", "other"] {
            make_keys(&directory.path().join(name));
        }
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The file with somebody's keys.
    pub(crate) fn keys(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A line of what `keys show` prints of somebody.
    fn shown(&self, name: &str, line: &str) -> String {
        let output = command(&["keys", "show", &self.keys(name)])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines();
        let value = lines.find_map(|shown| shown.strip_prefix(line));
        value.unwrap().trim().to_owned()
    }

    /// Somebody's `.b32.i2p` name.
    pub(crate) fn name(&self, of: &str) -> String {
        self.shown(of, "name")
    }

    /// A server that admits the client.
    pub(crate) fn server(&self, carrier: &str, target: SocketAddr, more: &[&str]) -> Endpoint {
        let keys = self.keys("server");
        let allow = self.name("client");
        let arguments = ["--keys", &keys, "--allow", &allow];
        Endpoint::server(carrier, target, &[&arguments[..], more].concat())
    }

    pub(crate) fn client(&self, carrier: &str, more: &[&str]) -> Endpoint {
        let mut program = self.client_command(carrier);
        program.args(more);
        Endpoint::run(program).unwrap()
    }

    /// The client, calling the server.
    pub(crate) fn client_command(&self, carrier: &str) -> Command {
        let mut program = client_command(carrier);
        program.args(self.calling());
        program
    }

    /// What a program is told that calls the server as the client.
    pub(crate) fn calling(&self) -> [String; 4] {
        self.calling_as("client", &self.name("server"))
    }

    /// What a program is told that calls `to` as somebody.
    fn calling_as(&self, who: &str, to: &str) -> [String; 4] {
        ["--keys".into(), self.keys(who), "--to".into(), to.into()]
    }
}

/// A client that says nothing yet of itself and of the server.
fn client_command(carrier: &str) -> Command {
    command(&["client", "--carrier", carrier, "--listen", "127.0.0.1:0"])
}

/// The last line but help that a program writes before it ends, and its exit code.
fn failure(program: &mut Command) -> (Option<i32>, String) {
    let output: Output = program.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

pub(crate) fn address(endpoint: &Endpoint) -> SocketAddr {
    let carrier = endpoint.carrier();
    let carrier = carrier.split('?').next().unwrap();
    carrier.strip_prefix("tls://").unwrap().parse().unwrap()
}

#[test]
fn bytes_pass_both_ways_however_the_server_is_named_and_messages_are_framed() {
    let people = People::new();
    let sent = pattern(2_000_000);
    for query in ["", "?prefix=u16be"] {
        let server = people.server(&format!("tls://127.0.0.1:0{query}"), echo(), &[]);
        assert_eq!(server.field("name="), people.name("server"));
        assert!(!server.ready.contains("allow=any"), "{}", server.ready);
        for to in [
            people.name("server"),
            people.shown("server", "destination"),
            format!("@{}", people.keys("server")),
        ] {
            let mut client = client_command(server.carrier());
            client.args(people.calling_as("client", &to));
            let client = Endpoint::run(client).unwrap();
            assert_eq!(client.field("name="), people.name("client"));
            let answer = exchange(&client.connect(), &sent);
            assert!(answer == sent, "{to}{query}");
        }
    }
}

#[test]
fn whoever_is_not_the_right_one_is_told_so_and_so_is_the_other_end() {
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let carrier = server.carrier().to_owned();
    let name = |of| people.name(of);
    let at_other = format!("@{}", people.keys("other"));
    for (who, to, told, logged) in [
        (
            "other",
            name("server"),
            format!(
                "the server does not admit {}: its allow list has to name it",
                name("other")
            ),
            format!("{} is not in the allow list", name("other")),
        ),
        (
            "client",
            name("other"),
            format!("the server is {}, not {}", name("server"), name("other")),
            "peer disconnected".to_owned(),
        ),
        (
            "client",
            at_other,
            format!(
                "the server is not {}: its key is not that of the expected destination",
                name("other")
            ),
            "it does not take our key or certificate".to_owned(),
        ),
    ] {
        let mut client = client_command(&carrier);
        let (code, text) = failure(client.args(people.calling_as(who, &to)));
        assert_eq!(
            (code, text),
            (
                Some(4),
                format!("ministream-replay: error: {carrier}: {told}\n")
            )
        );
        if logged != "peer disconnected" {
            server.wait_for_log(&logged);
        }
    }
    // And the right one is served.
    let client = people.client(&carrier, &[]);
    assert_eq!(exchange(&client.connect(), b"right"), b"right");
}

#[test]
fn what_is_missing_is_told_before_anything_is_opened() {
    let people = People::new();
    let keys = people.keys("client");
    let dsa = people.path("dsa");
    let dsa = dsa.to_str().unwrap();
    let made = command(&["keys", "new", dsa, "--type", "dsa"]).output();
    assert!(made.unwrap().status.success());
    let name = people.name("server");
    let client = [
        "client",
        "--carrier",
        "tls://127.0.0.1:9",
        "--listen",
        "127.0.0.1:0",
    ];
    let server = [
        "server",
        "--carrier",
        "tls://127.0.0.1:0",
        "--target",
        "127.0.0.1:9",
    ];
    for (base, more, told) in [
        (
            client,
            vec!["--keys", &keys],
            "--to: tls:// needs the destination that the server must prove\n    help: on the \
             server, ministream-replay keys show FILE prints the line \"name  HASH.b32.i2p\"",
        ),
        (
            client,
            vec!["--to", &name],
            "--keys: tls:// needs a destination of our own\n    help: ministream-replay keys new",
        ),
        (
            client,
            vec!["--keys", dsa, "--to", &name],
            "tls://: the keys are for DSA, which TLS does not have: tls:// needs Ed25519 keys",
        ),
        (
            client,
            vec!["--keys", &keys, "--to", "site.i2p"],
            "tls://: site.i2p: tls:// cannot look up names",
        ),
        (
            client,
            vec!["--keys", &keys, "--to", &name, "--keylog"],
            "--keylog: SSLKEYLOGFILE names the file for secrets, and is not set",
        ),
        (
            server,
            vec!["--keys", &keys],
            "--allow: tls:// needs the names of the clients that may come",
        ),
        (
            server,
            vec!["--keys", &keys, "--allow", "127.0.0.0/8"],
            "--allow: tls:// needs the names of the clients that may come",
        ),
        (
            server,
            vec!["--keys", "transient", "--allow", "any"],
            "--keys: a server's destination must be kept",
        ),
    ] {
        let (code, text) = failure(command(&base).args(more));
        let begin = format!("ministream-replay: error: {told}");
        assert!(text.starts_with(&begin), "{text}");
        assert_eq!(code, Some(2), "{text}");
    }
}

#[test]
fn any_lets_everybody_in_who_has_a_key_and_networks_still_narrow_it() {
    let people = People::new();
    let keys = people.keys("server");
    let to = people.name("server");
    for (allow, goes) in [
        ("any", true),
        ("any,127.0.0.0/8", true),
        ("any,192.0.2.0/24", false),
    ] {
        let more = ["--keys", &keys, "--allow", allow];
        let server = Endpoint::server("tls://127.0.0.1:0", echo(), &more);
        assert_eq!(server.field("allow="), "any");
        let carrier = server.carrier();
        let more = ["--keys", "transient", "--to", &to];
        if goes {
            let client = Endpoint::client(carrier, &more);
            assert_eq!(exchange(&client.connect(), b"x"), b"x", "{allow}");
        } else {
            let (code, text) = failure(client_command(carrier).args(more));
            assert_eq!(code, Some(4), "{text}");
            server.wait_for_log("peer is not allowed");
        }
    }
}

#[test]
fn a_syn_of_a_destination_that_was_not_proven_is_refused_and_the_connection_goes_on() {
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let destination = people.path("destination");
    let keys = fs::read(people.path("other")).unwrap();
    fs::write(&destination, &keys[..391]).unwrap();
    let forged = format!("syn $c @{}", destination.display());
    let steps = [
        &forged[..],
        "expect close $c",
        "syn $d",
        "expect ack $d -> $s",
        "data $s \"mine\"",
        "expect data $d",
        "close $s",
    ];
    let output = command(&["inject", "--carrier", server.carrier()])
        .args(people.calling())
        .args(steps)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    server.wait_for_log(
        "refused: the destination in a SYN is not the one that its connection has proven",
    );
    server.wait_for_log(&people.name("other"));
}

#[test]
fn every_command_takes_the_carrier() {
    let people = People::new();
    let middle_name = people.name("other");
    let capture = people.keys("capture.pcapng");
    let sent = pattern(100_000);
    let keys = people.keys("server");
    let allow = format!("{},{middle_name}", people.name("client"));
    let server = Endpoint::server(
        "tls://127.0.0.1:0",
        echo(),
        &["--keys", &keys, "--allow", &allow],
    );
    let mut proxy = command(&["proxy", "--carrier", "tls://127.0.0.1:0", "-q"]);
    proxy
        .args(["--upstream", server.carrier(), "--allow", "any"])
        .args(people.calling_as("other", &people.name("server")));
    let proxy = Endpoint::run(proxy).unwrap();
    assert_eq!(proxy.field("name="), middle_name);
    assert_eq!(proxy.field("allow="), "any");
    {
        let mut tunnel = client_command(proxy.carrier());
        tunnel
            .args(people.calling_as("client", &middle_name))
            .args(["--capture", &capture]);
        let tunnel = Endpoint::run(tunnel).unwrap();
        let stream = tunnel.connect();
        assert!(exchange(&stream, &sent) == sent);
        drop(stream);
        tunnel.signal(rustix::process::Signal::TERM);
        let mut tunnel = tunnel;
        assert!(tunnel.wait().success());
    }
    // What was recorded is what was inside; it is played against the server, then by a mock.
    let replay = |carrier: &str| {
        let output = command(&["replay", &capture, "--topspeed", "--carrier", carrier])
            .args(people.calling())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    replay(server.carrier());
    let mock = Endpoint::mock(
        "tls://127.0.0.1:0",
        &capture,
        &["--keys", &keys, "--allow", &people.name("client")],
    );
    replay(mock.carrier());
    let output = command(&["conform", "server", "ms/handshake/1"])
        .args(["--carrier", server.carrier()])
        .args(people.calling())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Passes bytes on, of the first connection so many in one direction: 0 from whoever connects.
fn relay_cut(to: SocketAddr, way: usize, cut_after: usize) -> SocketAddr {
    let mut limits = [usize::MAX; 2];
    limits[way] = cut_after;
    relay(to, limits)
}

/// Who is told what a relay passes on, and may change it: the number of the connection, and 0
/// where the bytes come from whoever connected.
type Witness = Arc<dyn Fn(usize, usize, &mut [u8]) + Send + Sync>;

/// Passes bytes on, of the first connection so many in each direction.
fn relay(to: SocketAddr, cut_after: [usize; 2]) -> SocketAddr {
    watched_relay(to, cut_after, Arc::new(|_, _, _| {}))
}

/// The same, with somebody who watches.
fn watched_relay(to: SocketAddr, cut_after: [usize; 2], witness: Witness) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bound = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let near = stream.unwrap();
            let far = connect(to);
            let limits = if number == 0 {
                cut_after
            } else {
                [usize::MAX; 2]
            };
            let ways = [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far, near),
            ];
            for (way, ((mut from, mut into), limit)) in ways.into_iter().zip(limits).enumerate() {
                let witness = Arc::clone(&witness);
                let seen = move |bytes: &mut [u8]| witness(number, way, bytes);
                thread::spawn(move || pass(&mut from, &mut into, limit, seen));
            }
        }
    });
    bound
}

fn pass(from: &mut TcpStream, into: &mut TcpStream, limit: usize, seen: impl Fn(&mut [u8])) {
    let mut left = limit;
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let passed = count.min(left);
        seen(&mut buffer[..passed]);
        if into.write_all(&buffer[..passed]).is_err() || passed < count {
            break;
        }
        left -= passed;
    }
    for stream in [from, into] {
        // It may be closed already.
        stream.shutdown(std::net::Shutdown::Both).ok();
    }
}

#[test]
fn a_link_that_was_cut_is_taken_up_again_by_a_resumed_session() {
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &["-vv"]);
    let between = relay(address(&server), [200_000, usize::MAX]);
    let carrier = format!("tls://{between}");
    let client = people.client(&carrier, &["--reconnect", "-vv"]);
    client.wait_for_log("resumed=false");
    let mut stream = client.connect();
    // Whatever is left of this conversation, it is no orderly end.
    stream.write_all(&pattern(1_000_000)).ok();
    read_to_reset(stream);
    client.wait_for_log("resumed=true");
    server.wait_for_log("resumed=true");
    eventually("the tunnel serves again", || {
        let mut stream = client.connect();
        let answer = stream.write_all(b"again").and_then(|()| {
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).map(|()| answer)
        });
        answer.is_ok_and(|answer| &answer == b"again")
    });
}

#[test]
fn secrets_are_written_only_when_asked_for_and_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let secrets = people.path("secrets");
    for (more, lines) in [
        (&[][..], 0),
        (&["--keylog"][..], 5),
        (&["--keylog"][..], 10),
    ] {
        let mut program = people.client_command(server.carrier());
        program.args(more).env("SSLKEYLOGFILE", &secrets);
        let client = Endpoint::run(program).unwrap();
        assert_eq!(exchange(&client.connect(), b"x"), b"x");
        let text = fs::read_to_string(&secrets).unwrap_or_default();
        assert_eq!(text.lines().count(), lines, "{text}");
    }
    let mode = fs::metadata(&secrets).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn secrets_that_cannot_be_written_stop_nothing_and_do_not_fill_the_log() {
    let people = People::new();
    let mut program = command(&["server", "--carrier", "tls://127.0.0.1:0", "--keylog"]);
    program.args(["--target", &echo().to_string()]);
    program.args(["--keys", &people.keys("server")]);
    program.args(["--allow", &people.name("client")]);
    program.env("SSLKEYLOGFILE", "/dev/full");
    let server = Endpoint::run(program).unwrap();
    for _ in 0..12 {
        let client = people.client(server.carrier(), &[]);
        assert_eq!(exchange(&client.connect(), b"x"), b"x");
    }
    // Five of each connection.
    let log = server.log();
    let lost = log
        .lines()
        .filter(|line| line.contains("a secret was not written to the key log"));
    let lost: Vec<&str> = lost.collect();
    assert_eq!(lost.len(), 16 + 1, "{log}");
    assert!(lost[16].ends_with("count=32"), "{log}");
}

/// Runs a program that has to succeed.
fn tool(program: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
}

/// How long nothing may come of something that has to fail at once.
const SOON: Duration = Duration::from_secs(5);
