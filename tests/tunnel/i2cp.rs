//! Tunnels through a real router, `i2pd`, that reaches nothing but this
//! machine: zero-hop tunnels, in a network namespace of their own.
//!
//! As with the other programs, a test is skipped where i2pd is not installed,
//! unless `CI` is set.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ministream::wire::Destination;
use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::needs;
use ministream_fixtures::router::Router;
use ministream_fixtures::{key_destination, unused_address};
use rustix::process::Signal;

use crate::cut_answers::{end_by_signals, listener, read_to_reset, restart_either_end};
use crate::endpoint::{Endpoint, PATIENCE, READY_PATIENCE, Tunnel, command, eventually_within};
use crate::real_services::{
    fetch_and_put, fetch_two_hundred_at_once, nginx, redis, run_redis_benchmark,
};
use crate::scarcity::{stand_still, thoughtful};
use crate::services::{echo, exchange, pattern, service};

/// A router, and the keys of a server.
pub(crate) struct Net {
    router: Router,
    pub(crate) carrier: String,
    pub(crate) keys: PathBuf,
    directory: tempfile::TempDir,
}

/// Runs a test with a router, where there is one.
fn with_router(name: &str, test: impl FnOnce(&mut Net)) {
    with_router_for(&format!("i2cp::{name}"), test);
}

/// The same for a test with this path.
pub(crate) fn with_router_for(path: &str, test: impl FnOnce(&mut Net)) {
    needs!("i2pd");
    in_namespace(path, || {
        let router = Router::start();
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("server.dat");
        make_keys(&keys);
        let mut net = Net {
            carrier: format!("i2cp://{}?length=0&quantity=1", router.i2cp()),
            router,
            keys,
            directory,
        };
        test(&mut net);
    });
}

