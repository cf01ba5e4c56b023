//! TLS records whose secrets are in a key log: sealed, damaged, and cut anywhere.

use arbitrary::{Result, Unstructured};
use ministream::carrier::tls::{Beginning, Decryptor, KeyLog, TlsRole};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305};
use ring::aead::{LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, HKDF_SHA384, KeyType, Prk};

const RANDOM: [u8; 32] = [7; 32];

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// What a decryptor holds at most: early data of a client, or a record and what came with it,
/// in each direction, and as much again, for a vector grows by doubling.
const MAX_HELD_BYTES: usize = 4 * (128 * 1024 + 2 * 16 * 1024);

/// What was sealed comes out, in its order, up to the first damage of its direction, and how
/// a stream is cut into pushes changes nothing. What is held stays bounded.
pub fn run(data: &[u8]) {
    crate::given(data, open);
    crate::given(data, take_anything);
}

/// Whatever a server answers, cuts change nothing.
fn take_anything(input: &mut Unstructured<'_>) -> Result<()> {
    let cuts: Vec<u8> = input.arbitrary()?;
    let mut hello = input.bytes(input.len())?.to_vec();
    let is_framed = cuts.len().is_multiple_of(2);
    if is_framed {
        // Only its inside is anything.
        hello.truncate(16 * 1024);
        hello = record(HANDSHAKE, &hello);
    }
    let random = hex(&RANDOM);
    let secret = hex(&[1; 32]);
    let lines = ["CLIENT_HANDSHAKE", "SERVER_HANDSHAKE"]
        .map(|name| format!("{name}_TRAFFIC_SECRET {random} {secret}\n"));
    let log = KeyLog::parse(&lines.concat()).expect("a key log");
    let sent = [
        (0, record(HANDSHAKE, &client_hello())),
        (1, hello.clone()),
        (1, hello),
    ];
    assert_eq!(opened(&log, &sent, &[]), opened(&log, &sent, &cuts));
    Ok(())
}

fn open(input: &mut Unstructured<'_>) -> Result<()> {
    let suite = *input.choose(&[0x1301, 0x1302, 0x1303])?;
    let mut ends = [Sender::new(suite, 0), Sender::new(suite, 1)];
    let mut log = String::new();
    for (name, sender) in ["CLIENT", "SERVER"].into_iter().zip(&ends) {
        let random = hex(&RANDOM);
        let [handshake, traffic] = [&sender.secret, &sender.next_secret].map(|secret| hex(secret));
        log += &format!("{name}_HANDSHAKE_TRAFFIC_SECRET {random} {handshake}\n");
        log += &format!("{name}_TRAFFIC_SECRET_0 {random} {traffic}\n");
    }
    let log = KeyLog::parse(&log).expect("a key log");

    let client_hello = record(HANDSHAKE, &client_hello());
    assert_eq!(Beginning::of(&client_hello), Beginning::Hello(RANDOM));
    let mut sent = vec![(0, client_hello)];
    let server_hello = (1, record(HANDSHAKE, &server_hello(suite)));
    // A client's records may stand before what they answer.
    let is_read_late: bool = input.arbitrary()?;
    if !is_read_late {
        sent.push(server_hello.clone());
    }
    for _ in 0..input.int_in_range(0..=12)? {
        let end = input.int_in_range(0..=1)?;
        sent.push((end, ends[end].send(input)?));
    }
    if is_read_late {
        sent.sort_by_key(|(end, _)| *end);
        let first = sent.iter().position(|(end, _)| *end == 1);
        sent.insert(first.unwrap_or(sent.len()), server_hello);
    }
    let cuts: Vec<u8> = input.arbitrary()?;

    let whole = opened(&log, &sent, &[]);
    for (sender, direction) in ends.iter().zip(&whole) {
        let found = &direction.bytes;
        assert!(found.starts_with(&sender.expected), "some did not come out");
        if !sender.is_damaged {
            assert_eq!(*found, sender.expected);
            assert_eq!(direction.error, None);
        }
    }
    assert_eq!(whole, opened(&log, &sent, &cuts));
    Ok(())
}

/// What a direction gave.
#[derive(Debug, Default, PartialEq, Eq)]
struct Opened {
    bytes: Vec<u8>,
    error: Option<String>,
}

fn opened(log: &KeyLog, sent: &[(usize, Vec<u8>)], cuts: &[u8]) -> [Opened; 2] {
    let mut decryptor = Decryptor::new(log, &RANDOM).expect("its secrets are known");
    let mut opened = <[Opened; 2]>::default();
    for (end, bytes) in sent {
        crate::decoders::pieces(bytes, cuts, |piece| {
            if opened[*end].error.is_some() {
                return;
            }
            let from = [TlsRole::Client, TlsRole::Server][*end];
            let result = decryptor.push(from, piece, &mut |from, inside| {
                let end = usize::from(from == TlsRole::Server);
                opened[end].bytes.extend_from_slice(inside);
            });
            if let Err((from, error)) = result {
                let end = usize::from(from == TlsRole::Server);
                opened[end].error = Some(error.to_string());
            }
            assert!(decryptor.held_bytes() <= MAX_HELD_BYTES);
        });
    }
    opened
}

