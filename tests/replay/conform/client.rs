//! A client that has one defect.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::carrier::{
    DESTINATION, Id, PIECE_BYTES, Sender, duplicate, full_piece, lock, piece, receive,
};

/// What a client does otherwise than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    NeverOpens,
    SynOfZeroes,
    SynWithoutDestination,
    SynWithoutPayload,
    SameIdForAll,
    DataBeforeAck,
    LosesDataBeforeAck,
    DataWithClientsId,
    IgnoresRefusal,
    IgnoresRefusalWithBytes,
    AnswersRefusal,
    LosesEarlyData,
    TakesShortAck,
    EndsOnShortAck,
    SecondAckReplacesTheFirst,
    LosesAMessage,
    SwapsMessages,
    AnswersToTheLatest,
    DeliversToTheLatest,
    LosesTheEnd,
    ClosesBeforeTheEnd,
    TakesOnly32768,
    EmptyDataClose,
    AnswersUnknown,
    UnknownClosesAll,
    LeavesApplicationOpen,
    IgnoresClose,
    LosesWhatCameBeforeTheClose,
    NoCloseAtTheEnd,
    AnswersClose,
    EmptyAckCloses,
    ChaffCloses,
    PingEndsCarrier,
    ShortMessageEndsCarrier,
    UndefinedTypeCloses,
    ObeysClientsData,
    ObeysClientsClose,
    UndefinedTypeAfterAck,
    CloseWithPayload,
    DataOf40000,
}

/// Where applications connect.
pub(super) struct Client {
    applications: TcpListener,
}

impl Client {
    /// Listens, so that an application that connects waits for [`Client::run`].
    pub(super) fn listen() -> Self {
        Self {
            applications: TcpListener::bind("127.0.0.1:0").expect("a port is free"),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.applications.local_addr().expect("it is bound")
    }

    /// Leads applications to the carrier, until the test ends.
    pub(super) fn run(self, carrier: &str, defect: Option<Defect>) {
        let address: SocketAddr = carrier
            .strip_prefix("tcp://")
            .and_then(|address| address.parse().ok())
            .expect("it is a TCP carrier");
        let mut carrier = TcpStream::connect(address).expect("the test's server listens");
        let peer = Arc::new(Peer {
            defect,
            out: Sender::new(&carrier),
            state: Mutex::default(),
        });
        let opening = peer.clone();
        thread::spawn(move || {
            for application in self.applications.incoming() {
                opening.open(application.expect("it listens"));
            }
        });
        thread::spawn(move || {
            while let Some(message) = receive(&mut carrier) {
                if peer.take(&message) == Next::AnotherCarrier {
                    let next = peer.out.replace(|| TcpStream::connect(address).ok());
                    let Some(next) = next else { break };
                    carrier = next;
                }
            }
            peer.end_all();
        });
    }
}

/// Whether the carrier stays.
#[derive(PartialEq, Eq)]
enum Next {
    Stay,
    AnotherCarrier,
}

struct Peer {
    defect: Option<Defect>,
    out: Sender,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By client id.
    open: HashMap<Id, Conversation>,
    latest: Option<Id>,
    ids: u8,
    /// What the application should have had already.
    kept: Vec<u8>,
    /// Data messages so far.
    messages: u32,
    /// Connections that nobody closes.
    abandoned: Vec<TcpStream>,
}

struct Conversation {
    application: TcpStream,
    /// `None` before the ACK.
    server: Option<Id>,
    /// What the application sent before the ACK.
    waiting: Vec<u8>,
    /// What the server sent before it.
    early: Vec<u8>,
}

impl Peer {
    fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn open(self: &Arc<Self>, application: TcpStream) {
        application
            .set_nodelay(true)
            .expect("it is a TCP connection");
        let mut read_half = duplicate(&application);
        let mut state = lock(&self.state);
        if self.is(Defect::NeverOpens) {
            return state.abandoned.push(application);
        }
        state.ids += 1;
        let id = match self.defect {
            Some(Defect::SynOfZeroes) if state.ids == 1 => [0; 3],
            Some(Defect::SameIdForAll) => [7; 3],
            _ => [0xc1, 0x1e, state.ids],
        };
        state.latest = Some(id);
        let conversation = Conversation {
            application,
            server: None,
            waiting: Vec::new(),
            early: Vec::new(),
        };
        state.open.insert(id, conversation);
        drop(state);
        let payload = match self.defect {
            Some(Defect::SynWithoutPayload) => &[][..],
            Some(Defect::SynWithoutDestination) => &DESTINATION[..100],
            _ => &DESTINATION,
        };
        self.out.send(0xa1, id, payload);
        let peer = self.clone();
        thread::spawn(move || peer.relay(id, &mut read_half));
    }