pub(crate) fn make_keys(file: &Path) {
    let arguments = ["keys", "new", file.to_str().unwrap()];
    let made = command(&arguments).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

impl Net {
    pub(crate) fn server(&self, target: SocketAddr, more: &[&str]) -> Endpoint {
        let keys = ["--keys", self.keys.to_str().unwrap()];
        Endpoint::server(&self.carrier, target, &[&keys[..], more].concat())
    }

    /// A client that is told the server's name.
    pub(crate) fn client(&self, server: &Endpoint, more: &[&str]) -> Endpoint {
        let to = ["--keys", "transient", "--to", server.field("name=")];
        Endpoint::client(&self.carrier, &[&to[..], more].concat())
    }

    pub(crate) fn tunnel(&self, target: SocketAddr, more: &[&str]) -> Tunnel {
        let server = self.server(target, more);
        let client = self.client(&server, more);
        Tunnel { server, client }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }
}

#[test]
fn nginx_gives_and_takes_a_hundred_megabytes_over_i2cp() {
    needs!("i2pd", "nginx", "curl");
    let name = "nginx_gives_and_takes_a_hundred_megabytes_over_i2cp";
    with_router(name, |net| {
        let Some(nginx) = nginx() else { return };
        let tunnel = net.tunnel(nginx.address, &[]);
        fetch_and_put(&nginx, &tunnel, 100);
    });
}

#[test]
fn two_hundred_curls_and_redis_over_i2cp() {
    needs!("i2pd", "nginx", "curl", "redis-server", "redis-benchmark");
    with_router("two_hundred_curls_and_redis_over_i2cp", |net| {
        let Some(nginx) = nginx() else { return };
        let Some(redis) = redis() else { return };
        fetch_two_hundred_at_once(&nginx, &net.tunnel(nginx.address, &[]));
        // The destination was in use a moment ago, so this one has another.
        net.keys = net.directory.path().join("redis.dat");
        make_keys(&net.keys);
        run_redis_benchmark(&net.tunnel(redis.address, &[]), 1000);
    });
}

#[test]
fn a_server_keeps_to_the_protocol_over_i2cp() {
    with_router("a_server_keeps_to_the_protocol_over_i2cp", |net| {
        let service = unused_address();
        let server = net.server(service, &[]);
        let (name, service) = (server.field("name="), service.to_string());
        let keys = ["--keys", "transient", "--to", name];
        let conform = ["conform", "server", "--strict", "--carrier", &net.carrier];
        let arguments = [&conform[..], &keys, &["--service", &service]].concat();
        let tried = command(&arguments).output().unwrap();
        let told = String::from_utf8_lossy(&tried.stdout);
        assert!(tried.status.success(), "{told}");
        assert!(told.ends_with(": 30 passed   PASSED\n"), "{told}");
    });
}

/// The number of conversations and of findings above note in a capture.
fn dissect(capture: &str) -> (usize, Vec<String>) {
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args(["-T", "ndjson", capture])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let conversations = text
        .lines()
        .filter(|line| line.starts_with(r#"{"record":"conversation""#));
    let findings = text.lines().filter(|line| {
        line.starts_with(r#"{"record":"finding""#) && !line.contains(r#""level":"note""#)
    });
    (conversations.count(), findings.map(str::to_owned).collect())
}

#[test]
fn both_ends_of_an_i2cp_tunnel_record_what_the_dissector_understands() {
    let name = "both_ends_of_an_i2cp_tunnel_record_what_the_dissector_understands";
    with_router(name, |net| {
        let captures = [net.path("server.pcapng"), net.path("client.pcapng")];
        let server = net.server(echo(), &["--capture", &captures[0]]);
        let client = net.client(&server, &["--capture", &captures[1]]);
        for length in [1, 1000, 200_000] {
            let bytes = pattern(length);
            assert!(exchange(&client.connect(), &bytes) == bytes);
        }
        for (mut endpoint, capture) in [client, server].into_iter().zip(captures.iter().rev()) {
            endpoint.signal(Signal::INT);
            assert_eq!(endpoint.wait().code(), Some(0));
            let (conversations, findings) = dissect(capture);
            assert_eq!((conversations, findings), (3, vec![]), "{capture}");
            let recorded = fs::read(capture).unwrap();
            let keys = fs::read(&net.keys).unwrap();
            let private = &keys[391..391 + 256];
            let leaked = recorded.windows(256).any(|window| window == private);
            assert!(!leaked, "the private key is in {capture}");
        }
    });
}

#[test]
fn a_killed_router_is_named_and_a_new_one_taken_up() {
    with_router("a_killed_router_is_named_and_a_new_one_taken_up", |net| {
        let server = net.server(echo(), &["--reconnect", "-v"]);
        let mut ends = net.client(&server, &[]);
        let stays = net.client(&server, &["--reconnect", "-v"]);
        let mut stream = ends.connect();
        assert_eq!(exchange(&stream, b"before"), b"before");

        net.router.kill();
        let broken = stream.read_exact(&mut [0]).unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
        assert_eq!(ends.wait().code(), Some(4));
        let log = ends.log();
        let error = format!(
            "ministream-replay: error: {} was lost: the router closed the connection\n    \
             help: --reconnect resumes service when the link returns\n",
            net.carrier
        );
        assert!(log.ends_with(&error), "{log}");

        net.router.restart();
        for endpoint in [&server, &stays] {
            eventually_within(READY_PATIENCE, "the link is up again", || {
                endpoint.log().contains("link is up again")
            });
        }
        assert_eq!(exchange(&stays.connect(), b"after"), b"after");
    });
}

#[test]
fn a_signal_in_the_midst_of_an_answer_never_looks_like_its_end_over_i2cp() {
    let name = "a_signal_in_the_midst_of_an_answer_never_looks_like_its_end_over_i2cp";
    with_router(name, |net| {
        // Only silence shows the end of a peer that sends no close.
        const IDLE: [&str; 2] = ["--idle-timeout", "3s"];
        let (target, heard) = listener();
        let mut server = net.server(target, &IDLE);
        for ends_server in [false, true] {
            let mut client = net.client(&server, &IDLE);
            let mut stream = client.connect();
            stream.read_exact(&mut [0; 1]).unwrap();
            let (end, other) = if ends_server {
                (&mut server, &client)
            } else {
                (&mut client, &server)
            };
            end_by_signals(end, 1);
            let ending = heard.recv_timeout(PATIENCE).unwrap();
            assert_eq!(ending, Err(ErrorKind::ConnectionReset));
            assert_eq!(read_to_reset(&mut stream), b"");
            other.wait_for_log("idle for too long");
        }
    });
}

#[test]
fn a_conversation_without_a_word_lives_on_over_i2cp_as_long_as_both_ends_are_there() {
    let name = "a_conversation_without_a_word_lives_on_over_i2cp_as_long_as_both_ends_are_there";
    with_router(name, |net| {
        let tunnel = net.tunnel(echo(), &["--idle-timeout", "3s", "--keep-alive", "1s"]);
        let mut stream = tunnel.connect();
        for word in [b"first", b"later"] {
            stream.write_all(word).unwrap();
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer, *word);
            std::thread::sleep(Duration::from_secs(7));
        }
        stream.write_all(b"still").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
    });
}

#[test]
fn a_restart_of_either_end_that_was_killed_ends_what_it_carries_in_resets_over_i2cp() {
    let name = "a_restart_of_either_end_that_was_killed_ends_what_it_carries_in_resets_over_i2cp";
    with_router(name, |net| {
        let options = ["--idle-timeout", "3s", "--reconnect"];
        let shown = command(&["keys", "show", net.keys.to_str().unwrap()]).output();
        let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
        let server_name = shown.split_whitespace().nth(1).unwrap();
        let serve = |_: &str, target| net.server(target, &options);
        let call = |_: &str, listen: &str| {
            let client = ["client", "--carrier", &net.carrier, "--listen", listen];
            let to = ["--keys", "transient", "--to", server_name];
            Endpoint::start(&[&client[..], &to, &options].concat())
        };
        let sent = pattern(200_000);
        restart_either_end(&net.carrier, serve, call, &[&[Signal::KILL]], &sent);
    });
}

#[test]
fn whoever_stood_still_goes_on_where_it_was_over_i2cp() {
    let name = "whoever_stood_still_goes_on_where_it_was_over_i2cp";
    with_router(name, |net| {
        let (target, questions) = thoughtful();
        let server = net.server(target, &[]);
        let client = net.client(&server, &[]);
        stand_still(&server, &client, &questions);
    });
}

#[test]
fn a_server_that_comes_back_at_once_is_ready_when_it_can_be_reached() {
    let name = "a_server_that_comes_back_at_once_is_ready_when_it_can_be_reached";
    with_router(name, |net| {
        let mut server = net.server(echo(), &[]);
        server.signal(Signal::INT);
        assert_eq!(server.wait().code(), Some(0));
        // The router keeps the lease set of the first.
        let server = net.server(echo(), &["--reconnect", "-v"]);
        // It is ready on another stream than its log.
        server.wait_for_log("peers can reach this session");
        let log = server.log();
        assert!(log.contains("peers cannot reach this session"), "{log}");
        let client = net.client(&server, &[]);
        assert_eq!(exchange(&client.connect(), b"hello"), b"hello");
    });
}

#[test]
fn nobody_at_the_destination_resets_the_connection_and_is_told() {
    let name = "nobody_at_the_destination_resets_the_connection_and_is_told";
    with_router(name, |net| {
        let destination = key_destination(1);
        let to = Destination::split(&destination).unwrap().0.to_base64();
        let client = Endpoint::client(&net.carrier, &["--keys", "transient", "--to", &to]);
        let mut stream = client.connect();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let broken = stream.read_exact(&mut [0]).unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
        client.wait_for_log("the router finds no lease set of the destination: is it online?");
    });
}

#[test]
fn a_router_that_is_not_there_is_told_with_what_to_do() {
    let address = unused_address();
    let carrier = format!("i2cp://{address}");
    let run = command(&["client", "--listen", "127.0.0.1:0", "--carrier", &carrier])
        .args(["--keys", "transient", "--to", "site.i2p"])
        .args(["--connect-timeout", "1s"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(4));
    let text = String::from_utf8(run.stderr).unwrap();
    let (waiting, error) = text.split_once('\n').unwrap();
    assert!(
        waiting.ends_with(&format!("waiting for {carrier} (connection refused)")),
        "{waiting}"
    );
    assert_eq!(
        error,
        format!(
            "ministream-replay: error: {carrier}: connection refused\n    \
             help: no I2P router, or its I2CP port is off \
             (Java: /configi2cp, i2pd: [i2cp] enabled=true)\n"
        )
    );
}

#[test]
fn what_is_no_router_is_told_as_such() {
    let greeter = service(|mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let carrier = format!("i2cp://{greeter}");
    let run = command(&["client", "--listen", "127.0.0.1:0", "--carrier", &carrier])
        .args(["--keys", "transient", "--to", "site.i2p"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(4));
    let error = String::from_utf8(run.stderr).unwrap();
    let expected =
        format!("ministream-replay: error: {carrier}: the router sent bytes that are not I2CP");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn keys_are_made_once_shown_and_kept_from_others() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("k.dat");
    let path = file.to_str().unwrap();
    let new = command(&["keys", "new", path]).output().unwrap();
    assert!(new.status.success());
    let show = command(&["keys", "show", path]).output().unwrap();
    assert_eq!(new.stdout, show.stdout);
    let bytes = fs::read(&file).unwrap();
    let destination = Destination::split(&bytes).unwrap().0;
    let hash = destination.hash();
    assert_eq!(
        String::from_utf8(show.stdout).unwrap(),
        format!(
            "name         {}\nhash         {hash}\ndestination  {}\n",
            hash.to_b32_name(),
            destination.to_base64()
        )
    );

    let again = command(&["keys", "new", path]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(fs::read(&file).unwrap(), bytes);

    let open: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    fs::set_permissions(&file, open).unwrap();
    let exposed = command(&["keys", "show", path]).output().unwrap();
    assert_eq!(exposed.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(exposed.stderr).unwrap(),
        format!("ministream-replay: error: {path} is open to others (mode 0640): chmod 600 it\n")
    );
}

#[test]
fn flags_that_do_not_fit_the_carrier_are_refused_before_anything_is_opened() {
    for (arguments, error) in [
        (
            "client --listen 127.0.0.1:0 --carrier i2cp://127.0.0.1 --keys transient",
            "--to: i2cp:// needs the destination that is to be called",
        ),
        (
            "client --listen 127.0.0.1:0 --carrier i2cp://127.0.0.1 --to a.i2p",
            "--keys: i2cp:// needs a destination of our own",
        ),
        (
            "client --listen 127.0.0.1:0 --carrier tcp://127.0.0.1:1 --to a.i2p",
            "--to: only i2cp:// and tls:// call destinations",
        ),
        (
            "client --listen 127.0.0.1:0 --carrier tcp://127.0.0.1:1 --keys transient",
            "--keys: only i2cp:// and tls:// have destinations of their own",
        ),
        (
            "server --target 127.0.0.1:1 --carrier i2cp://127.0.0.1 --keys transient",
            "--keys: a server's destination must be kept, or nobody finds it again",
        ),
        (
            "server --target 127.0.0.1:1 --carrier i2cp://127.0.0.1 --keys /nowhere/k.dat",
            "cannot read /nowhere/k.dat: no such file or directory",
        ),
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let run = command(&words).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments}");
        let text = String::from_utf8(run.stderr).unwrap();
        let expected = format!("ministream-replay: error: {error}\n");
        assert!(text.starts_with(&expected), "{arguments}: {text}");
    }
}
