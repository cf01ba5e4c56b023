//! How TCP sockets are set, on whichever side they come from.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// Connects to `address`; the connection is [prepared](prepare).
///
/// # Errors
/// Those of connecting.
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    prepare(&stream, address)?;
    Ok(stream)
}

/// Sets what all our connections want: `TCP_NODELAY`, because messages are
/// gathered before they are written, and no pacing within this machine.
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

    fn congestion_control(stream: &TcpStream) -> String {
        let name = SockRef::from(stream).tcp_congestion().unwrap();
        String::from_utf8(name)
            .unwrap()
            .trim_end_matches('\0')
            .to_owned()
    }

    /// A connection that is not prepared, and what it waits at.
    async fn connection() -> (TcpStream, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        (stream.unwrap(), listener)
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap()
            .block_on(test);
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
