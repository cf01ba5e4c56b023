//! A server that has one defect, or one peculiarity that is none.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use ministream::wire::Destination;

use super::carrier::{Id, PIECE_BYTES, Sender, duplicate, full_piece, lock, piece, receive};

/// What a server does otherwise than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    NeverAcks,
    AckOfTwoBytes,
    AckOfZeroes,
    SameIdForAll,
    AcksWhatIsRefused,
    AcksAndClosesWhatIsRefused,
    SilentWhereRefused,
    RefusesTwice,
    SecondSynReplacesTheFirst,
    IgnoresRepeatedClientIds,
    IgnoresLongSyns,
    AcksSynWithoutPayload,
    RefusesSynWithoutPayload,
    AcksNonsense,
    RefusesNonsense,
    UndefinedTypeAfterAck,
    DataWithServersId,
    LosesAMessage,
    SwapsMessages,
    ForwardsToTheLatest,
    LosesTheEndOfTheAnswer,
    ClosesBeforeTheEndOfTheAnswer,
    TakesOnly32000,
    TakesOnly32768,
    EmptyDataClose,
    AnswersUnknownData,
    UnknownDataCloseAll,
    LeavesServiceOpen,
    LosesWhatCameBeforeTheClose,
    NoCloseAtTheEnd,
    AnswersClose,
    AnswersTheFirstClose,
    IgnoresClose,
    AnswersLateData,
    AnswersUnknownClose,
    UnknownCloseClosesAll,
    IgnoresCloseWithPayload,
    ChaffCloses,
    PingEndsCarrier,
    ShortMessageEndsCarrier,
    UndefinedTypeCloses,
    ObeysServersData,
    ObeysServersClose,
    CloseOfFiveBytes,
    DataOf40000,
}

/// What a server may do, although few do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peculiarity {
    RefusesWithThreeBytes,
    SendsChaff,
    SendsSingleBytes,
    SendsEmptyData,
}

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Right,
    Has(Peculiarity),
    Wrong(Defect),
}

/// Serves until the test ends; gives the carrier.
pub(super) fn start(manner: Manner, service: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        // A carrier that is lost is called again.
        for carrier in listener.incoming() {
            serve(carrier.expect("it listens"), manner, service);
        }
    });
    format!("tcp://{address}")
}

fn serve(mut carrier: TcpStream, manner: Manner, service: SocketAddr) {
    let mut server = Server {
        manner,
        service,
        out: Sender::new(&carrier),
        open: Arc::default(),
        ended: HashMap::new(),
        latest: None,
        ids: 0,
        kept: Vec::new(),
        messages: 0,
        abandoned: Vec::new(),
    };
    while let Some(message) = receive(&mut carrier) {
        if server.take(&message) == Next::Leave {
            break;
        }
    }
    server.end_all();
    // Threads that read from services have a part in it.
    carrier.shutdown(Shutdown::Both).ok();
}

/// Whether the carrier stays.
#[derive(PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

/// Conversations by server id.
type Open = Arc<Mutex<HashMap<Id, Conversation>>>;

struct Conversation {
    client: Id,
    service: TcpStream,
}

struct Server {
    manner: Manner,
    service: SocketAddr,
    out: Sender,
    open: Open,
    /// The client ids of those that were closed.
    ended: HashMap<Id, Id>,
    latest: Option<Id>,
    ids: u8,
    /// What the service should have had already.
    kept: Vec<u8>,
    /// Data messages so far.
    messages: u32,
    /// Connections that nobody closes.
    abandoned: Vec<TcpStream>,
}

impl Server {
    fn is(&self, defect: Defect) -> bool {
        self.manner == Manner::Wrong(defect)
    }

    fn has(&self, peculiarity: Peculiarity) -> bool {
        self.manner == Manner::Has(peculiarity)
    }

    fn take(&mut self, message: &[u8]) -> Next {
        match *message {
            [0xff] if self.is(Defect::PingEndsCarrier) => return Next::Leave,
            [] | [_] | [_, _] | [_, _, _]
                if message != [0xff] && self.is(Defect::ShortMessageEndsCarrier) =>
            {
                return Next::Leave;
            }
            [] | [_] | [_, _] | [_, _, _] => {}
            [0xa1, a, b, c, ref payload @ ..] => self.syn([a, b, c], payload),
            [0xa0, a, b, c, ref payload @ ..] => self.data([a, b, c], payload),
            [0xa2, a, b, c, ref payload @ ..] => self.close([a, b, c], payload),
            [0x50, a, b, c, ref payload @ ..] if self.is(Defect::ObeysServersData) => {
                self.data([a, b, c], payload);
            }
            [0x52, a, b, c, ..] if self.is(Defect::ObeysServersClose) => self.end([a, b, c]),
            [0xff, a, b, c, ..] if self.is(Defect::ChaffCloses) => self.end([a, b, c]),
            [0x50 | 0x51 | 0x52 | 0xff, ..] => {}
            _ if self.is(Defect::UndefinedTypeCloses) => self.end_all(),
            _ => {}
        }
        Next::Stay
    }

