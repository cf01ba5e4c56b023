//! Our part on the TCP side of a peer that is tested.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::acceptor::Acceptor;
use super::conform_error::ConformError;
use super::signals::Signals;
use super::socket::{self, Addresses};
use crate::replay::conform::{Command, LONGEST_COMMAND, Needs, command};
use crate::replay::inject::{MAX_SCRIPT_PAYLOAD_BYTES, sequence};

/// Time for a client that is tested to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between looks whether it does.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Time for bytes that are taken to be on their way; less than a step waits.
const TAKING_TIME: Duration = Duration::from_secs(3);

/// Bytes that are sent back at once.
const ECHO_BYTES: usize = 64 * 1024;

/// Answers [commands](Command) on the TCP connections that a tested server makes, or
/// on those that it makes itself to a tested client.
#[derive(Debug)]
pub struct TestService {
    tested: Tested,
    counts: Counts,
    /// Takes connections, and holds them.
    service: Option<JoinHandle<()>>,
    /// The connections that were dialled.
    dialled: JoinSet<()>,
}

/// The peer that is tested.
#[derive(Clone, Debug)]
enum Tested {
    /// The tested server connects to one of these.
    Server(Addresses),
    /// The tested client listens on one of these.
    Client(Addresses),
}

impl TestService {
    /// The service behind a tested server, which has to lead to one of these addresses.
    pub fn behind_server(addresses: Addresses) -> Self {
        Self::new(Tested::Server(addresses))
    }

    /// The application before a tested client, which has to listen on one of these addresses.
    pub fn before_client(addresses: Addresses) -> Self {
        Self::new(Tested::Client(addresses))
    }

    fn new(tested: Tested) -> Self {
        Self {
            tested,
            counts: Counts::default(),
            service: None,
            dialled: JoinSet::new(),
        }
    }

    /// The addresses.
    pub const fn addresses(&self) -> &Addresses {
        let (Tested::Server(addresses) | Tested::Client(addresses)) = &self.tested;
        addresses
    }

    /// Waits until something listens where the client that is tested should. To
    /// connect would make it open a conversation, so that its address is asked for,
    /// and had as long as nobody has it.
    ///
    /// # Errors
    /// Nobody listens there in time, or a signal came.
    pub async fn wait_for_client(&self, signals: &mut Signals) -> Result<(), ConformError> {
        let addresses = self.addresses();
        let refused = || ConformError::Application {
            addresses: addresses.clone(),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let until = Instant::now() + PATIENCE;
        while is_awaited(addresses) {
            if Instant::now() > until {
                return Err(refused());
            }
            let mut pause = pin!(tokio::time::sleep(LOOK_AGAIN));
            let stopped = poll_fn(|cx| match signals.poll_recv(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => pause.as_mut().poll(cx).map(|()| false),
            });
            if stopped.await {
                return Err(ConformError::Interrupted);
            }
        }
        Ok(())
    }

    /// Ends all connections, forgets them, and becomes the service that the next case needs.
    ///
    /// # Errors
    /// Those of listening.
    pub(super) async fn begin(&mut self, needs: Needs) -> io::Result<()> {
        self.dialled = JoinSet::new();
        if let Some(service) = self.service.take() {
            service.abort();
            // Its socket is closed when it has ended.
            service.await.ok();
        }
        self.counts = Counts::default();
        if let Tested::Server(addresses) = &self.tested
            && needs != Needs::NoService
        {
            let acceptor = Acceptor::bind(addresses).await?;
            let counts = self.counts.clone();
            self.service = Some(tokio::spawn(serve(acceptor, counts)));
        }
        Ok(())
    }

    /// Opens a connection to the tested client, and sends `first`.
    pub(super) fn dial(&mut self, first: Bytes) {
        let (addresses, counts) = (self.addresses().clone(), self.counts.clone());
        self.dialled.spawn(async move {
            match socket::connect(&addresses).await {
                Ok((stream, _)) => reflect(stream, &first, counts).await,
                // It was taken, and ended before we heard of that.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => counts.change(|counted| counted.failure = Some(error)),
            }
        });
    }

    /// The reason why a connection could not be made, if one could not.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        let mut failure = None;
        self.counts
            .change(|counted| failure = counted.failure.take());
        failure
    }
}

/// Whether nobody listens on any of these addresses, and somebody may on one of this machine.
fn is_awaited(addresses: &Addresses) -> bool {
    let mut listeners = addresses
        .as_slice()
        .iter()
        .map(|&address| listener_at(address));
    let is_taken = listeners
        .clone()
        .any(|listener| listener == Listener::There);
    !is_taken && listeners.any(|listener| listener == Listener::Missing)
}

/// The listener on an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    There,
    Missing,
    /// It is none of this machine.
    Unknown,
}

fn listener_at(address: SocketAddr) -> Listener {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    // Connections that were closed on it do not count.
    let bound = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)
    });
    match bound {
        Ok(()) => Listener::Missing,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Listener::There,
        Err(_) => Listener::Unknown,
    }
}

async fn serve(mut acceptor: Acceptor, counts: Counts) {
    let mut connections = JoinSet::new();
    loop {
        // A connection that was not accepted is missing, and the case will say so.
        if let Ok((stream, _)) = poll_fn(|cx| acceptor.poll_accept(cx)).await {
            let counts = counts.clone();
            connections.spawn(async move { reflect(stream, &[], counts).await });
        }
    }
}

