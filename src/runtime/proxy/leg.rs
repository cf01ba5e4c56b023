//! The two legs of a connection: to the client, and to the server.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::frames::{FrameStream, Greeting};
use crate::carrier::FlowDirection;
use crate::carrier::length_prefixed::Prefix;
use crate::net::Side;
use crate::runtime::carrier_url::CarrierUrl;
use crate::runtime::link::{Link, LinkError, LinkEvent, Parcel, Peer, Room};
use crate::runtime::open::LinkOptions;
use crate::runtime::recorder::{RecordedStream, Recorder};
use crate::runtime::socket;
use crate::wire::{Destination, RawFrame, RawMessage};

/// The name of a leg in logs and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegName {
    Client,
    Server,
}

impl LegName {
    /// The client is the initiator.
    pub(super) const fn of(side: Side) -> Self {
        match side {
            Side::Initiator => Self::Client,
            Side::Responder => Self::Server,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The way to the client.
#[derive(Debug)]
pub(super) enum ClientLeg {
    /// One of the peers of the link that all clients come to.
    Peer(Peer),
    /// A connection of its own.
    Frames(Box<FrameStream>),
}

type Opening = Pin<Box<dyn Future<Output = Result<OpenLeg, LinkError>> + Send>>;

/// The way to the server.
pub(super) enum ServerLeg {
    /// It is being connected; its messages wait.
    Opening(Opening, Vec<Parcel>),
    Open(OpenLeg),
    /// It is no more, and nothing is said to it.
    Gone,
}

impl fmt::Debug for ServerLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening(..) => "Opening",
            Self::Open(_) => "Open",
            Self::Gone => "Gone",
        })
    }
}

/// A connection to the server.
#[derive(Debug)]
pub(super) enum OpenLeg {
    Link(Box<Link>, Peer),
    Frames(Box<FrameStream>),
}

/// Whether a leg is read. Where it is not, its sender is made to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// There is room for a message of it.
    Open,
    /// There is none, or the sender has yet to prove its identity.
    Shut,
}

/// An event on a leg.
#[derive(Debug)]
pub(super) enum LegEvent {
    Received(Bytes),
    /// Something that is to go nowhere.
    Absorbed,
    /// More may be sent again.
    Room,
    Ended(LinkError),
}

impl ServerLeg {
    /// Begins to connect. A server that is not there yet is waited for: the proxy, its server
    /// and its client may be started in any order.
    pub(super) fn open(options: &LinkOptions) -> Self {
        let options = options.clone();
        Self::Opening(
            Box::pin(async move {
                if let CarrierUrl::I2cp(..) = options.carrier {
                    let addresses = options.addresses().await?;
                    let connect = || async {
                        let connected = socket::connect(&addresses).await;
                        connected.map_err(|source| options.connect_error(source))
                    };
                    let (stream, _) = options.patiently(connect).await?;
                    return Ok(OpenLeg::Frames(Box::new(FrameStream::new(
                        stream,
                        Greeting::None,
                    ))));
                }
                let opened = options.open_patiently().await?;
                match opened.peer {
                    Some(peer) => Ok(OpenLeg::Link(Box::new(opened.link), peer)),
                    None => Err(LinkError::Closed),
                }
            }),
            Vec::new(),
        )
    }

    /// Queues something; false if no more should come.
    pub(super) fn send(&mut self, mut parcel: Parcel) -> bool {
        match self {
            Self::Opening(_, waiting) => {
                // It may be a small part of a large read.
                parcel.own_memory();
                waiting.push(parcel);
                false
            }
            Self::Open(leg) => leg.send(parcel),
            Self::Gone => true,
        }
    }
}

/// The comment on a SYN that [`introduced`] has changed.
pub(super) const INTRODUCED: &str = "the proxy's own destination, which it proves over tls://";

/// A SYN that names our destination, behind which a server can find nobody else's; `None` for
/// all other messages, and where it is ours already.
pub(super) fn introduced(message: &[u8], own: &[u8]) -> Option<Bytes> {
    let message = RawMessage::parse(message);
    let syn = message.frame()?;
    let (named, rest) = Destination::named_by(syn)?;
    if named.as_bytes() == own {
        return None;
    }
    let mut bytes = Vec::new();
    RawFrame {
        payload: &[own, rest].concat(),
        ..*syn
    }
    .encode(&mut bytes);
    Some(bytes.into())
}

/// Input of a connection of frames. Frames that wait are written first, so that room for more is
/// reported even where nothing is read.
pub(super) fn poll_frames(
    stream: &mut FrameStream,
    cx: &mut Context<'_>,
    intake: Intake,
) -> Poll<LegEvent> {
    if let Err(error) = stream.poll_flush(cx) {
        return Poll::Ready(LegEvent::Ended(LinkError::Io(error)));
    }
    if stream.take_room() {
        return Poll::Ready(LegEvent::Room);
    }
    match intake {
        Intake::Open => stream.poll_next(cx).map(|read| match read {
            Ok(frame) => LegEvent::Received(frame),
            Err(error) => LegEvent::Ended(error),
        }),
        Intake::Shut => Poll::Pending,
    }
}