    fn syn(&mut self, client: Id, payload: &[u8]) {
        let is_right = match Destination::split(payload) {
            Ok((_, rest)) => rest.is_empty() || !self.is(Defect::IgnoresLongSyns),
            Err(_) if payload.is_empty() => {
                if self.is(Defect::RefusesSynWithoutPayload) {
                    self.out.send(0x52, client, b"");
                }
                self.is(Defect::AcksSynWithoutPayload)
            }
            Err(_) => {
                if self.is(Defect::RefusesNonsense) {
                    self.out.send(0x52, client, b"");
                }
                self.is(Defect::AcksNonsense)
            }
        };
        if is_right && !self.has_taken(client) {
            self.open(client);
        }
    }

    /// Whether a conversation with this client id is enough.
    fn has_taken(&self, client: Id) -> bool {
        let mut open = lock(&self.open);
        if self.is(Defect::SecondSynReplacesTheFirst) {
            open.retain(|_, conversation| conversation.client != client);
        }
        self.is(Defect::IgnoresRepeatedClientIds) && open.values().any(|open| open.client == client)
    }

    fn open(&mut self, client: Id) {
        let id = self.next_id();
        let Ok(service) = TcpStream::connect(self.service) else {
            return self.refuse(client, id);
        };
        service.set_nodelay(true).expect("it is a TCP connection");
        let mut read_half = duplicate(&service);
        if let Some(former) = lock(&self.open).insert(id, Conversation { client, service }) {
            former.service.shutdown(Shutdown::Both).ok();
        }
        self.latest = Some(id);
        match self.manner {
            Manner::Wrong(Defect::NeverAcks) => {}
            Manner::Wrong(Defect::AckOfTwoBytes) => self.out.send(0x51, client, &id[..2]),
            _ => self.out.send(0x51, client, &id),
        }
        if self.is(Defect::UndefinedTypeAfterAck) {
            self.out.send(0x53, client, b"");
        }
        if self.has(Peculiarity::SendsChaff) {
            self.out.send(0xff, client, b"chaff");
        }
        let relay = Relay {
            manner: self.manner,
            out: self.out.clone(),
            open: self.open.clone(),
            id,
            client,
        };
        thread::spawn(move || relay.run(&mut read_half));
    }

    fn next_id(&mut self) -> Id {
        self.ids = self.ids.wrapping_add(1);
        match self.manner {
            Manner::Wrong(Defect::AckOfZeroes) => [0; 3],
            Manner::Wrong(Defect::SameIdForAll) => [5; 3],
            _ => [0x5e, 0xed, self.ids],
        }
    }

    fn refuse(&self, client: Id, id: Id) {
        let send = |type_byte, payload: &[u8]| self.out.send(type_byte, client, payload);
        match self.manner {
            Manner::Wrong(Defect::SilentWhereRefused) => {}
            Manner::Wrong(Defect::AcksWhatIsRefused) => send(0x51, &id),
            Manner::Wrong(Defect::AcksAndClosesWhatIsRefused) => {
                send(0x51, &id);
                send(0x52, b"");
            }
            Manner::Wrong(Defect::RefusesTwice) => {
                send(0x52, b"");
                send(0x52, b"");
            }
            Manner::Has(Peculiarity::RefusesWithThreeBytes) => send(0x52, &id),
            _ => send(0x52, b""),
        }
    }

    fn data(&mut self, id: Id, payload: &[u8]) {
        let id = match self.latest {
            Some(latest) if self.is(Defect::ForwardsToTheLatest) => latest,
            _ => id,
        };
        if !lock(&self.open).contains_key(&id) {
            return self.unknown_data(id);
        }
        let too_long = match self.manner {
            Manner::Wrong(Defect::TakesOnly32000) => payload.len() > 32_000,
            Manner::Wrong(Defect::TakesOnly32768) => payload.len() > 32_768,
            _ => false,
        };
        if payload.is_empty() && self.is(Defect::EmptyDataClose) {
            self.end(id);
        } else if !too_long {
            let bytes = self.on_the_way(payload);
            if let Some(conversation) = lock(&self.open).get_mut(&id) {
                // A service that has ended is told by what reads from it.
                conversation.service.write_all(&bytes).ok();
            }
        }
    }

