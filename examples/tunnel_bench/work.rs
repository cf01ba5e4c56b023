//! Work that is done directly and through tunnels.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::service::{ECHO, FLOOD};

/// How long each piece of work lasts.
pub(crate) const PART: Duration = Duration::from_millis(1_500);

/// Connections that are opened at once in the measurement of new ones.
const OPENERS: usize = 16;

/// What the service and its clients write and read at once.
pub(crate) const BUFFER: usize = 64 * 1024;

/// A request, and its answer.
const SMALL: usize = 64;

/// Requests in one round: ten of them are slower than its p99.
const REQUESTS: usize = 1_000;

/// How long the first bytes of all streams may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes a second, over this many streams.
pub(crate) fn bulk(address: SocketAddr, streams: usize) -> io::Result<f64> {
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..streams)
        .map(|_| Reader::start(address, &over))
        .collect();
    let patience = Instant::now() + PATIENCE;
    while !readers.iter().all(Reader::has_begun) {
        if Instant::now() > patience || readers.iter().any(Reader::has_ended) {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let started = Instant::now();
    let before: u64 = readers.iter().map(Reader::bytes).sum();
    thread::sleep(PART);
    let after: u64 = readers.iter().map(Reader::bytes).sum();
    let seconds = started.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.finish()?;
    }
    Ok((after - before) as f64 / seconds)
}

/// Reads one stream from the beginning, without a pause: a reader that stops
/// may stop others that share its tunnel.
struct Reader {
    bytes: Arc<AtomicU64>,
    thread: JoinHandle<io::Result<()>>,
}

impl Reader {
    fn start(address: SocketAddr, over: &Arc<AtomicBool>) -> Self {
        let bytes = Arc::new(AtomicU64::new(0));
        let (count, over) = (Arc::clone(&bytes), Arc::clone(over));
        let thread = thread::spawn(move || read_until(address, &count, &over));
        Self { bytes, thread }
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn has_begun(&self) -> bool {
        self.bytes() > 0
    }

    fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    fn finish(self) -> io::Result<()> {
        self.thread.join().expect("readers do not panic")
    }
}

fn read_until(address: SocketAddr, bytes: &AtomicU64, over: &AtomicBool) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[FLOOD])?;
    let mut buffer = vec![0x5a; BUFFER];
    while !over.load(Ordering::Relaxed) {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Connections a second: opened, used for one request, closed.
pub(crate) fn connections(address: SocketAddr) -> io::Result<f64> {
    let started = Instant::now();
    let openers: Vec<_> = (0..OPENERS)
        .map(|_| {
            thread::spawn(move || -> io::Result<u64> {
                let mut count = 0;
                while started.elapsed() < PART {
                    drop(echoed(address)?);
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    let mut total = 0;
    for opener in openers {
        total += opener.join().expect("openers do not panic")?;
    }
    Ok(total as f64 / started.elapsed().as_secs_f64())
}

/// Seconds that half of the small requests, and 99 of 100, do not exceed.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Sends small requests, each when the one before it is answered.
pub(crate) fn small_requests(address: SocketAddr) -> io::Result<Latency> {
    let mut stream = echoed(address)?;
    stream.set_nodelay(true)?;
    let request = [7; SMALL];
    let mut answer = [0; SMALL];
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let started = Instant::now();
        stream.write_all(&request)?;
        stream.read_exact(&mut answer)?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(Latency {
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    })
}

/// Seconds by which 99 of 100 requests, sent at even intervals over this many conversations, are
/// answered sooner or later than after `delay`.
pub(crate) fn delay_error(
    address: SocketAddr,
    delay: Duration,
    conversations: usize,
) -> io::Result<f64> {
    // Many at once: each waits for the delay twice before it is open.
    let openers: Vec<_> = (0..OPENERS)
        .map(|number| {
            let count = (conversations + number) / OPENERS;
            thread::spawn(move || idle(address, count))
        })
        .collect();
    let mut streams = Vec::new();
    for opener in openers {
        streams.extend(opener.join().expect("openers do not panic")?);
    }
    for stream in &streams {
        stream.set_nodelay(true)?;
    }
    // One message a millisecond: a burst would measure how fast all programs are.
    let interval = Duration::from_millis(1);
    let readers: Vec<TcpStream> = streams
        .iter()
        .map(TcpStream::try_clone)
        .collect::<io::Result<_>>()?;
    let rounds = 3;
    let (sent, times_sent) = mpsc::channel::<Instant>();
    let reader = thread::spawn(move || -> io::Result<Vec<f64>> {
        let mut errors = Vec::new();
        for mut stream in (0..rounds).flat_map(|_| &readers) {
            let mut answer = [0; SMALL];
            stream.read_exact(&mut answer)?;
            let taken = times_sent.recv().map_err(io::Error::other)?.elapsed();
            errors.push(taken.abs_diff(delay).as_secs_f64());
        }
        Ok(errors)
    });
    let started = Instant::now();
    let mut due = started;
    for _ in 0..rounds {
        for stream in &mut streams {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due += interval;
            sent.send(Instant::now()).map_err(io::Error::other)?;
            stream.write_all(&[7; SMALL])?;
        }
    }
    let mut errors = reader.join().expect("readers do not panic")?;
    errors.sort_by(f64::total_cmp);
    Ok(errors[errors.len() * 99 / 100])
}

/// Connections that have been used for one request.
pub(crate) fn idle(address: SocketAddr, count: usize) -> io::Result<Vec<TcpStream>> {
    (0..count).map(|_| echoed(address)).collect()
}

fn echoed(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[ECHO, b'x'])?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(stream)
}
