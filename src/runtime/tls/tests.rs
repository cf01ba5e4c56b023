//! Both ends in memory: every cut of the bytes between them, and their plaintext in the dissector.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rustls::SupportedCipherSuite;

use super::config::{SUITES, provider};
use super::{TlsClient, TlsError, TlsOptions, TlsServer, TlsSession};
use crate::carrier::tls::{Beginning, DecryptError, Decryptor, KeyLog, TlsRole};
use crate::keys::Keys;
use crate::runtime::allow::{AllowList, Allowed};
use crate::runtime::link::Remote;
use crate::session::Query;

/// Somebody's, made once: it takes longer than a handshake.
fn keys(seed: u8) -> Arc<Keys> {
    static MADE: Mutex<BTreeMap<u8, Arc<Keys>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let keys = made
        .entry(seed)
        .or_insert_with(|| Arc::new(Keys::generate(&mut ChaCha12Rng::from_seed([seed; 32]))));
    Arc::clone(keys)
}

/// A client and a server with the bytes that passed between them.
struct Pair {
    spare: Vec<u8>,
    client: TlsSession,
    server: TlsSession,
    passed: Vec<(TlsRole, Vec<u8>)>,
    /// The plaintext, by sender.
    inside: [BytesMut; 2],
}

struct Setting {
    client: TlsOptions,
    server: TlsOptions,
    allow: AllowList,
    key_log: tempfile::NamedTempFile,
}

impl Setting {
    fn new(suites: &[SupportedCipherSuite]) -> Self {
        let key_log = tempfile::NamedTempFile::new().unwrap();
        let (ours, theirs) = (keys(1), keys(2));
        let client = TlsClient::RawKeys {
            keys: Arc::clone(&ours),
            server: Remote::LookUp(Query::Hash(theirs.destination().hash())),
        };
        Self {
            client: TlsOptions::client_with(provider(suites), &client, Some(key_log.path()))
                .unwrap(),
            server: TlsOptions::server(&TlsServer::RawKeys { keys: theirs }, None).unwrap(),
            allow: [Allowed::Destination(ours.destination().hash())]
                .into_iter()
                .collect(),
            key_log,
        }
    }

    fn pair(&self) -> Pair {
        Pair {
            spare: Vec::new(),
            client: self.client.begin(&AllowList::default()).unwrap(),
            server: self.server.begin(&self.allow).unwrap(),
            passed: Vec::new(),
            inside: [BytesMut::new(), BytesMut::new()],
        }
    }

    fn secrets(&self) -> KeyLog {
        let text = std::fs::read_to_string(self.key_log.path()).unwrap();
        KeyLog::parse(&text).unwrap()
    }
}

impl Pair {
    /// Passes on the waiting bytes, in pieces of so many, until nothing waits.
    fn pass(&mut self, piece_bytes: usize) -> Result<(), TlsError> {
        self.pass_changed(piece_bytes, None)
    }

    /// The same, with one bit changed in the byte at this place of an end's bytes.
    fn pass_changed(
        &mut self,
        piece_bytes: usize,
        change: Option<(TlsRole, usize)>,
    ) -> Result<(), TlsError> {
        let mut said_bytes = 0;
        while !(self.client.is_flushed() && self.server.is_flushed()) {
            for end in [TlsRole::Client, TlsRole::Server] {
                let (from, to, inside) = match end {
                    TlsRole::Client => (&mut self.client, &mut self.server, &mut self.inside[0]),
                    TlsRole::Server => (&mut self.server, &mut self.client, &mut self.inside[1]),
                };
                while !from.is_flushed() {
                    let mut piece = from.output(piece_bytes).to_vec();
                    from.written(piece.len(), &mut self.spare);
                    if let Some((who, at)) = change
                        && who == end
                    {
                        if let Some(byte) =
                            at.checked_sub(said_bytes).and_then(|at| piece.get_mut(at))
                        {
                            *byte ^= 1;
                        }
                        said_bytes += piece.len();
                    }
                    let mut incoming = [to.rest(), &piece].concat();
                    self.passed.push((end, piece));
                    to.take_in(&mut incoming, inside)?;
                }
            }
        }
        Ok(())
    }

