//! The records of a TLS 1.3 connection whose secrets are known, opened.

use super::key_log::{ClientRandom, ConnectionSecrets, KeyLog, TlsRole};
use super::keys::{RecordKeys, Suite};

/// Bytes before a record (RFC 8446, section 5.1).
const HEADER_BYTES: usize = 5;

/// Most bytes of an encrypted record behind its header (section 5.2).
const MAX_RECORD_BYTES: usize = (1 << 14) + 256;

/// The client's random in its first record: behind the headers of record and message and the
/// version (section 4.1.2).
const RANDOM_AT: std::ops::Range<usize> = 11..43;

/// Most bytes of a client that are held until the server has chosen the suite.
const MAX_EARLY_BYTES: usize = 128 * 1024;

/// Most bytes of a server's first message.
const MAX_HELLO_BYTES: usize = 16 * 1024;

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;

/// The random that makes a server's hello a request for another one (section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Whether a stream begins a TLS connection, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// So far it may.
    Open,
    /// It does, with this random.
    Hello(ClientRandom),
    /// It does not.
    Other,
}

impl Beginning {
    /// Looks at all that has come of the stream.
    pub fn of(bytes: &[u8]) -> Self {
        // Of the record's legacy version clients send 03 01 or 03 03 (RFC 8446, section 5.1).
        let expected = [(0, HANDSHAKE), (1, 3), (5, CLIENT_HELLO)];
        let differs = |(at, value): (usize, u8)| bytes.get(at).is_some_and(|byte| *byte != value);
        if expected.into_iter().any(differs) {
            return Self::Other;
        }
        match bytes.get(RANDOM_AT).map(TryInto::try_into) {
            Some(Ok(random)) => Self::Hello(random),
            _ => Self::Open,
        }
    }
}

/// Why records cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// A length that no record has.
    #[error("a record of {0} bytes, and {MAX_RECORD_BYTES} are the most")]
    RecordLength(usize),
    /// A server's first message that cannot be read, or is of another version.
    #[error("the server does not speak TLS 1.3")]
    Version,
    /// A cipher suite that is not known here.
    #[error("cipher suite {0:04x} is not known")]
    Suite(u16),
    /// A secret is not in the key log, or of another length.
    #[error("the key log has no secret for {0}")]
    NoSecret(&'static str),
    /// A record that was not sealed with the connection's secrets.
    #[error("record {0} of this direction was not sealed with the secrets in the key log")]
    Sealed(u64),
    /// More before the server's first message than is held.
    #[error("the server's first message did not come")]
    NoServerHello,
}

/// Opens the records of one connection, in both directions.
#[derive(Debug)]
pub struct Decryptor {
    secrets: ConnectionSecrets,
    /// The server's first message, until it is whole.
    server_hello: Vec<u8>,
    suite: Option<Suite>,
    /// By [`TlsRole::index`].
    directions: [Direction; 2],
}

#[derive(Debug, Default)]
struct Direction {
    /// Bytes that have come and are not read.
    buffer: Vec<u8>,
    keys: Option<RecordKeys>,
    /// The handshake of this direction is over.
    is_established: bool,
    /// Encrypted records that were opened.
    opened: u64,
    messages: Messages,
}

/// The handshake messages that pass, however they are cut into records.
#[derive(Debug, Default)]
struct Messages {
    /// Header of the current message, until it is whole.
    header: Vec<u8>,
    /// Bytes of the current message that are still to come, behind its header.
    left: usize,
}

impl Messages {
    /// Takes the bytes of a record; the types of messages that end in it.
    fn take(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut ended = Vec::new();
        loop {
            let wanted = bytes.len().min(4 - self.header.len());
            self.header.extend_from_slice(&bytes[..wanted]);
            bytes = &bytes[wanted..];
            let [kind, high, middle, low] = self.header[..] else {
                return ended;
            };
            if wanted > 0 {
                self.left = message_length(high, middle, low);
            }
            let passed = self.left.min(bytes.len());
            self.left -= passed;
            bytes = &bytes[passed..];
            if self.left > 0 {
                return ended;
            }
            ended.push(kind);
            self.header.clear();
        }
    }
}

impl Decryptor {
    /// For the connection with this random; `None` if the key log does not have it.
    pub fn new(key_log: &KeyLog, random: &ClientRandom) -> Option<Self> {
        Some(Self {
            secrets: key_log.secrets(random)?.clone(),
            server_hello: Vec::new(),
            suite: None,
            directions: Default::default(),
        })
    }

    /// Bytes of memory that are held until there are more.
    pub fn held_bytes(&self) -> usize {
        let held = |direction: &Direction| direction.buffer.capacity();
        let directions: usize = self.directions.iter().map(held).sum();
        self.server_hello.capacity() + directions
    }