    /// Sends what the application says.
    fn relay(&self, id: Id, application: &mut TcpStream) {
        let mut kept = Vec::new();
        while let Some(bytes) = self.piece(application) {
            match self.defect {
                // Each piece waits for the next, and the last one in vain.
                Some(Defect::LosesTheEnd | Defect::ClosesBeforeTheEnd) => {
                    let before = std::mem::replace(&mut kept, bytes);
                    self.forward(id, &before);
                }
                _ => self.forward(id, &bytes),
            }
        }
        let conversation = lock(&self.state).open.remove(&id);
        let Some(server) = conversation.and_then(|open| open.server) else {
            return;
        };
        match self.defect {
            Some(Defect::NoCloseAtTheEnd) => {}
            Some(Defect::CloseWithPayload) => self.out.send(0xa2, server, b"bye"),
            Some(Defect::ClosesBeforeTheEnd) => {
                self.out.send(0xa2, server, b"");
                self.out.send(0xa0, server, &kept);
            }
            _ => self.out.send(0xa2, server, b""),
        }
    }

    fn piece(&self, application: &mut TcpStream) -> Option<Vec<u8>> {
        if self.is(Defect::DataOf40000) {
            full_piece(application, 40_000)
        } else {
            piece(application, PIECE_BYTES)
        }
    }

    fn forward(&self, id: Id, bytes: &[u8]) {
        let mut state = lock(&self.state);
        let to = match state.latest {
            Some(latest) if self.is(Defect::AnswersToTheLatest) => latest,
            _ => id,
        };
        let Some(conversation) = state.open.get_mut(&to) else {
            return;
        };
        match (conversation.server, self.defect) {
            (Some(_), Some(Defect::DataWithClientsId)) => self.out.send(0xa0, id, bytes),
            (Some(server), _) => self.out.send(0xa0, server, bytes),
            (None, Some(Defect::DataBeforeAck)) => self.out.send(0xa0, [0; 3], bytes),
            (None, Some(Defect::LosesDataBeforeAck)) => {}
            (None, _) => conversation.waiting.extend_from_slice(bytes),
        }
    }

    fn take(&self, message: &[u8]) -> Next {
        match *message {
            [0xff] if self.is(Defect::PingEndsCarrier) => return Next::AnotherCarrier,
            [] | [_] | [_, _] | [_, _, _]
                if message != [0xff] && self.is(Defect::ShortMessageEndsCarrier) =>
            {
                return Next::AnotherCarrier;
            }
            [] | [_] | [_, _] | [_, _, _] => {}
            [0x50, a, b, c, ref payload @ ..] => self.data([a, b, c], payload),
            [0x51, a, b, c, ref payload @ ..] => self.ack([a, b, c], payload),
            [0x52, a, b, c, ref payload @ ..] => self.close([a, b, c], payload),
            [0xa0, a, b, c, ref payload @ ..] if self.is(Defect::ObeysClientsData) => {
                self.data([a, b, c], payload);
            }
            [0xa2, a, b, c, ..] if self.is(Defect::ObeysClientsClose) => self.end([a, b, c]),
            [0xff, a, b, c, ..] if self.is(Defect::ChaffCloses) => self.end([a, b, c]),
            [0xa0 | 0xa1 | 0xa2 | 0xff, ..] => {}
            _ if self.is(Defect::UndefinedTypeCloses) => self.end_all(),
            _ => {}
        }
        Next::Stay
    }

    /// Whether something of this id is open; does what is done otherwise.
    fn knows(&self, id: Id) -> bool {
        if lock(&self.state).open.contains_key(&id) {
            return true;
        }
        match self.defect {
            Some(Defect::AnswersUnknown) => self.out.send(0xa2, id, b""),
            Some(Defect::UnknownClosesAll) => self.end_all(),
            _ => {}
        }
        false
    }