    /// The bytes of an end.
    fn said_by(&self, end: TlsRole) -> Vec<u8> {
        let pieces = self.passed.iter().filter(|(who, _)| *who == end);
        pieces.flat_map(|(_, piece)| piece.clone()).collect()
    }
}

#[test]
fn both_ends_open_and_hear_each_other_however_what_passes_is_cut() {
    let setting = Setting::new(&SUITES);
    for piece_bytes in [1, 2, 3, 4, 5, 6, 7, 127, 128, 1_000, 20_000] {
        let mut pair = setting.pair();
        pair.pass(piece_bytes).unwrap();
        assert!(
            pair.client.is_open() && pair.server.is_open(),
            "{piece_bytes}"
        );
        let proven = |session: &TlsSession| session.proven().unwrap().to_vec();
        assert_eq!(proven(&pair.server), keys(1).destination().as_bytes());
        assert_eq!(proven(&pair.client), keys(2).destination().as_bytes());
        for length in [1, 16_384, 16_385, 40_000] {
            let said = vec![7; length];
            pair.client.send(&said, &mut pair.spare).unwrap();
            pair.server.send(&said, &mut pair.spare).unwrap();
            pair.pass(piece_bytes).unwrap();
            for inside in &mut pair.inside {
                assert!(inside.split() == said, "{piece_bytes} {length}");
            }
        }
        pair.client.end();
        pair.pass(piece_bytes).unwrap();
        assert!(pair.server.has_ended() && !pair.client.has_ended());
    }
}

#[test]
fn a_later_session_is_resumed_and_proves_the_same() {
    let setting = Setting::new(&SUITES);
    for is_resumed in [false, true, true] {
        let mut pair = setting.pair();
        pair.pass(10_000).unwrap();
        assert_eq!(pair.client.is_resumed(), is_resumed);
        assert_eq!(pair.server.is_resumed(), is_resumed);
        let proven = pair.server.proven().unwrap();
        assert_eq!(proven, keys(1).destination().as_bytes());
    }
}

#[test]
fn a_change_of_any_byte_on_the_way_is_noticed_by_whoever_gets_it() {
    let setting = Setting::new(&SUITES);
    let mut pair = setting.pair();
    pair.pass(100_000).unwrap();
    pair.client.send(b"what was said", &mut pair.spare).unwrap();
    let record = pair.client.output(usize::MAX).to_vec();
    for at in 0..record.len() {
        let mut changed = record.clone();
        changed[at] ^= 1;
        let mut pair = setting.pair();
        pair.pass(100_000).unwrap();
        let mut inside = BytesMut::new();
        // A longer record is waited for.
        let result = pair.server.take_in(&mut changed, &mut inside);
        assert!(inside.is_empty(), "{at}");
        assert!(result.is_err() || !pair.server.rest().is_empty(), "{at}");
        // And whatever it is asked then, nothing worse happens.
        pair.server.end();
    }
}

/// The places of bytes in headers of records that a change does no harm to: the version, of which
/// only the first byte is looked at (RFC 8446, section 5.1), and the type of encrypted records,
/// whose own type is inside.
fn idle_bytes(records: &[u8]) -> BTreeSet<usize> {
    const APPLICATION_DATA: u8 = 23;
    let mut idle = BTreeSet::new();
    let mut at = 0;
    while let Some([kind, _, _, length @ ..]) = records.get(at..at + 5) {
        idle.insert(at + 2);
        if *kind == APPLICATION_DATA {
            idle.insert(at);
        }
        at += 5 + usize::from(u16::from_be_bytes(length.try_into().unwrap()));
    }
    idle
}

#[test]
fn a_change_of_any_byte_of_a_handshake_lets_nobody_in() {
    let mut whole = Setting::new(&SUITES).pair();
    whole.pass(100_000).unwrap();
    for end in [TlsRole::Client, TlsRole::Server] {
        let said = whole.said_by(end);
        let idle = idle_bytes(&said);
        for at in 0..said.len() {
            // Each for the first time: a resumed session has other flights.
            let mut pair = Setting::new(&SUITES).pair();
            // A longer record is waited for.
            let result = pair.pass_changed(100_000, Some((end, at)));
            let hearer = match end {
                TlsRole::Client => &pair.server,
                TlsRole::Server => &pair.client,
            };
            assert_eq!(hearer.is_open(), idle.contains(&at), "{end:?} {at}");
            assert!(!hearer.is_open() || result.is_ok(), "{end:?} {at}");
        }
    }
}