    /// Takes the next bytes that one end sent, and hands their plaintext to `emit`.
    ///
    /// # Errors
    /// The end whose records cannot be opened, and will not be, and the reason. They may be the
    /// client's that came before the server's first message.
    pub fn push(
        &mut self,
        from: TlsRole,
        bytes: &[u8],
        emit: &mut dyn FnMut(TlsRole, &[u8]),
    ) -> Result<(), (TlsRole, DecryptError)> {
        self.directions[from.index()]
            .buffer
            .extend_from_slice(bytes);
        let could_read_early = self.suite.is_some();
        let mut result = self.read(from, emit).map_err(|error| (from, error));
        // The client's records meanwhile have waited for the suite.
        if from == TlsRole::Server && self.suite.is_some() && !could_read_early {
            let early = self.read(TlsRole::Client, emit);
            result = result.and(early.map_err(|error| (TlsRole::Client, error)));
        }
        result
    }

    fn read(
        &mut self,
        from: TlsRole,
        emit: &mut dyn FnMut(TlsRole, &[u8]),
    ) -> Result<(), DecryptError> {
        let mut buffer = std::mem::take(&mut self.directions[from.index()].buffer);
        let mut at = 0;
        let mut result = Ok(());
        while let Some(&header) = buffer[at..].first_chunk::<HEADER_BYTES>() {
            let [kind, _, _, high, low] = header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length > MAX_RECORD_BYTES {
                result = Err(DecryptError::RecordLength(length));
                break;
            }
            if kind == APPLICATION_DATA && self.suite.is_none() {
                if buffer.len() > MAX_EARLY_BYTES {
                    result = Err(DecryptError::NoServerHello);
                }
                break;
            }
            let end = at + HEADER_BYTES + length;
            let Some(record) = buffer.get_mut(at + HEADER_BYTES..end) else {
                break;
            };
            at = end;
            result = match (kind, from) {
                (APPLICATION_DATA, _) => self.open(from, header, record, emit),
                (HANDSHAKE, TlsRole::Server) if self.suite.is_none() => self.handle_record(record),
                // The client's first message, changes of the cipher spec that mean nothing.
                _ => Ok(()),
            };
            if result.is_err() {
                break;
            }
        }
        buffer.drain(..at);
        self.directions[from.index()].buffer = buffer;
        result
    }

    /// A record of the server's first message.
    fn handle_record(&mut self, record: &[u8]) -> Result<(), DecryptError> {
        let hello = &mut self.server_hello;
        hello.extend_from_slice(record);
        let Some(&[kind, high, middle, low]) = hello.first_chunk::<4>() else {
            return Ok(());
        };
        let length = message_length(high, middle, low);
        if kind != SERVER_HELLO || length > MAX_HELLO_BYTES {
            return Err(DecryptError::Version);
        }
        let Some(message) = hello.get(4..4 + length) else {
            return Ok(());
        };
        let chosen = choice(message);
        *hello = Vec::new();
        match chosen {
            Some(Choice::Again) => Ok(()),
            Some(Choice::Suite(number)) => {
                self.suite = Some(Suite::of(number).ok_or(DecryptError::Suite(number))?);
                Ok(())
            }
            None => Err(DecryptError::Version),
        }
    }

    fn open(
        &mut self,
        from: TlsRole,
        header: [u8; HEADER_BYTES],
        record: &mut [u8],
        emit: &mut dyn FnMut(TlsRole, &[u8]),
    ) -> Result<(), DecryptError> {
        let (secrets, suite) = (&self.secrets, self.suite);
        let direction = &mut self.directions[from.index()];
        let keys_of = |secrets: &[Option<Vec<u8>>; 2], what| {
            let secret = secrets[from.index()].as_deref();
            secret
                .zip(suite)
                .and_then(|(secret, suite)| RecordKeys::new(suite, secret))
                .ok_or(DecryptError::NoSecret(what))
        };
        let mut keys = match direction.keys.take() {
            Some(keys) => keys,
            None => keys_of(&secrets.handshake, "the handshake")?,
        };
        let opened = keys.open(header, record);
        let sealed = DecryptError::Sealed(direction.opened);
        let inside = opened.ok_or(sealed)?;
        direction.opened += 1;
        // The content type is the last byte that is not padding (section 5.2).
        let end = inside.iter().rposition(|byte| *byte != 0).ok_or(sealed)?;
        let (content, kind) = (&inside[..end], inside[end]);
        match kind {
            APPLICATION_DATA => emit(from, content),
            HANDSHAKE => {
                for ended in direction.messages.take(content) {
                    keys = match (ended, direction.is_established) {
                        (FINISHED, false) => {
                            direction.is_established = true;
                            keys_of(&secrets.traffic, "what follows the handshake")?
                        }
                        (KEY_UPDATE, true) => keys.updated().ok_or(sealed)?,
                        _ => keys,
                    };
                }
            }
            // Alerts: the end of TLS, which that of the connection follows.
            _ => {}
        }
        direction.keys = Some(keys);
        Ok(())
    }
}

/// Three bytes as a length (RFC 8446, section 4).
fn message_length(high: u8, middle: u8, low: u8) -> usize {
    usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
}

/// The choice in a server's hello.
enum Choice {
    /// It wants another one of the client.
    Again,
    Suite(u16),
}

