//! TCP services made for the tests, and bytes to send through them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A service that does this with each connection, each in a thread of its own.
pub(crate) fn service(
    answer: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, stream) = (answer.clone(), stream.unwrap());
            // The other end may break the connection whenever it likes.
            thread::spawn(move || answer(stream).ok());
        }
    });
    address
}

/// Sends back what comes, and ends when the other side does.
pub(crate) fn echo() -> SocketAddr {
    service(|mut stream| {
        stream.set_nodelay(true)?;
        let mut from = stream.try_clone()?;
        io::copy(&mut from, &mut stream)?;
        stream.shutdown(Shutdown::Write)
    })
}

/// Answers the end of the input by a line that tells how long it was.
pub(crate) fn counter() -> SocketAddr {
    service(|mut stream| {
        let count = io::copy(&mut stream, &mut io::sink())?;
        writeln!(stream, "{count} bytes")
    })
}

/// Never reads, and never ends.
pub(crate) fn deaf() -> SocketAddr {
    service(|_stream| read_nothing_more())
}

/// Keeps its connection until the test ends: a thread that is parked may be woken for nothing.
pub(crate) fn read_nothing_more() -> ! {
    loop {
        thread::park();
    }
}

/// Writes these bytes again and again until nobody takes any for `patience` or the stream breaks.
/// How many the kernel takes for a reader that does not read differs: up to 36 MiB a connection
/// by the defaults of Linux 6.18, 10 MiB by those of 6.1.
///
/// # Panics
/// After 1 GiB: somebody reads.
pub(crate) fn fill(mut stream: &TcpStream, patience: Duration, bytes: &[u8]) {
    stream.set_write_timeout(Some(patience)).unwrap();
    let most = (1 << 30) / bytes.len();
    let taken = (0..most).take_while(|_| stream.write_all(bytes).is_ok());
    assert_ne!(taken.count(), most, "somebody reads");
}

/// Bytes that differ from their neighbours at any distance that a mistake in
/// buffers would move them by.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}

/// Sends bytes and reads as many, at the same time.
pub(crate) fn exchange(stream: &TcpStream, bytes: &[u8]) -> Vec<u8> {
    thread::scope(|scope| {
        scope.spawn(|| (&mut &*stream).write_all(bytes).unwrap());
        let mut answer = vec![0; bytes.len()];
        (&mut &*stream).read_exact(&mut answer).unwrap();
        answer
    })
}

/// Reads until the other end resets the connection, as one does that has not ended in order; gives
/// what came before.
#[track_caller]
pub(crate) fn read_to_reset(stream: TcpStream) -> Vec<u8> {
    let mut stream = stream;
    let mut came = Vec::new();
    let end = stream.read_to_end(&mut came).map_err(|error| error.kind());
    assert_eq!(
        end,
        Err(ErrorKind::ConnectionReset),
        "behind {} bytes",
        came.len()
    );
    came
}

/// A service that reads one byte: `d`, and it reads nothing more; anything else, and it sends
/// back what comes behind it.
pub(crate) fn half_deaf() -> SocketAddr {
    service(|mut stream| {
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        if kind == *b"d" {
            read_nothing_more();
        }
        let mut from = stream.try_clone()?;
        io::copy(&mut from, &mut stream).map(drop)
    })
}

/// Everything until the end, with pauses in the first `slow_bytes` of it.
pub(crate) fn read_slowly(stream: &mut TcpStream, slow_bytes: usize) -> Vec<u8> {
    let mut received = Vec::new();
    let mut part = vec![0; 700_001];
    loop {
        let count = stream.read(&mut part).unwrap();
        if count == 0 {
            return received;
        }
        received.extend_from_slice(&part[..count]);
        if received.len() < slow_bytes {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Everything until the end.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    Ok(all)
}