    fn ack(&self, id: Id, payload: &[u8]) {
        if !self.knows(id) {
            return;
        }
        let is_first = lock(&self.state)
            .open
            .get(&id)
            .is_some_and(|open| open.server.is_none());
        let server = match *payload {
            [a, b, c] => [a, b, c],
            [a, b] if self.is(Defect::TakesShortAck) => [a, b, 0],
            [] if !is_first && self.is(Defect::EmptyAckCloses) => return self.end(id),
            _ if is_first && self.is(Defect::EndsOnShortAck) => return self.end(id),
            _ => return,
        };
        if is_first || self.is(Defect::SecondAckReplacesTheFirst) {
            self.accept(id, server);
        }
    }

    fn accept(&self, id: Id, server: Id) {
        let mut state = lock(&self.state);
        let Some(conversation) = state.open.get_mut(&id) else {
            return;
        };
        conversation.server = Some(server);
        // An application that has ended is told by what reads from it.
        conversation.application.write_all(&conversation.early).ok();
        conversation.early.clear();
        if !conversation.waiting.is_empty() {
            let to = match self.defect {
                Some(Defect::DataWithClientsId) => id,
                _ => server,
            };
            self.out.send(0xa0, to, &conversation.waiting);
            conversation.waiting.clear();
        }
        if self.is(Defect::UndefinedTypeAfterAck) {
            self.out.send(0xa3, server, b"");
        }
    }

    fn data(&self, id: Id, payload: &[u8]) {
        if !self.knows(id) {
            return;
        }
        if payload.is_empty() && self.is(Defect::EmptyDataClose) {
            return self.end(id);
        }
        if payload.len() > 32_768 && self.is(Defect::TakesOnly32768) {
            return;
        }
        let mut state = lock(&self.state);
        let bytes = self.on_the_way(&mut state, payload);
        let to = match state.latest {
            Some(latest) if self.is(Defect::DeliversToTheLatest) => latest,
            _ => id,
        };
        match state.open.get_mut(&to) {
            // An application that has ended is told by what reads from it.
            Some(open) if open.server.is_some() => drop(open.application.write_all(&bytes)),
            Some(open) if !self.is(Defect::LosesEarlyData) => open.early.extend(bytes),
            _ => {}
        }
    }

    /// What the application gets now that this has come.
    fn on_the_way(&self, state: &mut State, payload: &[u8]) -> Vec<u8> {
        state.messages += 1;
        match self.defect {
            Some(Defect::LosesAMessage) if state.messages == 8 => Vec::new(),
            Some(Defect::SwapsMessages) if state.messages == 8 => {
                state.kept = payload.to_vec();
                Vec::new()
            }
            // Kept until more comes, and lost if nothing does.
            Some(Defect::LosesWhatCameBeforeTheClose) if payload.len() > 10_000 => {
                std::mem::replace(&mut state.kept, payload.to_vec())
            }
            _ => [payload, &std::mem::take(&mut state.kept)].concat(),
        }
    }

    fn close(&self, id: Id, payload: &[u8]) {
        if !self.knows(id) {
            return;
        }
        let server = lock(&self.state).open.get(&id).and_then(|open| open.server);
        match (server, self.defect) {
            (None, Some(Defect::IgnoresRefusal)) => return,
            (None, Some(Defect::IgnoresRefusalWithBytes)) if !payload.is_empty() => return,
            (None, Some(Defect::AnswersRefusal)) => self.out.send(0xa2, id, b""),
            (Some(_), Some(Defect::IgnoresClose)) => return,
            (Some(server), Some(Defect::AnswersClose)) => self.out.send(0xa2, server, b""),
            _ => {}
        }
        self.end(id);
    }

    fn end(&self, id: Id) {
        let mut state = lock(&self.state);
        state.kept.clear();
        let Some(conversation) = state.open.remove(&id) else {
            return;
        };
        if self.is(Defect::LeavesApplicationOpen) {
            state.abandoned.push(conversation.application);
        } else {
            // It fails where the application has ended, too.
            conversation.application.shutdown(Shutdown::Both).ok();
        }
    }

    fn end_all(&self) {
        let ids: Vec<Id> = lock(&self.state).open.keys().copied().collect();
        for id in ids {
            self.end(id);
        }
    }
}
