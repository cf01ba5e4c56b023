//! The options of TCP sockets, on whichever side they come from.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Time for an address before the next is tried, too (RFC 8305, section 5: the connection attempt
/// delay).
const STAGGER: Duration = Duration::from_millis(250);

/// The addresses of one name, in the system's order; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(Arc<[SocketAddr]>);

impl Addresses {
    /// `None` if there are none.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Option<Self> {
        let mut all: Vec<SocketAddr> = Vec::new();
        for address in addresses {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        (!all.is_empty()).then(|| Self(all.into()))
    }

    /// All of them.
    pub fn as_slice(&self) -> &[SocketAddr] {
        &self.0
    }

    /// The one that the system prefers.
    pub fn first(&self) -> SocketAddr {
        self.0[0]
    }
}

impl From<SocketAddr> for Addresses {
    fn from(address: SocketAddr) -> Self {
        Self(Arc::new([address]))
    }
}

/// `127.0.0.1:80,[::1]:80`
impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

/// The reasons why none of several addresses would do.
#[derive(Debug)]
pub(super) struct EachFailed(Vec<(SocketAddr, io::Error)>);

impl EachFailed {
    /// One error for all. That of a single address stays as it is.
    pub(super) fn into_error(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
        if failures.len() == 1
            && let Some((_, error)) = failures.pop()
        {
            return error;
        }
        let kind = failures
            .first()
            .map_or(io::ErrorKind::AddrNotAvailable, |(_, error)| error.kind());
        io::Error::new(kind, Self(failures))
    }
}

/// `127.0.0.1:80: connection refused; [::1]:80: network unreachable`
impl fmt::Display for EachFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, error)) in self.0.iter().enumerate() {
            let semicolon = if index > 0 { "; " } else { "" };
            write!(f, "{semicolon}{address}: {}", reason(error))?;
        }
        Ok(())
    }
}

impl std::error::Error for EachFailed {}

/// The system's text, without its number, as a part of a sentence.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or(&text);
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
}

/// Connects to the first of `addresses` that answers, tried in their order, the next
/// when one fails or takes long; the connection is [prepared](prepare).
///
/// # Errors
/// None can be connected to; the error has the reason of each.
pub(super) async fn connect(addresses: &Addresses) -> io::Result<(TcpStream, SocketAddr)> {
    if let [address] = *addresses.as_slice() {
        return Ok((connect_one(address).await?, address));
    }
    let mut untried = addresses.as_slice().iter().copied();
    let mut attempts = JoinSet::new();
    let mut failures = Vec::new();
    loop {
        if let Some(address) = untried.next() {
            attempts.spawn(async move { (address, connect_one(address).await) });
        }
        let patience = match untried.len() {
            0 => Duration::MAX,
            _ => STAGGER,
        };
        match tokio::time::timeout(patience, attempts.join_next()).await {
            Ok(Some(Ok((address, Ok(stream))))) => return Ok((stream, address)),
            Ok(Some(Ok((address, Err(error))))) => failures.push((address, error)),
            Ok(Some(Err(error))) => return Err(io::Error::other(error)),
            Ok(None) if untried.len() == 0 => return Err(EachFailed::into_error(failures)),
            // Others may be quicker.
            Ok(None) | Err(_) => {}
        }
    }
}

async fn connect_one(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    prepare(&stream, address)?;
    Ok(stream)
}

/// Sets the options of all our connections: `TCP_NODELAY`, because messages are gathered before
/// they are written, and no pacing within this machine.
///
/// # Errors
/// Those of `TCP_NODELAY`.
pub(super) fn prepare(stream: &TcpStream, remote: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if remote.ip().to_canonical().is_loopback() {
        leave_unpaced(stream);
    }
    Ok(())
}

/// Where the system's congestion control is BBR, it sets a timer for every few
/// segments, which costs as much as all else that a connection within one machine
/// needs; and there is no path that could be congested. Reno has no timers, and
/// every process may choose it (`tcp_allowed_congestion_control`).
#[cfg(target_os = "linux")]
fn leave_unpaced(stream: &TcpStream) {
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_congestion(b"reno") {
        // Slower, and as good otherwise.
        tracing::debug!(%error, "the system's congestion control stays");
    }
}

#[cfg(not(target_os = "linux"))]
fn leave_unpaced(_: &TcpStream) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::*;
    use crate::runtime::testing::run;

    fn congestion_control(stream: &TcpStream) -> String {
        let name = SockRef::from(stream).tcp_congestion().unwrap();
        String::from_utf8(name)
            .unwrap()
            .trim_end_matches('\0')
            .to_owned()
    }

    /// A connection that is not prepared, and its listener.
    async fn connection() -> (TcpStream, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        (stream.unwrap(), listener)
    }

    #[test]
    fn all_addresses_of_a_name_are_tried_and_each_failure_has_its_reason() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let there = listener.local_addr().unwrap();
            let gone: SocketAddr = "127.0.0.2:1".parse().unwrap();
            let gone_too: SocketAddr = "[::1]:1".parse().unwrap();
            for order in [
                vec![gone, there],
                vec![there, gone],
                vec![gone, gone_too, there],
            ] {
                let addresses = Addresses::new(order).unwrap();
                let (_, connected) = connect(&addresses).await.unwrap();
                assert_eq!(connected, there);
            }
            let error = connect(&Addresses::new([gone, gone_too]).unwrap())
                .await
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert_eq!(
                error.to_string(),
                "127.0.0.2:1: connection refused; [::1]:1: connection refused"
            );
        });
    }

    #[test]
    fn an_address_that_does_not_answer_delays_the_next_by_the_stagger_only() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let there = listener.local_addr().unwrap();
            // A listener whose queue is full answers no SYN.
            let full =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
                .unwrap();
            full.listen(0).unwrap();
            let silent = full.local_addr().unwrap().as_socket().unwrap();
            let _first = TcpStream::connect(silent).await.unwrap();
            let began = std::time::Instant::now();
            let addresses = Addresses::new([silent, there]).unwrap();
            let (_, connected) = connect(&addresses).await.unwrap();
            assert_eq!(connected, there);
            assert!((STAGGER..4 * STAGGER).contains(&began.elapsed()));
        });
    }

    #[test]
    fn connections_within_the_machine_are_not_paced() {
        run(async {
            for remote in ["127.0.0.1:7", "[::1]:7", "[::ffff:127.0.0.1]:7"] {
                let (ours, _listener) = connection().await;
                prepare(&ours, remote.parse().unwrap()).unwrap();
                assert!(ours.nodelay().unwrap());
                assert_eq!(congestion_control(&ours), "reno");
            }
        });
    }

    #[test]
    fn others_keep_the_choice_of_the_system() {
        run(async {
            let (stream, _listener) = connection().await;
            let before = congestion_control(&stream);
            prepare(&stream, "192.0.2.1:7".parse().unwrap()).unwrap();
            assert!(stream.nodelay().unwrap());
            assert_eq!(congestion_control(&stream), before);
        });
    }
}
