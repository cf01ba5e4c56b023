//! One connection over TLS, without its socket.

use std::io::IoSlice;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{CertificateError, Error, HandshakeKind};

use super::error::TlsError;
use super::identity;
use crate::carrier::tls::hello::{Hello, HelloError};
use crate::runtime::allow::AllowList;
use crate::wire::{Destination, DestinationHash};

/// Bytes of a record beyond its content: header 5, content type 1, tag 16 (RFC 8446, section 5.2).
const RECORD_OVERHEAD: usize = 5 + 1 + 16;

/// Most bytes inside a record (RFC 8446, section 5.1).
const RECORD_BYTES: usize = 16 * 1024;

/// More than the machine has to say of its own before it takes something from us.
const OWN_WORDS: usize = 16;

/// The handshake's two machines.
pub(super) enum Machine {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// The proof needed before messages are passed.
#[derive(Debug)]
pub(super) enum Proof {
    /// We show ours and expect this one.
    Client {
        own: Bytes,
        expected: DestinationHash,
    },
    /// We expect one of these and show ours.
    Server { own: Bytes, allow: AllowList },
}

/// A connection's TLS, from the first byte to the last.
#[derive(Debug)]
pub(in crate::runtime) struct TlsSession {
    machine: Machine,
    /// `None`: certificates have proven all that is asked for.
    proof: Option<Proof>,
    stage: Stage,
    /// The beginning of a record whose rest has not come.
    rest: Vec<u8>,
    /// Records that are to be written.
    output: Records,
    /// Bytes that came inside TLS before its hello was whole.
    hello: Vec<u8>,
    /// Bytes to be sent when all that has arrived is taken in.
    words: Vec<u8>,
    /// The reason why the other end is not the right one, until the reader has been given it.
    failure: Option<TlsError>,
    /// The other end's destination, proven.
    proven: Option<Bytes>,
    has_ended: bool,
    /// The machine has met an error, and is of no further use.
    is_broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Handshake,
    /// The handshake is over, the hello is not.
    Hello,
    /// The other end is not the right one; its bytes are dropped.
    Failed,
    Open,
}

/// The result of one step of a machine.
enum Progress {
    /// There is more to do.
    Again,
    /// More has to arrive, and the handshake is not over.
    Blocked,
    /// More has to arrive. All can be sent, and all that was to be sealed is.
    Traffic,
    /// The other end sends nothing more.
    Ended,
}

/// The content of records.
#[derive(Clone, Copy)]
enum Sealed<'a> {
    Bytes(&'a [u8]),
    /// The end of our bytes (`close_notify`).
    End,
}

/// The outputs of a step.
struct Buffers<'a> {
    /// The plaintext of records that arrived.
    plain: &'a mut BytesMut,
    /// Records that are to be written.
    output: &'a mut Records,
}

/// Bytes that wait to be written, in memory that is cleared once and not for each of them.
#[derive(Debug, Default)]
struct Records {
    memory: Vec<u8>,
    waiting: Range<usize>,
}

impl Records {
    /// Has something written at the end, in as much room as it asks for.
    fn append(
        &mut self,
        mut room: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<Result<usize, InsufficientSizeError>, Error>,
    ) -> Result<(), Error> {
        loop {
            let end = self.waiting.end + room;
            if self.memory.len() < end {
                self.memory.resize(end, 0);
            }
            match write(&mut self.memory[self.waiting.end..end])? {
                Ok(count) => {
                    self.waiting.end += count;
                    return Ok(());
                }
                Err(InsufficientSizeError { required_size }) => room = required_size,
            }
        }
    }

    fn waiting(&self) -> &[u8] {
        &self.memory[self.waiting.clone()]
    }

    /// So much was written. Memory in which nothing waits goes to `spare`, if that is less:
    /// an idle connection keeps none of its busy times.
    fn advance(&mut self, count: usize, spare: &mut Vec<u8>) {
        self.waiting.start += count;
        if self.waiting.is_empty() {
            self.waiting = 0..0;
            let memory = std::mem::take(&mut self.memory);
            if memory.len() > spare.len() {
                *spare = memory;
            }
        }
    }

    /// Takes memory that nobody uses.
    fn take(&mut self, spare: &mut Vec<u8>) {
        if self.memory.is_empty() {
            self.memory = std::mem::take(spare);
        }
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Client(_) => "Client",
            Self::Server(_) => "Server",
        })
    }
}