/// The items of a decryptor, by direction, from pieces cut anew.
fn opened(
    secrets: &KeyLog,
    passed: &[(TlsRole, Vec<u8>)],
    piece_bytes: usize,
) -> Result<[Vec<u8>; 2], DecryptError> {
    let first = passed.iter().filter(|(end, _)| *end == TlsRole::Client);
    let first: Vec<u8> = first.flat_map(|(_, bytes)| bytes.clone()).collect();
    let Beginning::Hello(random) = Beginning::of(&first) else {
        panic!("no hello in {first:02x?}");
    };
    let mut decryptor = Decryptor::new(secrets, &random).unwrap();
    let mut inside = [Vec::new(), Vec::new()];
    for (end, bytes) in passed {
        for piece in bytes.chunks(piece_bytes) {
            let pushed = decryptor.push(*end, piece, &mut |end, bytes| {
                inside[usize::from(end == TlsRole::Server)].extend_from_slice(bytes);
            });
            pushed.map_err(|(_, error)| error)?;
        }
    }
    Ok(inside)
}

#[test]
fn the_dissector_opens_every_suite_and_key_update_however_records_are_cut() {
    for suite in SUITES {
        let setting = Setting::new(&[suite]);
        let mut pair = setting.pair();
        pair.pass(100_000).unwrap();
        let mut said = [Vec::new(), Vec::new()];
        for round in 0..4_u8 {
            let bytes = vec![round; 20_000];
            for (session, said) in [&mut pair.client, &mut pair.server]
                .into_iter()
                .zip(&mut said)
            {
                session.send(&bytes, &mut pair.spare).unwrap();
                said.extend_from_slice(&bytes);
                session.update_keys();
            }
            pair.pass(100_000).unwrap();
        }
        pair.client.end();
        pair.server.end();
        pair.pass(100_000).unwrap();
        let secrets = setting.secrets();
        for piece_bytes in [1, 2, 3, 5, 7, 64, 1_000, 100_000] {
            let inside = opened(&secrets, &pair.passed, piece_bytes).unwrap();
            for (inside, said) in inside.iter().zip(&said) {
                // Behind the hello, 6 bytes and a destination of 391.
                assert_eq!(inside[..6], [0, 0, 0, 0, 1, 0x87]);
                assert!(inside[397..] == said[..], "{suite:?} {piece_bytes}");
            }
        }
    }
}

#[test]
fn what_cannot_be_opened_is_told_why() {
    let setting = Setting::new(&SUITES);
    let mut pair = setting.pair();
    pair.pass(100_000).unwrap();
    pair.client.send(b"what was said", &mut pair.spare).unwrap();
    pair.pass(100_000).unwrap();
    let secrets = setting.secrets();
    // The last record, changed.
    let mut changed = pair.passed.clone();
    let (_, last) = changed.last_mut().unwrap();
    *last.last_mut().unwrap() ^= 1;
    let error = opened(&secrets, &changed, 100_000).unwrap_err();
    assert!(matches!(error, DecryptError::Sealed(_)), "{error}");
    // A key log that another program has cut.
    let text = std::fs::read_to_string(setting.key_log.path()).unwrap();
    let without = |label: &str| {
        let lines = text.lines().filter(|line| !line.starts_with(label));
        KeyLog::parse(&lines.collect::<Vec<_>>().join("\n")).unwrap()
    };
    for (label, what) in [
        ("CLIENT_HANDSHAKE", "the handshake"),
        ("SERVER_TRAFFIC", "what follows the handshake"),
    ] {
        let error = opened(&without(label), &pair.passed, 100_000);
        assert_eq!(error, Err(DecryptError::NoSecret(what)), "{label}");
    }
    let nobody = KeyLog::parse("").unwrap();
    assert!(Decryptor::new(&nobody, &[0; 32]).is_none());
}