/// An end that seals what it sends (RFC 8446, sections 5.2 and 7).
struct Sender {
    suite: u16,
    secret: Vec<u8>,
    /// That for what follows the handshake.
    next_secret: Vec<u8>,
    sequence: u64,
    is_established: bool,
    /// What must come out of it.
    expected: Vec<u8>,
    is_damaged: bool,
}

impl Sender {
    fn new(suite: u16, end: u8) -> Self {
        let secret = |number| vec![number; if suite == 0x1302 { 48 } else { 32 }];
        Self {
            suite,
            secret: secret(end),
            next_secret: secret(end + 2),
            sequence: 0,
            is_established: false,
            expected: Vec::new(),
            is_damaged: false,
        }
    }

    /// The next bytes of this end.
    fn send(&mut self, input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        Ok(match input.int_in_range(0..=6)? {
            0 => {
                let body = vec![5; input.int_in_range(0..=40)?];
                let message = message(20, &body);
                // A message may be cut into several records; its last one ends with it.
                let cut = input.int_in_range(0..=message.len() - 1)?;
                let bytes = [
                    self.seal(HANDSHAKE, &message[..cut], 0),
                    self.seal(HANDSHAKE, &message[cut..], 0),
                ]
                .concat();
                if !self.is_established {
                    self.is_established = true;
                    self.secret = self.next_secret.clone();
                    self.sequence = 0;
                }
                bytes
            }
            1 => {
                let bytes = self.seal(HANDSHAKE, &message(24, &[0]), 0);
                if self.is_established {
                    let length = self.secret.len();
                    self.secret = expand(self.suite, &self.secret, "traffic upd", length);
                    self.sequence = 0;
                }
                bytes
            }
            2 => record(CHANGE_CIPHER_SPEC, &[1]),
            3 => {
                self.is_damaged = true;
                let length = input.int_in_range(0..=input.len())?;
                input.bytes(length)?.to_vec()
            }
            4 => {
                self.is_damaged = true;
                let mut bytes = self.seal(APPLICATION_DATA, b"changed", 0);
                let place = input.int_in_range(0..=bytes.len() - 1)?;
                bytes[place] ^= 1 << input.int_in_range(0..=7)?;
                bytes
            }
            _ => {
                let length = input.int_in_range(0..=input.len().min(300))?;
                let content = input.bytes(length)?;
                if !self.is_damaged {
                    self.expected.extend_from_slice(content);
                }
                let padding = input.int_in_range(0..=20)?;
                self.seal(APPLICATION_DATA, content, padding)
            }
        })
    }

    fn seal(&mut self, kind: u8, content: &[u8], padding: usize) -> Vec<u8> {
        let mut inside = [content, &[kind], &vec![0; padding]].concat();
        let length = u16::try_from(inside.len() + 16).expect("a short record");
        let [high, low] = length.to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, high, low];
        let aead = aead(self.suite);
        let key = expand(self.suite, &self.secret, "key", aead.key_len());
        let key = LessSafeKey::new(UnboundKey::new(aead, &key).expect("a key"));
        let iv = expand(self.suite, &self.secret, "iv", NONCE_LEN);
        let mut nonce: [u8; NONCE_LEN] = iv.try_into().expect("as long as a nonce");
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence += 1;
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(header), &mut inside)
            .expect("it can be sealed");
        [&header[..], &inside].concat()
    }
}

fn aead(suite: u16) -> &'static Algorithm {
    match suite {
        0x1301 => &AES_128_GCM,
        0x1302 => &AES_256_GCM,
        _ => &CHACHA20_POLY1305,
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(suite: u16, secret: &[u8], label: &str, length: usize) -> Vec<u8> {
    let hash = if suite == 0x1302 {
        HKDF_SHA384
    } else {
        HKDF_SHA256
    };
    let label = format!("tls13 {label}");
    let lengths = [0, length as u8, label.len() as u8];
    let mut out = vec![0; length];
    Prk::new_less_safe(hash, secret)
        .expand(&[&lengths, label.as_bytes(), &[0]], Length(length))
        .and_then(|key| key.fill(&mut out))
        .expect("a short key");
    out
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).expect("short").to_be_bytes();
    [&[kind, 3, 3, high, low], content].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[kind, high, middle, low], body].concat()
}

fn client_hello() -> Vec<u8> {
    message(1, &[&[3, 3], &RANDOM[..], &[0]].concat())
}

/// With `supported_versions` as its only extension (section 4.2.1).
fn server_hello(suite: u16) -> Vec<u8> {
    let [high, low] = suite.to_be_bytes();
    let behind = [0, high, low, 0, 0, 6, 0, 43, 0, 2, 3, 4];
    message(2, &[&[3, 3], &[9; 32][..], &behind].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