/// `None` where it is not of TLS 1.3 (section 4.1.3, and 4.2.1 for the version).
fn choice(message: &[u8]) -> Option<Choice> {
    let random = message.get(2..34)?;
    let session_bytes = usize::from(*message.get(34)?);
    let rest = message.get(35 + session_bytes..)?;
    let &[high, low, _compression, _, _] = rest.first_chunk::<5>()?;
    let mut extensions = &rest[5..];
    let mut is_tls13 = false;
    while let Some(&[kind_high, kind_low, high, low]) = extensions.first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let content = extensions.get(4..4 + length)?;
        // supported_versions with 0x0304; the version field itself always says 1.2.
        is_tls13 |= [kind_high, kind_low] == [0, 43] && content == [3, 4];
        extensions = &extensions[4 + length..];
    }
    match (is_tls13, random == RETRY_RANDOM) {
        (false, _) => None,
        (true, true) => Some(Choice::Again),
        (true, false) => Some(Choice::Suite(u16::from_be_bytes([high, low]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decryptor() -> Decryptor {
        let random = "ab".repeat(32);
        let text = format!("CLIENT_TRAFFIC_SECRET_0 {random} {}", "00".repeat(32));
        Decryptor::new(&KeyLog::parse(&text).unwrap(), &[0xab; 32]).unwrap()
    }

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3], &length[..], content].concat()
    }

    /// Pushes bytes in pieces until they are refused; returns the number taken, the most memory
    /// held, and the reason.
    fn flood(
        from: TlsRole,
        bytes: &[u8],
        piece_bytes: usize,
    ) -> (usize, usize, Result<(), (TlsRole, DecryptError)>) {
        let mut decryptor = decryptor();
        let (mut taken, mut held) = (0, 0);
        for piece in bytes.chunks(piece_bytes) {
            let result = decryptor.push(from, piece, &mut |_, _| panic!("nothing is inside"));
            held = held.max(decryptor.held_bytes());
            if result.is_err() {
                return (taken, held, result);
            }
            taken += piece.len();
        }
        (taken, held, Ok(()))
    }

    #[test]
    fn what_waits_to_be_opened_is_bounded() {
        let long = [0; MAX_RECORD_BYTES];
        let sealed = record(APPLICATION_DATA, &long).repeat(20);
        // A server's first message that never ends, in records of handshakes.
        let head = [SERVER_HELLO, 0, 0x40, 0];
        let hello = [&head[..], &long].concat();
        let hello = hello[..MAX_RECORD_BYTES].to_vec();
        let endless = record(HANDSHAKE, &[SERVER_HELLO, 0xff, 0xff, 0xff]);
        let garbage = [record(HANDSHAKE, &hello), vec![APPLICATION_DATA; 1 << 20]].concat();
        for piece_bytes in [1, 1_000, 5_000] {
            // Memory doubles while it grows.
            let (taken, held, result) = flood(TlsRole::Client, &sealed, piece_bytes);
            assert_eq!(result, Err((TlsRole::Client, DecryptError::NoServerHello)));
            assert!(taken <= MAX_EARLY_BYTES, "{taken}");
            assert!(held <= 2 * (MAX_EARLY_BYTES + piece_bytes), "{held}");
            for (bytes, error) in [
                (&endless, DecryptError::Version),
                (&garbage, DecryptError::Version),
            ] {
                let (_, held, result) = flood(TlsRole::Server, bytes, piece_bytes);
                assert_eq!(result, Err((TlsRole::Server, error)), "{piece_bytes}");
                assert!(held <= 2 * (2 * MAX_RECORD_BYTES + piece_bytes), "{held}");
            }
            // No record is that long.
            let (_, held, result) = flood(TlsRole::Server, &[HANDSHAKE, 3, 3, 255, 255], 5);
            let error = DecryptError::RecordLength(0xffff);
            assert_eq!(result, Err((TlsRole::Server, error)));
            assert!(held < 100, "{held}");
        }
    }

    #[test]
    fn a_first_message_counts_until_it_is_whole() {
        // Made long by an extension that means nothing.
        let extension = [&[0xff, 0xff, 0x20, 0][..], &[0; 0x2000]].concat();
        let tls13 = [0, 43, 0, 2, 3, 4];
        let extension_bytes = (extension.len() + tls13.len()) as u16;
        let message = [
            &[3, 3][..],
            &[7; 32],
            &[0, 0x13, 0x01, 0],
            &extension_bytes.to_be_bytes(),
            &extension,
            &tls13,
        ]
        .concat();
        let [_, _, length @ ..] = (message.len() as u32).to_be_bytes();
        let hello = [&[SERVER_HELLO, 0, length[0], length[1]][..], &message].concat();
        let mut decryptor = decryptor();
        let mut pushed = 0;
        for piece in hello.chunks(1_000) {
            assert!(decryptor.held_bytes() >= pushed, "of {pushed}");
            let bytes = record(HANDSHAKE, piece);
            let result = decryptor.push(TlsRole::Server, &bytes, &mut |_, _| {});
            assert_eq!(result, Ok(()));
            pushed += piece.len();
        }
        assert!(decryptor.suite.is_some());
        assert!(decryptor.held_bytes() < 3_000, "{}", decryptor.held_bytes());
    }
}