impl Machine {
    /// One step with the bytes that have arrived: the number of those that are done with, and the
    /// result. Something is sealed only when all that has arrived is done with.
    fn step(
        &mut self,
        incoming: &mut [u8],
        sealed: Option<Sealed<'_>>,
        outcome: Buffers<'_>,
    ) -> (usize, Result<Progress, Error>) {
        match self {
            Self::Client(client) => step(client.process_tls_records(incoming), sealed, outcome),
            Self::Server(server) => step(server.process_tls_records(incoming), sealed, outcome),
        }
    }

    /// Whether it has something of its own to say.
    fn has_words(&self) -> bool {
        match self {
            Self::Client(client) => client.wants_write(),
            Self::Server(server) => server.wants_write(),
        }
    }

    fn handshake_kind(&self) -> Option<HandshakeKind> {
        match self {
            Self::Client(client) => client.handshake_kind(),
            Self::Server(server) => server.handshake_kind(),
        }
    }

    /// The raw public key that the handshake proved.
    fn raw_key(&self) -> Option<&[u8]> {
        let certificates = match self {
            Self::Client(client) => client.peer_certificates(),
            Self::Server(server) => server.peer_certificates(),
        };
        certificates?.first().map(AsRef::as_ref)
    }
}

/// See [`Machine::step`].
fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    sealed: Option<Sealed<'_>>,
    outcome: Buffers<'_>,
) -> (usize, Result<Progress, Error>) {
    let Buffers { plain, output } = outcome;
    let done_with = status.discard;
    let step = match status.state {
        Err(error) => Err(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut result = Ok(Progress::Again);
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => plain.extend_from_slice(record.payload),
                    Err(error) => result = Err(error),
                }
            }
            result
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let encoded = output.append(0, |room| match data.encode(room) {
                Ok(count) => Ok(Ok(count)),
                Err(EncodeError::InsufficientSize(size)) => Ok(Err(size)),
                Err(EncodeError::AlreadyEncoded) => Err(Error::EncryptError),
            });
            encoded.map(|()| Progress::Again)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // `output` keeps the order.
            data.done();
            Ok(Progress::Again)
        }
        Ok(ConnectionState::BlockedHandshake) => Ok(Progress::Blocked),
        Ok(ConnectionState::WriteTraffic(traffic)) => match sealed {
            Some(sealed) => seal(traffic, sealed, output).map(|()| Progress::Traffic),
            None => Ok(Progress::Traffic),
        },
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Ok(Progress::Ended),
        // Early data is off at both ends.
        Ok(_) => Err(Error::General("a state that is not expected".to_owned())),
    };
    (done_with, step)
}

fn seal<Data>(
    mut traffic: WriteTraffic<'_, Data>,
    sealed: Sealed<'_>,
    output: &mut Records,
) -> Result<(), Error> {
    let room = match sealed {
        Sealed::Bytes(bytes) => bytes.len() + bytes.len().div_ceil(RECORD_BYTES) * RECORD_OVERHEAD,
        Sealed::End => 0,
    };
    output.append(room, |room| {
        let done = match sealed {
            Sealed::Bytes(bytes) => traffic.encrypt(bytes, room),
            Sealed::End => traffic.queue_close_notify(room),
        };
        match done {
            Ok(count) => Ok(Ok(count)),
            Err(EncryptError::InsufficientSize(size)) => Ok(Err(size)),
            Err(EncryptError::EncryptExhausted) => Err(Error::EncryptError),
        }
    })
}

/// The hello of the owner of this destination.
fn spoken(own: &[u8]) -> Vec<u8> {
    match Destination::split(own) {
        Ok((destination, _)) => Hello::Destination(destination).encode(),
        Err(_) => Vec::new(),
    }
}

impl TlsSession {
    pub(super) fn new(machine: Machine, proof: Option<Proof>) -> Self {
        Self {
            machine,
            proof,
            stage: Stage::Handshake,
            rest: Vec::new(),
            output: Records::default(),
            hello: Vec::new(),
            words: Vec::new(),
            failure: None,
            proven: None,
            has_ended: false,
            is_broken: false,
        }
    }

    /// Whether messages may pass: the handshake is over, and both ends have proven their
    /// identities.
    pub(in crate::runtime) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Whether something can be sent.
    pub(in crate::runtime) fn can_send(&self) -> bool {
        self.is_open() && !self.is_broken
    }

