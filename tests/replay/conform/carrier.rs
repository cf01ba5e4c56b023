//! What broken servers and clients have in common: messages on a TCP carrier.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) type Id = [u8; 3];

/// A destination with a null certificate.
pub(super) const DESTINATION: [u8; 387] = [0; 387];

/// The bytes that a broken peer takes from TCP at once.
pub(super) const PIECE_BYTES: usize = 4_096;

/// Writes messages to the carrier, whichever conversation they are of.
#[derive(Clone)]
pub(super) struct Sender(Arc<Mutex<TcpStream>>);

impl Sender {
    pub(super) fn new(carrier: &TcpStream) -> Self {
        carrier.set_nodelay(true).expect("it is a TCP connection");
        Self(Arc::new(Mutex::new(duplicate(carrier))))
    }

    /// Ends the carrier, and goes on with another; nothing is sent between.
    pub(super) fn replace(&self, connect: impl FnOnce() -> Option<TcpStream>) -> Option<TcpStream> {
        let mut former = lock(&self.0);
        // It fails where the other end was first.
        former.shutdown(Shutdown::Both).ok();
        let carrier = connect()?;
        carrier.set_nodelay(true).expect("it is a TCP connection");
        *former = duplicate(&carrier);
        Some(carrier)
    }

    /// Sends a message. Where the carrier has ended, there is nobody to miss it.
    pub(super) fn send(&self, type_byte: u8, id: Id, payload: &[u8]) {
        let length = u32::try_from(4 + payload.len()).expect("a short message");
        let message = [&length.to_be_bytes()[..], &[type_byte], &id, payload].concat();
        lock(&self.0).write_all(&message).ok();
    }
}

/// The next message; `None` at the end of the carrier.
pub(super) fn receive(carrier: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    carrier.read_exact(&mut length).ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).expect("a short message");
    let mut message = vec![0; length];
    carrier.read_exact(&mut message).ok()?;
    Some(message)
}

/// The next bytes; `None` where no more come.
pub(super) fn piece(stream: &mut TcpStream, longest: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; longest];
    match stream.read(&mut bytes) {
        Ok(0) | Err(_) => None,
        Ok(count) => {
            bytes.truncate(count);
            Some(bytes)
        }
    }
}

/// The next bytes, so many of them or all until the end; `None` where no more come.
pub(super) fn full_piece(stream: &mut TcpStream, longest: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(longest).read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

pub(super) fn duplicate(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("there are descriptors left")
}

/// What one thread left behind when it panicked is told by that thread.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
