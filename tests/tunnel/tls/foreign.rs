//! TLS of other makes: GnuTLS with raw public keys (RFC 7250), OpenSSL with certificates.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use ministream_fixtures::needs;
use ministream_fixtures::unused_address;

use super::{People, address, client_command, failure, tool, watched_relay};
use crate::endpoint::{Endpoint, PATIENCE, eventually};
use crate::services::{echo, exchange};

/// Raw public keys, TLS 1.3, and nothing else.
const RAW_KEYS: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:\
                        -CTYPE-CLI-X509:-CTYPE-SRV-X509";

/// A program that ends with the test, with what it prints.
struct Foreign {
    child: Child,
    printed: Arc<Mutex<Vec<u8>>>,
}

impl Foreign {
    fn start(program: &str, arguments: &[&str], directory: &Path) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::default();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for mut output in outputs {
            let printed = Arc::clone(&printed);
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = output.read(&mut buffer) {
                    let printed: &Mutex<Vec<u8>> = &printed;
                    printed.lock().unwrap().extend_from_slice(&buffer[..count]);
                }
            });
        }
        Self { child, printed }
    }

    fn say(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn wait_for(&self, bytes: &[u8]) {
        let until = Instant::now() + PATIENCE;
        while !contains(&self.printed.lock().unwrap(), bytes) {
            let printed = String::from_utf8_lossy(&self.printed.lock().unwrap()).into_owned();
            assert!(Instant::now() < until, "no {bytes:02x?} in {printed}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().unwrap();
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// Writes a key file's Ed25519 key as other programs read it (RFC 8410).
fn export_key(people: &People, of: &str) {
    let keys = fs::read(people.path(of)).unwrap();
    for (kind, label, prefix, key) in [
        (
            "key",
            "PRIVATE KEY",
            "302e020100300506032b657004220420",
            &keys[647..679],
        ),
        (
            "pub",
            "PUBLIC KEY",
            "302a300506032b6570032100",
            &keys[352..384],
        ),
    ] {
        let der = [&hex::decode(prefix).unwrap()[..], key].concat();
        let body = BASE64.encode(&der);
        let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        fs::write(people.path(&format!("{of}.{kind}")), text).unwrap();
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

/// What a client says first: its destination, then a SYN that names it.
fn hello_and_syn(people: &People, of: &str) -> Vec<u8> {
    let keys = fs::read(people.path(of)).unwrap();
    let destination = &keys[..391];
    let syn = [b"\xa1\x11\x22\x33", destination].concat();
    [b"\0\0\0\0\x01\x87", destination, &framed(&syn)].concat()
}

#[test]
fn gnutls_with_a_raw_key_is_served_and_proves_who_it_is() {
    needs!("gnutls-cli");
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let port = address(&server).port().to_string();
    for (who, refused) in [("client", false), ("other", true)] {
        export_key(&people, who);
        let (key, public) = (format!("{who}.key"), format!("{who}.pub"));
        let arguments = [
            "--no-ca-verification",
            "--insecure",
            "--rawpkkeyfile",
            &key,
            "--rawpkfile",
            &public,
            "--priority",
            RAW_KEYS,
            "--alpn",
            "ministreaming/1",
            "-p",
            &port,
            "127.0.0.1",
        ];
        let mut gnutls = Foreign::start("gnutls-cli", &arguments, people.path("").as_path());
        gnutls.wait_for(b"- Simple Client Mode:");
        gnutls.say(&hello_and_syn(&people, who));
        if refused {
            // The empty hello, and the end of TLS.
            gnutls.wait_for(b"\0\0\0\0\0\0");
            gnutls.wait_for(b"Peer has closed the GnuTLS connection");
            server.wait_for_log("is not in the allow list");
        } else {
            let keys = fs::read(people.path("server")).unwrap();
            gnutls.wait_for(&[b"\0\0\0\0\x01\x87", &keys[..391]].concat());
            gnutls.wait_for(b"\0\0\0\x07\x51\x11\x22\x33");
        }
    }
    // Somebody else's destination with one's own key.
    let forged = [
        "--no-ca-verification",
        "--insecure",
        "--rawpkkeyfile",
        "other.key",
        "--rawpkfile",
        "other.pub",
        "--priority",
        RAW_KEYS,
        "-p",
        &port,
        "127.0.0.1",
    ];
    let mut gnutls = Foreign::start("gnutls-cli", &forged, people.path("").as_path());
    gnutls.wait_for(b"- Simple Client Mode:");
    gnutls.say(&hello_and_syn(&people, "client"));
    gnutls.wait_for(b"Peer has closed the GnuTLS connection");
    server.wait_for_log(&format!(
        "the other end says it is {}, and its key is another",
        people.name("client")
    ));
}

#[test]
fn peers_without_a_raw_key_or_tls_1_3_are_told_why_they_are_not_served() {
    needs!("openssl");
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let at = address(&server).to_string();
    for (more, told, logged) in [
        (
            &["-tls1_2"][..],
            "alert protocol version",
            "the other end does not speak TLS 1.3",
        ),
        (
            &["-tls1_3"],
            "alert handshake failure",
            "raw public keys (RFC 7250) at one end, X.509 certificates at the other?",
        ),
        (&["-tls1_3", "-alpn", "h2"], "alert", "not let in"),
    ] {
        let arguments = [&["s_client", "-connect", &at][..], more].concat();
        let openssl = Foreign::start("openssl", &arguments, people.path("").as_path());
        openssl.wait_for(told.as_bytes());
        server.wait_for_log(logged);
    }
}

/// Waits until somebody listens.
fn wait_for_listener(address: SocketAddr) {
    eventually("the foreign server listens", || {
        TcpStream::connect(address).is_ok()
    });
}

#[test]
fn a_client_proves_itself_to_gnutls_and_turns_away_from_a_wrong_key() {
    needs!("gnutls-serv");
    let people = People::new();
    export_key(&people, "server");
    let at = unused_address();
    let port = at.port().to_string();
    let arguments = [
        "--echo",
        "-p",
        &port,
        "--rawpkkeyfile",
        "server.key",
        "--rawpkfile",
        "server.pub",
        "--priority",
        RAW_KEYS,
        "--require-client-cert",
    ];
    let gnutls = Foreign::start("gnutls-serv", &arguments, people.path("").as_path());
    wait_for_listener(at);
    let carrier = format!("tls://{at}");
    let calling = |of: &str| {
        let mut client = client_command(&carrier);
        client.args(people.calling_as("client", &format!("@{}", people.keys(of))));
        client
    };
    let (code, text) = failure(&mut calling("other"));
    assert!(
        text.contains("its key is not that of the expected destination"),
        "{text}"
    );
    assert_eq!(code, Some(4));
    let mut client = calling("server")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    gnutls.wait_for(b"Client Signature: EdDSA-Ed25519");
    client.kill().unwrap();
    client.wait().unwrap();
}

/// An authority, a server's and a client's certificate by it, and a server's that is over.
fn make_certificates(directory: &Path) {
    let new = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let authority = [
        "req",
        "-x509",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=authority",
        "-days",
        "30",
    ];
    tool("openssl", &[&authority[..], &new].concat(), directory);
    fs::write(
        directory.join("names"),
        "subjectAltName=DNS:tunnel.example,IP:127.0.0.1\n",
    )
    .unwrap();
    for (name, days) in [("right", "30"), ("expired", "-1"), ("guest", "30")] {
        let file = |kind: &str| format!("{name}.{kind}");
        let (key, request, certificate) = (file("key"), file("csr"), file("pem"));
        let ask = ["req", "-keyout", &key, "-out", &request, "-subj", "/CN=end"];
        tool("openssl", &[&ask[..], &new].concat(), directory);
        let sign = [
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            "names",
            "-out",
            &certificate,
        ];
        tool("openssl", &sign, directory);
    }
}

#[test]
fn certificates_serve_those_who_have_an_authority() {
    needs!("openssl");
    let people = People::new();
    let directory = people.path("");
    make_certificates(&directory);
    let file = |name: &str| people.keys(name);
    let (ca, cert, key) = (file("ca.pem"), file("right.pem"), file("right.key"));
    let (guest, guest_key) = (file("guest.pem"), file("guest.key"));
    let own = ["--tls-cert", &cert, "--tls-key", &key, "--tls-ca", &ca];
    let server = Endpoint::server("tls://127.0.0.1:0", echo(), &own);
    let carrier = server.carrier().to_owned();
    assert!(!server.ready.contains("name="), "{}", server.ready);
    let with = |name: &'static str| ["--tls-ca", &ca, "--tls-name", name];
    let known = ["--tls-cert", &guest, "--tls-key", &guest_key];
    for name in ["tunnel.example", "127.0.0.1"] {
        let client = Endpoint::client(&carrier, &[&with(name)[..], &known].concat());
        assert_eq!(exchange(&client.connect(), b"x"), b"x");
    }
    // OpenSSL's client.
    let at = address(&server).to_string();
    let arguments = [
        "s_client",
        "-quiet",
        "-connect",
        &at,
        "-cert",
        "guest.pem",
        "-key",
        "guest.key",
        "-CAfile",
        "ca.pem",
        "-verify_return_error",
    ];
    let mut openssl = Foreign::start("openssl", &arguments, &directory);
    let syn = [&b"\xa1\x11\x22\x33"[..], &[7; 384], &[0; 3]].concat();
    openssl.say(&framed(&syn));
    openssl.wait_for(b"\0\0\0\x07\x51\x11\x22\x33");
    // OpenSSL's server, and what is wrong with others.
    for (certificate, more, name, told) in [
        ("right", "-tls1_3", "tunnel.example", ""),
        (
            "right",
            "-tls1_3",
            "other.example",
            "the other end's certificate is for another name",
        ),
        (
            "expired",
            "-tls1_3",
            "tunnel.example",
            "the other end's certificate has expired",
        ),
        (
            "right",
            "-tls1_2",
            "tunnel.example",
            "the other end refused: it does not speak TLS 1.3 (alert 70)",
        ),
    ] {
        let at = unused_address();
        let (listen, cert) = (at.to_string(), format!("{certificate}.pem"));
        let key = format!("{certificate}.key");
        let arguments = [
            "s_server", "-accept", &listen, "-cert", &cert, "-key", &key, more,
        ];
        let openssl = Foreign::start("openssl", &arguments, &directory);
        openssl.wait_for(b"ACCEPT");
        let carrier = format!("tls://{at}");
        let tried = Endpoint::try_start(
            &[
                &["client", "--carrier", &carrier, "--listen", "127.0.0.1:0"][..],
                &with(name),
            ]
            .concat(),
        );
        match tried {
            Ok(_) => assert_eq!(told, ""),
            Err(text) => assert!(!told.is_empty() && text.contains(told), "{text}"),
        }
    }
    // No certificate, and one of nobody.
    let mut client = Endpoint::client(&carrier, &with("tunnel.example"));
    assert_eq!(client.wait().code(), Some(4));
    assert!(
        client
            .log()
            .contains("it wants a key or certificate of ours"),
        "{}",
        client.log()
    );
    server.wait_for_log("the client has shown no key or certificate");
    let (_, text) = failure(&mut people.client_command(&carrier));
    assert!(text.contains("X.509"), "{text}");
}

#[test]
fn an_expired_certificate_lets_in_neither_a_client_nor_a_server_and_both_ends_are_told() {
    needs!("openssl");
    let people = People::new();
    make_certificates(&people.path(""));
    let file = |name: &str| people.keys(name);
    let (ca, old, old_key) = (file("ca.pem"), file("expired.pem"), file("expired.key"));
    let (ours, theirs) = (
        "our certificate has expired (alert 45)",
        "the other end's certificate has expired",
    );
    let own = |certificate: &str| {
        let [cert, key] = ["pem", "key"].map(|kind| file(&format!("{certificate}.{kind}")));
        ["--tls-cert".to_owned(), cert, "--tls-key".to_owned(), key]
    };
    let expected = ["--tls-ca", &ca, "--tls-name", "tunnel.example"];

    // A client's, which hears of it when it takes the handshake to be over.
    let right = own("right");
    let more = [
        &right.each_ref().map(String::as_str)[..],
        &["--tls-ca", &ca],
    ]
    .concat();
    let server = Endpoint::server("tls://127.0.0.1:0", echo(), &more);
    let shown = ["--tls-cert", &old, "--tls-key", &old_key];
    let mut client = Endpoint::client(server.carrier(), &[&expected[..], &shown].concat());
    assert_eq!(client.wait().code(), Some(4));
    assert!(client.log().contains(ours), "{}", client.log());
    server.wait_for_log(theirs);
    let guest = own("guest");
    let shown = guest.each_ref().map(String::as_str);
    let client = Endpoint::client(server.carrier(), &[&expected[..], &shown].concat());
    assert_eq!(exchange(&client.connect(), b"still"), b"still");

    // A server's.
    let more = ["--tls-cert", &old, "--tls-key", &old_key, "--allow", "any"];
    let server = Endpoint::server("tls://127.0.0.1:0", echo(), &more);
    let mut client = client_command(server.carrier());
    let (code, text) = failure(client.args(expected));
    let carrier = server.carrier();
    let error = format!("ministream-replay: error: {carrier}: {theirs}\n");
    assert_eq!((code, text), (Some(4), error));
    server.wait_for_log(ours);
}

/// What OpenSSL keeps of a session, as if the server had said that it takes early data:
/// `max_early_data` is the field 15 of its `SSL_SESSION_ASN1`, between `tick_age_add` (14) and
/// `alpn_selected` (16).
fn with_early_data(session: &str) -> String {
    let body: String = session
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let session = BASE64.decode(body.as_bytes()).unwrap();
    // Of a SEQUENCE of 256 bytes and more, whose elements have one byte for their tag.
    assert_eq!(session[..2], [0x30, 0x82]);
    let mut at = 4;
    while let Some([tag, first, second, third, ..]) = session.get(at..) {
        assert_ne!(*tag, 0xaf, "there is one already");
        if *tag > 0xaf {
            break;
        }
        at += match first {
            0x81 => 3 + usize::from(*second),
            0x82 => 4 + usize::from(u16::from_be_bytes([*second, *third])),
            short => 2 + usize::from(*short),
        };
    }
    let field = [0xaf, 4, 2, 2, 0x40, 0];
    let elements = [&session[4..at], &field, &session[at..]].concat();
    let length = u16::try_from(elements.len()).unwrap().to_be_bytes();
    let whole = [&[0x30, 0x82][..], &length, &elements].concat();
    let mut text = BASE64.encode(&whole);
    for line_end in (0..text.len()).step_by(65).skip(1) {
        text.insert(line_end - 1, '\n');
    }
    format!(
        "-----BEGIN SSL SESSION PARAMETERS-----\n{text}\n-----END SSL SESSION PARAMETERS-----\n"
    )
}

#[test]
fn early_data_of_a_resumed_session_reach_nobody() {
    needs!("openssl");
    let people = People::new();
    let directory = people.path("");
    make_certificates(&directory);
    let (cert, key) = (people.keys("right.pem"), people.keys("right.key"));
    let own = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--allow",
        "any",
        "-vv",
    ];
    let server = Endpoint::server("tls://127.0.0.1:0", echo(), &own);
    let at = address(&server).to_string();
    let syn = |id: &[u8; 3]| framed(&[&[0xa1], &id[..], &[7; 384], &[0; 3]].concat());
    let ack = |id: &[u8; 3]| [&[0, 0, 0, 7, 0x51], &id[..]].concat();
    fs::write(directory.join("early"), syn(b"\xea\x81\x1e")).unwrap();
    let base = ["s_client", "-connect", &at, "-CAfile", "ca.pem"];
    let more = ["-sess_out", "session"];
    let mut first = Foreign::start("openssl", &[&base[..], &more].concat(), &directory);
    first.say(&syn(b"one"));
    // Tickets come before it.
    first.wait_for(&ack(b"one"));
    first.say(b"Q\n");
    first.child.wait().unwrap();
    let session = directory.join("session");
    let kept = fs::read_to_string(&session).unwrap();
    fs::write(&session, with_early_data(&kept)).unwrap();
    let more = ["-sess_in", "session", "-early_data", "early"];
    let mut second = Foreign::start("openssl", &[&base[..], &more].concat(), &directory);
    // They were sent, then.
    second.wait_for(b"Early data was rejected");
    second.say(&syn(b"two"));
    second.wait_for(&ack(b"two"));
    let log = server.log();
    assert!(log.contains("resumed=true"), "{log}");
    let opened: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("conversation opened"))
        .map(|line| {
            line.split("client_id=")
                .nth(1)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(opened, [hex::encode("one"), hex::encode("two")]);
}

/// The types of a ClientHello's extensions (RFC 8446, section 4.1.2).
fn extensions_of(hello: &[u8]) -> Vec<u16> {
    let number = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
    // Headers of a record and of a message, the version and the random.
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + usize::from(number(at));
    at += 1 + usize::from(hello[at]);
    let end = at + 2 + usize::from(number(at));
    at += 2;
    let mut types = Vec::new();
    while at < end {
        types.push(number(at));
        at += 4 + usize::from(number(at + 2));
    }
    types
}

/// What was said in one connection, by turns.
type Turns = Vec<(usize, Vec<u8>)>;

#[test]
fn a_client_sends_no_early_data_to_a_server_that_takes_them() {
    const EARLY_DATA: u16 = 42;
    const PRE_SHARED_KEY: u16 = 41;
    needs!("openssl");
    let people = People::new();
    let directory = people.path("");
    make_certificates(&directory);
    let at = unused_address();
    let listen = at.to_string();
    let files = ["-cert", "right.pem", "-key", "right.key"];
    let more = ["-early_data", "-max_early_data", "16384"];
    let base = ["s_server", "-accept", &listen];
    let arguments = [&base[..], &files, &more].concat();
    let openssl = Foreign::start("openssl", &arguments, &directory);
    openssl.wait_for(b"ACCEPT");
    let turns: Arc<Mutex<[Turns; 2]>> = Arc::default();
    let witness = Arc::clone(&turns);
    // The first connection ends some SYNs behind its handshake.
    let between = watched_relay(
        at,
        [3_000, usize::MAX],
        Arc::new(move |connection, way, bytes: &mut [u8]| {
            let mut turns = witness.lock().unwrap();
            let turns = &mut turns[connection];
            if turns.last().is_none_or(|(last, _)| *last != way) {
                turns.push((way, Vec::new()));
            }
            turns.last_mut().unwrap().1.extend_from_slice(bytes);
        }),
    );
    let ca = people.keys("ca.pem");
    let more = ["--tls-ca", &ca, "--tls-name", "tunnel.example"];
    let more = [&more[..], &["--reconnect", "-vv"]].concat();
    let client = Endpoint::client(&format!("tls://{between}"), &more);
    eventually("tickets come behind the handshake", || {
        turns.lock().unwrap()[0].len() == 4
    });
    let _asking: Vec<TcpStream> = (0..10).map(|_| client.connect()).collect();
    client.wait_for_log("link is up again");
    // OpenSSL has forgotten the session, which did not end as it should; it was offered.
    let offered = turns.lock().unwrap().each_ref().map(|turns| {
        let types = extensions_of(&turns[0].1);
        [PRE_SHARED_KEY, EARLY_DATA].map(|it| types.contains(&it))
    });
    assert_eq!(offered, [[false, false], [true, false]]);
}
