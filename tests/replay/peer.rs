//! Servers by hand, on both carriers, that behave as a test wants.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// What a server does next.
pub(crate) enum Act {
    Send(Vec<u8>),
    Wait(Duration),
    /// Ends, and with it its connection or its socket.
    Leave,
}

/// Answers each message by acts.
pub(crate) trait Answer: FnMut(&[u8]) -> Vec<Act> + Send + 'static {}
impl<F: FnMut(&[u8]) -> Vec<Act> + Send + 'static> Answer for F {}

pub(crate) const CARRIERS: [&str; 2] = ["tcp", "udp"];

/// Starts a server on `tcp` or `udp`; gives its carrier.
pub(crate) fn serve(carrier: &str, answer: impl Answer) -> String {
    match carrier {
        "tcp" => serve_tcp(answer),
        _ => serve_udp(answer),
    }
}

fn serve_tcp(mut answer: impl Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        drop(listener);
        stream.set_nodelay(true)?;
        answer_connection(stream, &mut answer)
    });
    format!("tcp://{address}")
}

fn answer_connection(mut stream: TcpStream, answer: &mut impl Answer) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).expect("a short message");
        let mut message = vec![0; length];
        stream.read_exact(&mut message)?;
        for act in answer(&message) {
            match act {
                Act::Send(bytes) => {
                    let length = u32::try_from(bytes.len()).expect("a short message");
                    stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat())?;
                }
                Act::Wait(time) => thread::sleep(time),
                Act::Leave => return Ok(()),
            }
        }
    }
}

fn serve_udp(mut answer: impl Answer) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    thread::spawn(move || -> io::Result<()> {
        let mut message = [0; 65_536];
        loop {
            let (length, client) = socket.recv_from(&mut message)?;
            for act in answer(&message[..length]) {
                match act {
                    Act::Send(bytes) => {
                        socket.send_to(&bytes, client)?;
                    }
                    Act::Wait(time) => thread::sleep(time),
                    Act::Leave => return Ok(()),
                }
            }
        }
    });
    format!("udp://{address}")
}

/// A message of the server's to the client.
pub(crate) fn to_client(type_byte: u8, id: [u8; 3], payload: &[u8]) -> Act {
    Act::Send([&[type_byte], &id[..], payload].concat())
}

/// A server that accepts one conversation and answers its first data message.
pub(crate) fn accepting(
    mut answer: impl FnMut([u8; 3]) -> Vec<Act> + Send + 'static,
) -> impl Answer {
    let mut client = [0; 3];
    move |message: &[u8]| match message[0] {
        0xa1 => {
            client.copy_from_slice(&message[1..4]);
            vec![to_client(0x51, client, &[0x0a, 0x0b, 0x0c])]
        }
        0xa0 => answer(client),
        _ => Vec::new(),
    }
}