    /// Whether the handshake went on from an earlier one.
    pub(in crate::runtime) fn is_resumed(&self) -> bool {
        self.machine.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether the other end has said that it sends nothing more.
    pub(in crate::runtime) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The destination that the other end has proven; `None` with certificates.
    pub(in crate::runtime) fn proven(&self) -> Option<&Bytes> {
        self.proven.as_ref()
    }

    /// The bytes that arrived before and have to stand in front of the next ones.
    pub(in crate::runtime) fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Begins: a client has something to say first.
    ///
    /// # Errors
    /// The library refuses.
    pub(super) fn start(&mut self) -> Result<(), TlsError> {
        self.take_in(&mut [], &mut BytesMut::new())
    }

    /// Takes in [`rest`](Self::rest) and the bytes that arrived behind it, and appends the
    /// plaintext to `plain`.
    ///
    /// # Errors
    /// The handshake failed, the other end is not the right one, or its bytes were changed on their
    /// way. [`output`](Self::output) may have a last word for the other end.
    pub(in crate::runtime) fn take_in(
        &mut self,
        incoming: &mut [u8],
        plain: &mut BytesMut,
    ) -> Result<(), TlsError> {
        let mut at = 0;
        let result = self.take_steps(incoming, &mut at, plain);
        self.rest.clear();
        self.rest.extend_from_slice(&incoming[at..]);
        result
    }

    fn take_steps(
        &mut self,
        incoming: &mut [u8],
        at: &mut usize,
        plain: &mut BytesMut,
    ) -> Result<(), TlsError> {
        loop {
            let mut early = BytesMut::new();
            let outcome = Buffers {
                plain: match self.stage {
                    Stage::Open => &mut *plain,
                    Stage::Handshake | Stage::Hello | Stage::Failed => &mut early,
                },
                output: &mut self.output,
            };
            let (done_with, step) = self.machine.step(&mut incoming[*at..], None, outcome);
            *at += done_with;
            if !early.is_empty() {
                self.take_early(&early, plain);
            }
            match step {
                Ok(Progress::Again) => {}
                Ok(Progress::Blocked) => return Ok(()),
                Ok(Progress::Traffic) => {
                    self.end_handshake();
                    let words = std::mem::take(&mut self.words);
                    if !words.is_empty() {
                        self.seal(&mut incoming[*at..], Sealed::Bytes(&words))?;
                    }
                    return match self.failure.take() {
                        Some(error) => {
                            self.seal(&mut incoming[*at..], Sealed::End)?;
                            Err(error)
                        }
                        None => Ok(()),
                    };
                }
                Ok(Progress::Ended) => {
                    self.has_ended = true;
                    return self.failure.take().map_or(Ok(()), Err);
                }
                Err(error) => {
                    self.is_broken = true;
                    self.add_last_word(&mut incoming[*at..]);
                    return Err(self.explained(error));
                }
            }
        }
    }

    /// The handshake is over, if that was not known: the client sends its hello.
    fn end_handshake(&mut self) {
        if self.stage != Stage::Handshake {
            return;
        }
        self.stage = match &self.proof {
            None => Stage::Open,
            Some(proof) => {
                if let Proof::Client { own, .. } = proof {
                    self.words = spoken(own);
                }
                Stage::Hello
            }
        };
    }

    /// Bytes that came inside TLS before the hello was over.
    fn take_early(&mut self, bytes: &[u8], plain: &mut BytesMut) {
        self.end_handshake();
        match self.stage {
            Stage::Handshake | Stage::Failed => {}
            Stage::Open => plain.extend_from_slice(bytes),
            Stage::Hello => {
                self.hello.extend_from_slice(bytes);
                if let Err(error) = self.handle_hello(plain) {
                    self.stage = Stage::Failed;
                    self.failure = Some(error);
                }
            }
        }
    }

    fn handle_hello(&mut self, plain: &mut BytesMut) -> Result<(), TlsError> {
        let Some((hello, length)) = Hello::decode(&self.hello)? else {
            return Ok(());
        };
        let (destination, hash) = match (hello, &self.proof) {
            (Hello::Destination(destination), _) => (destination, destination.hash()),
            (Hello::Refusal, Some(Proof::Client { own, .. })) => {
                return Err(TlsError::NotAdmitted(DestinationHash::of(own)));
            }
            (Hello::Refusal, _) => return Err(TlsError::Hello(HelloError::NoDestination)),
        };
        let raw_key = self.machine.raw_key();
        if !raw_key.is_some_and(|key| identity::is_key_of(key, destination)) {
            return Err(TlsError::NotProven(hash));
        }
        match &self.proof {
            Some(Proof::Client { expected, .. }) if *expected != hash => {
                return Err(TlsError::WrongDestination {
                    expected: *expected,
                    found: hash,
                });
            }
            Some(Proof::Server { allow, .. }) if !allow.admits_destination(hash) => {
                self.words = Hello::Refusal.encode();
                return Err(TlsError::NotAllowed(hash));
            }
            Some(Proof::Server { own, .. }) => self.words = spoken(own),
            Some(Proof::Client { .. }) | None => {}
        }
        self.proven = Some(Bytes::copy_from_slice(destination.as_bytes()));
        self.stage = Stage::Open;
        plain.extend_from_slice(&self.hello[length..]);
        self.hello = Vec::new();
        Ok(())
    }

    /// Puts bytes into records that are to be written, in memory of `spare` if there is none.
    ///
    /// # Errors
    /// The keys have been used for as much as they may be.
    pub(in crate::runtime) fn send(
        &mut self,
        bytes: &[u8],
        spare: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        self.output.take(spare);
        let mut rest = std::mem::take(&mut self.rest);
        let result = self.seal(&mut rest, Sealed::Bytes(bytes));
        self.rest = rest;
        result
    }

    /// Sends a `close_notify`: nothing more comes. Before the handshake is over nothing has been sent
    /// whose end could be in doubt.
    pub(in crate::runtime) fn end(&mut self) {
        if self.stage == Stage::Handshake || self.is_broken {
            return;
        }
        let mut rest = std::mem::take(&mut self.rest);
        if let Err(error) = self.seal(&mut rest, Sealed::End) {
            tracing::debug!(%error, "the end of what is sent cannot be told");
        }
        self.rest = rest;
    }

    /// Has the machine put something into records. The bytes that have arrived hold no whole
    /// record.
    fn seal(&mut self, incoming: &mut [u8], sealed: Sealed<'_>) -> Result<(), TlsError> {
        // The machine's own messages go first: tickets, new keys.
        for _ in 0..OWN_WORDS {
            let outcome = Buffers {
                plain: &mut BytesMut::new(),
                output: &mut self.output,
            };
            match self.machine.step(incoming, Some(sealed), outcome).1 {
                Ok(Progress::Traffic) => return Ok(()),
                Ok(Progress::Ended) => self.has_ended = true,
                Ok(Progress::Again) => {}
                Ok(Progress::Blocked) => break,
                Err(error) => {
                    self.is_broken = true;
                    return Err(error.into());
                }
            }
        }
        self.is_broken = true;
        Err(Error::HandshakeNotComplete.into())
    }

    /// The machine's alert about an error, for the other end. After an error it must not be asked
    /// for anything else.
    fn add_last_word(&mut self, incoming: &mut [u8]) {
        while self.machine.has_words() {
            let outcome = Buffers {
                plain: &mut BytesMut::new(),
                output: &mut self.output,
            };
            if let (_, Err(error)) = self.machine.step(incoming, None, outcome) {
                tracing::trace!(%error, "no alert");
                return;
            }
        }
    }

    fn explained(&self, error: Error) -> TlsError {
        match (error, &self.proof) {
            (
                Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
                Some(Proof::Client { expected, .. }),
            ) => TlsError::WrongKey(*expected),
            (error, _) => error.into(),
        }
    }

    /// Changes the keys for sending.
    #[cfg(test)]
    pub(super) fn update_keys(&mut self) {
        fn update<Data>(status: UnbufferedStatus<'_, '_, Data>) {
            if let Ok(ConnectionState::WriteTraffic(traffic)) = status.state {
                traffic.refresh_traffic_keys().unwrap();
            }
        }
        match &mut self.machine {
            Machine::Client(client) => update(client.process_tls_records(&mut self.rest)),
            Machine::Server(server) => update(server.process_tls_records(&mut self.rest)),
        }
    }

    /// Whether nothing waits to be written.
    pub(in crate::runtime) fn is_flushed(&self) -> bool {
        self.output.waiting.is_empty()
    }

    /// The bytes to be written, at most so many.
    pub(in crate::runtime) fn output(&self, max_bytes: usize) -> IoSlice<'_> {
        let waiting = self.output.waiting();
        IoSlice::new(&waiting[..waiting.len().min(max_bytes)])
    }

    /// So much of it was written; memory that is no longer used goes to `spare`.
    pub(in crate::runtime) fn written(&mut self, count: usize, spare: &mut Vec<u8>) {
        self.output.advance(count, spare);
    }
}