    /// What the service gets now that this has come.
    fn on_the_way(&mut self, payload: &[u8]) -> Vec<u8> {
        self.messages += 1;
        match self.manner {
            Manner::Wrong(Defect::LosesAMessage) if self.messages == 8 => Vec::new(),
            Manner::Wrong(Defect::SwapsMessages) if self.messages == 8 => {
                self.kept = payload.to_vec();
                Vec::new()
            }
            // Kept until more comes, and lost if nothing does.
            Manner::Wrong(Defect::LosesWhatCameBeforeTheClose) if payload.len() > 10_000 => {
                std::mem::replace(&mut self.kept, payload.to_vec())
            }
            _ => [payload, &std::mem::take(&mut self.kept)].concat(),
        }
    }

    fn unknown_data(&mut self, id: Id) {
        match self.manner {
            Manner::Wrong(Defect::AnswersUnknownData) => self.out.send(0x52, id, b""),
            Manner::Wrong(Defect::UnknownDataCloseAll) => self.end_all(),
            Manner::Wrong(Defect::AnswersLateData) => {
                if let Some(client) = self.ended.get(&id) {
                    self.out.send(0x52, *client, b"");
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, id: Id, payload: &[u8]) {
        let client = lock(&self.open).get(&id).map(|open| open.client);
        let Some(client) = client else {
            match self.manner {
                Manner::Wrong(Defect::AnswersUnknownClose) => self.out.send(0x52, id, b""),
                Manner::Wrong(Defect::UnknownCloseClosesAll) => self.end_all(),
                _ => {}
            }
            return;
        };
        match self.manner {
            Manner::Wrong(Defect::IgnoresClose) => return,
            Manner::Wrong(Defect::IgnoresCloseWithPayload) if !payload.is_empty() => return,
            Manner::Wrong(Defect::AnswersClose) => self.out.send(0x52, client, b""),
            Manner::Wrong(Defect::AnswersTheFirstClose) if self.ended.is_empty() => {
                self.out.send(0x52, client, b"");
            }
            _ => {}
        }
        self.kept.clear();
        self.end(id);
    }

    fn end(&mut self, id: Id) {
        let Some(conversation) = lock(&self.open).remove(&id) else {
            return;
        };
        self.ended.insert(id, conversation.client);
        if self.is(Defect::LeavesServiceOpen) {
            self.abandoned.push(conversation.service);
        } else {
            // It fails where the service has ended, too.
            conversation.service.shutdown(Shutdown::Both).ok();
        }
    }

    fn end_all(&mut self) {
        let ids: Vec<Id> = lock(&self.open).keys().copied().collect();
        for id in ids {
            self.end(id);
        }
    }
}

/// Sends what a service says.
struct Relay {
    manner: Manner,
    out: Sender,
    open: Open,
    id: Id,
    client: Id,
}

impl Relay {
    fn run(&self, service: &mut TcpStream) {
        let mut kept = Vec::new();
        while let Some(bytes) = self.piece(service) {
            if !self.is_open() {
                return;
            }
            match self.manner {
                Manner::Wrong(Defect::DataWithServersId) => self.out.send(0x50, self.id, &bytes),
                // Each piece waits for the next, and the last one in vain.
                Manner::Wrong(
                    Defect::LosesTheEndOfTheAnswer | Defect::ClosesBeforeTheEndOfTheAnswer,
                ) => {
                    let before = std::mem::replace(&mut kept, bytes);
                    self.out.send(0x50, self.client, &before);
                }
                Manner::Has(Peculiarity::SendsEmptyData) => {
                    self.out.send(0x50, self.client, b"");
                    self.out.send(0x50, self.client, &bytes);
                }
                _ => self.out.send(0x50, self.client, &bytes),
            }
        }
        if lock(&self.open).remove(&self.id).is_some() {
            self.end(&kept);
        }
    }

    fn is_open(&self) -> bool {
        let open = lock(&self.open);
        open.get(&self.id)
            .is_some_and(|open| open.client == self.client)
    }

    fn piece(&self, service: &mut TcpStream) -> Option<Vec<u8>> {
        match self.manner {
            Manner::Wrong(Defect::DataOf40000) => full_piece(service, 40_000),
            Manner::Has(Peculiarity::SendsSingleBytes) => piece(service, 1),
            _ => piece(service, PIECE_BYTES),
        }
    }

    fn end(&self, kept: &[u8]) {
        match self.manner {
            Manner::Wrong(Defect::NoCloseAtTheEnd) => {}
            Manner::Wrong(Defect::CloseOfFiveBytes) => self.out.send(0x52, self.client, b"error"),
            Manner::Wrong(Defect::ClosesBeforeTheEndOfTheAnswer) => {
                self.out.send(0x52, self.client, b"");
                self.out.send(0x50, self.client, kept);
            }
            _ => self.out.send(0x52, self.client, b""),
        }
    }
}
