//! What tunnels lead to.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::work::BUFFER;

/// Asks the service for bytes without end.
pub(crate) const FLOOD: u8 = b'd';

/// Asks the service to send back all that follows.
pub(crate) const ECHO: u8 = b'e';

/// Serves for ever; tells its address in a line.
pub(crate) fn serve(address: SocketAddr) -> io::Result<()> {
    crate::ends::raise_descriptor_limit()?;
    let listener = TcpListener::bind(address)?;
    println!("ready service={}", listener.local_addr()?);
    for stream in listener.incoming().flatten() {
        thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                // A client that has had enough just leaves.
                answer(stream).ok();
            })?;
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    // Not zeros: memory that was never written to is one page, always in the cache.
    let mut buffer = vec![0x5a; BUFFER];
    if kind == [FLOOD] {
        loop {
            stream.write_all(&buffer)?;
        }
    }
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
    }
}
