//! Tunnels through a router that delivers as Java's of 2011 does: its workers overtake
//! one another. It is a script, written from what is known of that router: it takes DSA
//! destinations only, asks for lease sets by type 21, announces messages, and reports on
//! them by message id. One of 2004 moreover closes the connection on a GetDate with a
//! version.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ministream::wire::Destination;
use ministream_fixtures::i2cp::{
    frame, message_payload, message_status, request_lease_set, session_status,
};

use crate::endpoint::{Endpoint, command, connect};
use crate::services::{echo, exchange, pattern, service};

/// The time of the router, milliseconds since 1970.
const DATE: u64 = 1_315_440_000_000;

/// How long a worker takes at most.
const SLOWEST: Duration = Duration::from_millis(12);

#[derive(Clone)]
struct JavaRouter {
    address: SocketAddr,
    sessions: Arc<Mutex<HashMap<Vec<u8>, Session>>>,
    numbers: Arc<AtomicU32>,
    age: Age,
    /// Which of the messages of more than 10,000 bytes is lost; 0: none.
    loses: u32,
    long_messages: Arc<AtomicU32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// 0.8.8, of 2011.
    Of2011,
    /// Before 0.8.7: reads no version, and takes what is not read for the next message.
    Of2004,
}

#[derive(Clone)]
struct Session {
    number: u16,
    writer: Arc<Mutex<TcpStream>>,
    announced: Arc<Mutex<HashMap<u32, Vec<u8>>>>,
}

impl Session {
    fn say(&self, frame: &[u8]) {
        // The application may have left.
        self.writer.lock().unwrap().write_all(frame).ok();
    }
}

impl JavaRouter {
    fn start(age: Age, loses: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let router = Self {
            address: listener.local_addr().unwrap(),
            sessions: Arc::default(),
            numbers: Arc::new(AtomicU32::new(1)),
            age,
            loses,
            long_messages: Arc::default(),
        };
        let serving = router.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let router = serving.clone();
                thread::spawn(move || router.serve(stream.unwrap()).ok());
            }
        });
        router
    }

    fn carrier(&self) -> String {
        format!("i2cp://{}", self.address)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut protocol = [0];
        stream.read_exact(&mut protocol)?;
        assert_eq!(protocol, [0x2a]);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let session = Session {
            number: u16::try_from(number % 60_000).unwrap(),
            writer: Arc::new(Mutex::new(stream.try_clone()?)),
            announced: Arc::default(),
        };
        loop {
            let mut header = [0; 5];
            stream.read_exact(&mut header)?;
            let [length @ .., message_type] = header;
            let mut body = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
            stream.read_exact(&mut body)?;
            match message_type {
                32 => {
                    let version: &[u8] = match (self.age, body.is_empty()) {
                        (Age::Of2011, false) => b"\x050.8.8",
                        (Age::Of2011 | Age::Of2004, _) => b"",
                    };
                    session.say(&frame(33, &[&DATE.to_be_bytes(), version].concat()));
                    if self.age == Age::Of2004 && !body.is_empty() {
                        return Ok(());
                    }
                }
                1 => {
                    // Of 2004, it reports on deliveries to those who ask for that only.
                    let reliability = b"\x17i2cp.messageReliability=\x0aGuaranteed;";
                    let is_asked = body.windows(reliability.len()).any(|w| w == reliability);
                    assert!(is_asked || self.age == Age::Of2011);
                    let destination = Destination::split(&body).unwrap().0.as_bytes();
                    if destination.len() != 387 {
                        // It knows no other signatures, and says nothing.
                        return Ok(());
                    }
                    let mut sessions = self.sessions.lock().unwrap();
                    sessions.insert(destination.to_vec(), session.clone());
                    session.say(&session_status(session.number, 1));
                    session.say(&request_lease_set(session.number));
                }
                4 => {
                    // Session, two private keys, destination, ElGamal key, revocation key of
                    // DSA, one lease, signature of DSA.
                    let bytes = 2 + 20 + 256 + 387 + 256 + 128 + 1 + 44 + 40;
                    assert_eq!(body.len(), bytes, "a lease set with DSA");
                }
                5 => self.take(&session, &body),
                6 => {
                    let id = u32::from_be_bytes(body[2..6].try_into().unwrap());
                    let payload = session.announced.lock().unwrap().remove(&id);
                    session.say(&message_payload(session.number, id, &payload.unwrap()));
                }
                7 => {}
                34 => {
                    let sessions = self.sessions.lock().unwrap();
                    let found = sessions.keys().find(|destination| {
                        let (destination, _) = Destination::split(destination).unwrap();
                        destination.hash().0[..] == body[..]
                    });
                    session.say(&frame(35, found.map_or(&body, |found| found)));
                }
                3 => {
                    session.say(&session_status(session.number, 0));
                    return Ok(());
                }
                other => panic!("a router of 2011 does not know type {other}"),
            }
        }
    }

    fn take(&self, from: &Session, body: &[u8]) {
        let (destination, rest) = Destination::split(&body[2..]).unwrap();
        let destination = destination.as_bytes().to_vec();
        let (payload, nonce) = rest[4..].split_at(rest.len() - 8);
        let (payload, nonce) = (
            payload.to_vec(),
            u32::from_be_bytes(nonce.try_into().unwrap()),
        );
        let id = self.numbers.fetch_add(1, Ordering::Relaxed);
        if nonce != 0 {
            from.say(&message_status(from.number, id, 1, 0, nonce));
        }
        if payload.len() > 10_000
            && self.long_messages.fetch_add(1, Ordering::Relaxed) + 1 == self.loses
        {
            from.say(&message_status(from.number, id, 5, 0, id & 0xff));
            return;
        }
        let (router, from) = (self.clone(), from.clone());
        thread::spawn(move || {
            let slowness = u32::from(rand::random::<u8>());
            thread::sleep(SLOWEST * slowness / 255);
            let to = router.sessions.lock().unwrap().get(&destination).cloned();
            let status = match to {
                Some(to) => {
                    let size = payload.len().try_into().unwrap();
                    to.announced.lock().unwrap().insert(id, payload);
                    to.say(&message_status(to.number, id, 0, size, 1));
                    4
                }
                None => 5,
            };
            if nonce != 0 {
                from.say(&message_status(from.number, id, status, 0, id & 0xff));
            }
        });
    }
}