/// Counts of a case's connections.
#[derive(Clone, Debug, Default)]
struct Counts(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    open: usize,
    /// Bytes behind the command of the connection that was last to end.
    last_bytes: usize,
    failure: Option<io::Error>,
}

impl Counts {
    fn change(&self, change: impl FnOnce(&mut Counted)) {
        // Nothing panics while it is locked.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn answer(&self, number: impl FnOnce(&Counted) -> usize) -> String {
        let mut text = String::new();
        self.change(|counted| text = format!("{}\n", number(counted)));
        text
    }
}

/// A connection that is open, and counted until it is dropped.
struct Open {
    counts: Counts,
    received_bytes: usize,
}

impl Open {
    fn new(counts: Counts) -> Self {
        counts.change(|counted| counted.open += 1);
        Self {
            counts,
            received_bytes: 0,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let received = self.received_bytes;
        self.counts.change(|counted| {
            counted.open -= 1;
            counted.last_bytes = received;
        });
    }
}

/// Sends the first bytes, and follows the commands of a connection until it ends. Its end is not
/// judged: missing bytes are missed on the carrier.
async fn reflect(mut stream: TcpStream, first: &[u8], counts: Counts) {
    let mut open = Open::new(counts);
    follow(&mut stream, first, &mut open).await.ok();
}

async fn follow(stream: &mut TcpStream, first: &[u8], open: &mut Open) -> io::Result<()> {
    stream.write_all(first).await?;
    while let Some(asked) = next_command(stream).await? {
        let number = match asked {
            Command::Open => open.counts.answer(|counted| counted.open),
            Command::Last => open.counts.answer(|counted| counted.last_bytes),
            Command::Send(count) => {
                stream.write_all(&sequence(count)).await?;
                return stream.shutdown().await;
            }
            Command::Take(count) => format!("{}\n", take(stream, open, count).await?),
            Command::Echo => return echo(stream, open).await,
        };
        stream.write_all(number.as_bytes()).await?;
    }
    Ok(())
}

/// The command in the next line; `None` where there is none.
async fn next_command(stream: &mut TcpStream) -> io::Result<Option<Command>> {
    let mut line = Vec::new();
    while line.len() <= LONGEST_COMMAND {
        match stream.read_u8().await? {
            b'\n' => return Ok(command(&line)),
            byte => line.push(byte),
        }
    }
    Ok(None)
}

/// Reads `count` bytes, or those that come in time, and counts the ones before the first
/// that is not the sequence's.
async fn take(stream: &mut TcpStream, open: &mut Open, count: usize) -> io::Result<usize> {
    let mut taken = Vec::new();
    let mut all = AsyncReadExt::take(&mut *stream, count.min(MAX_SCRIPT_PAYLOAD_BYTES) as u64);
    // The answer names the bytes that have come by then: the peer is judged by them.
    if let Ok(ended) = timeout(TAKING_TIME, all.read_to_end(&mut taken)).await {
        ended?;
    }
    open.received_bytes += taken.len();
    let expected = sequence(taken.len());
    let alike = taken
        .iter()
        .zip(&expected)
        .take_while(|(got, want)| got == want);
    Ok(alike.count())
}

async fn echo(stream: &mut TcpStream, open: &mut Open) -> io::Result<()> {
    let mut buffer = vec![0; ECHO_BYTES];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        open.received_bytes += count;
        stream.write_all(&buffer[..count]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use tokio::net::TcpListener;

    use super::*;

    /// Both loopback addresses with one port, and a listener on the first of `order` that is free
    /// on both; `None` where this machine has no IPv6.
    async fn both(order: [SocketAddr; 2]) -> Option<(Addresses, TcpListener)> {
        for _ in 0..20 {
            let listener = TcpListener::bind(order[0]).await.ok()?;
            let port = listener.local_addr().ok()?.port();
            let other = SocketAddr::new(order[1].ip(), port);
            if TcpListener::bind(other).await.is_ok() {
                let one = SocketAddr::new(order[0].ip(), port);
                return Addresses::new([other, one]).map(|all| (all, listener));
            }
        }
        None
    }

    const IPV4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    const IPV6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

    fn run(test: impl Future<Output = ()>) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn a_service_is_at_all_addresses_of_its_name() {
        run(serve_both());
    }

    async fn serve_both() {
        let Some((addresses, listener)) = both([IPV4, IPV6]).await else {
            return;
        };
        drop(listener);
        let mut mirror = TestService::behind_server(addresses.clone());
        mirror.begin(Needs::TestService).await.unwrap();
        for address in addresses.as_slice() {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"open\n").await.unwrap();
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer[1], b'\n', "{address}");
        }
    }

    #[test]
    fn a_client_is_found_at_the_second_address_of_its_name() {
        run(dial_each());
    }

    async fn dial_each() {
        for order in [[IPV4, IPV6], [IPV6, IPV4]] {
            let Some((addresses, listener)) = both(order).await else {
                return;
            };
            let mut signals = Signals::new().unwrap();
            let mut mirror = TestService::before_client(addresses);
            mirror.wait_for_client(&mut signals).await.unwrap();
            mirror.dial(Bytes::from_static(b"hello"));
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut first = [0; 5];
            stream.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"hello");
        }
    }
}