impl OpenLeg {
    /// Queues something; false if no more should come until [`LegEvent::Room`].
    pub(super) fn send(&mut self, parcel: Parcel) -> bool {
        match self {
            Self::Link(link, peer) => match link.send(*peer, parcel) {
                Room::Free => true,
                Room::Full(_) => false,
            },
            Self::Frames(stream) => stream.send(parcel.into_rest()),
        }
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>, intake: Intake) -> Poll<LegEvent> {
        match self {
            Self::Link(link, _) => {
                let event = ready!(link.poll_event(cx, &mut |_| intake == Intake::Open));
                Poll::Ready(match event {
                    LinkEvent::Message { bytes, .. } => LegEvent::Received(bytes),
                    LinkEvent::Ready(_) => LegEvent::Room,
                    LinkEvent::Down(error) => LegEvent::Ended(error),
                    LinkEvent::PeerLost { error, .. } | LinkEvent::MessageLost { error, .. } => {
                        // Nobody listens there at the moment; a datagram more or less.
                        tracing::debug!(leg = "server", %error, "datagram not delivered");
                        LegEvent::Absorbed
                    }
                    LinkEvent::PeerUp(_) | LinkEvent::Absorbed { .. } => LegEvent::Absorbed,
                })
            }
            Self::Frames(stream) => poll_frames(stream, cx, intake),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Link(link, _) => link.poll_flush(cx),
            Self::Frames(stream) => stream.write(cx),
        }
    }

    /// Takes leave; ready when all is written and read.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Link(link, _) => link.poll_close(cx),
            Self::Frames(stream) => stream.poll_finish(cx),
        }
    }
}

/// A leg's part of a capture.
#[derive(Debug)]
pub(super) enum LegRecord {
    Stream(Box<RecordedStream>, Option<Prefix>),
    Datagrams {
        recorder: Recorder,
        ends: [SocketAddr; 2],
    },
}

impl LegRecord {
    /// Begins the record of a leg between these addresses.
    pub(super) fn begin(recorder: &Recorder, carrier: &CarrierUrl, ends: [SocketAddr; 2]) -> Self {
        let [dialler, listener] = ends;
        match carrier {
            CarrierUrl::Udp(_) => Self::Datagrams {
                recorder: recorder.clone(),
                ends,
            },
            CarrierUrl::Tcp(_, prefix) | CarrierUrl::Tls(_, prefix) => {
                Self::Stream(Box::new(recorder.stream(dialler, listener)), Some(*prefix))
            }
            CarrierUrl::I2cp(..) => {
                Self::Stream(Box::new(recorder.stream(dialler, listener)), None)
            }
        }
    }

    /// Records a message, or a frame; `announced` bytes are in its prefix, if it has one.
    pub(super) fn message(
        &mut self,
        direction: FlowDirection,
        bytes: &[u8],
        announced: usize,
        comment: Option<&str>,
    ) {
        match self {
            Self::Stream(stream, None) => stream.commented_bytes(direction, bytes, comment),
            Self::Stream(stream, Some(prefix)) => {
                let length = u32::try_from(announced).unwrap_or(u32::MAX).to_be_bytes();
                let mut whole = length[length.len() - prefix.bytes()..].to_vec();
                whole.extend_from_slice(bytes);
                stream.commented_bytes(direction, &whole, comment);
            }
            Self::Datagrams { recorder, ends } => {
                let (from, to) = match direction {
                    FlowDirection::Forward => (ends[0], ends[1]),
                    FlowDirection::Backward => (ends[1], ends[0]),
                };
                recorder.commented_datagram(from, to, bytes, comment);
            }
        }
    }

    /// Records the end of one side's bytes.
    pub(super) fn finish(&mut self, direction: FlowDirection) {
        if let Self::Stream(stream, _) = self {
            stream.finish(direction);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokio::net::TcpStream;

    use super::*;

    #[test]
    fn room_that_writing_makes_is_reported_by_the_next_event() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let socket = TcpStream::connect(address).await.unwrap();
            let (mut other, _) = listener.accept().unwrap();
            let mut leg = OpenLeg::Frames(Box::new(FrameStream::new(socket, Greeting::None)));
            let mut sent = 0;
            loop {
                sent += 32 * 1024;
                let frame = Bytes::from(vec![0; 32 * 1024]);
                if !leg.send(Parcel::raw(frame)) {
                    break;
                }
            }
            let reading = std::thread::spawn(move || {
                other.read_exact(&mut vec![0; sent]).unwrap();
                other
            });
            // Until all is written, as a driver does in the rounds in which something is sent.
            for _ in 0..100 {
                std::future::poll_fn(|cx| {
                    leg.poll_flush(cx);
                    Poll::Ready(())
                })
                .await;
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            let _other = reading.join().unwrap();
            let event = std::future::poll_fn(|cx| Poll::Ready(leg.poll_event(cx, Intake::Shut)));
            assert!(matches!(event.await, Poll::Ready(LegEvent::Room)));
            let event = std::future::poll_fn(|cx| Poll::Ready(leg.poll_event(cx, Intake::Shut)));
            assert!(event.await.is_pending(), "it is reported once");
        });
    }
}