fn dsa_keys(directory: &Path) -> String {
    let keys = directory.join("old.dat").display().to_string();
    let made = command(&["keys", "new", &keys, "--type", "dsa"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(std::fs::metadata(&keys).unwrap().len(), 663);
    keys
}

/// A server and a client at the router.
fn tunnel(
    router: &JavaRouter,
    target: SocketAddr,
    more: &[&str],
) -> (Endpoint, Endpoint, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let keys = dsa_keys(directory.path());
    let carrier = router.carrier();
    let server = Endpoint::server(&carrier, target, &[&["--keys", &keys][..], more].concat());
    let to = server.field("name=").to_owned();
    let caller = ["--keys", "transient:dsa", "--to", &to];
    let client = Endpoint::client(&carrier, &[&caller[..], more].concat());
    (server, client, directory)
}

/// What came back of a megabyte, and of a page that ends by closing.
fn transfers(client: &Endpoint, whole: &[u8]) -> Vec<bool> {
    (0..3)
        .flat_map(|_| {
            let stream = connect(client.listen());
            let same = read_and_compare(&stream, whole);
            drop(stream);
            [same]
        })
        .collect()
}

/// Uploads, and takes the answer until its end.
fn read_and_compare(mut stream: &TcpStream, whole: &[u8]) -> bool {
    stream.write_all(b"go").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).is_ok() && all == whole
}

#[test]
fn in_order_every_transfer_is_equal_at_a_router_that_reorders() {
    let router = JavaRouter::start(Age::Of2011, 0);
    let whole = pattern(1_000_000);
    let page = whole.clone();
    let target = service(move |mut stream| {
        stream.read_exact(&mut [0; 2])?;
        stream.write_all(&page)
    });
    for order in ["auto", "guaranteed"] {
        let (server, client, _directory) = tunnel(&router, target, &["--i2cp-order", order]);
        assert_eq!(transfers(&client, &whole), [true; 3], "{order}");
        assert!(!server.log().contains("WARN"), "{}", server.log());
    }
    // And without it they are not, or this router would prove nothing.
    let (_server, client, _directory) = tunnel(&router, target, &["--i2cp-order", "best-effort"]);
    assert!(transfers(&client, &whole).contains(&false));
}

#[test]
fn uploads_and_many_at_once_are_equal_in_order() {
    let router = JavaRouter::start(Age::Of2004, 0);
    let (_server, client, _directory) = tunnel(&router, echo(), &[]);
    let listen = client.listen();
    thread::scope(|scope| {
        for number in 1..=20_usize {
            scope.spawn(move || {
                let sent = pattern(number * 10_007);
                assert!(exchange(&connect(listen), &sent) == sent, "{number}");
            });
        }
    });
}

#[test]
fn a_message_that_is_lost_in_order_ends_its_conversation_alone_and_leaves_no_hole() {
    let router = JavaRouter::start(Age::Of2011, 20);
    let whole = pattern(3_000_000);
    let page = whole.clone();
    let target = service(move |mut stream| {
        let mut word = [0];
        stream.read_exact(&mut word)?;
        match &word {
            b"e" => {
                let mut from = stream.try_clone()?;
                io::copy(&mut from, &mut stream).map(|_| ())
            }
            _ => stream.write_all(&page),
        }
    });
    let (server, client, _directory) = tunnel(&router, target, &[]);
    let mut other = connect(client.listen());
    other.write_all(b"e").unwrap();
    assert_eq!(exchange(&other, b"before"), b"before");
    let mut stream = connect(client.listen());
    stream.write_all(b"p").unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let mut came = Vec::new();
    // The client hears nothing of it: the peer cannot be told through such a router.
    let end = stream.read_to_end(&mut came);
    assert!(end.is_err() && whole.starts_with(&came), "{end:?}");
    server.wait_for_log("a message was not sent: the router could not send it");
    let log = server.log();
    let failures = log.matches("conversation failed").count();
    assert_eq!(failures, 1, "{log}");
    assert!(log.contains("received_bytes=1 unsent_bytes="), "{log}");
    assert_eq!(exchange(&other, b"and after"), b"and after");
}

#[test]
fn ed25519_is_refused_with_advice() {
    let router = JavaRouter::start(Age::Of2011, 0);
    let to = ministream_fixtures::key_destination(1);
    let to = Destination::split(&to).unwrap().0.to_base64();
    let carrier = router.carrier();
    let client = [
        "client",
        "--carrier",
        &carrier,
        "--listen",
        "127.0.0.1:0",
        "--keys",
        "transient",
    ];
    let refusal = Endpoint::try_start(&[&client[..], &["--to", &to]].concat());
    let Err(told) = refusal else {
        panic!("it was taken")
    };
    assert!(told.contains("keys new --type dsa"), "{told}");
}
