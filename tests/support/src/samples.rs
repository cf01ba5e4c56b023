//! Exchanges that more than one capture holds.

use crate::carry::{Sent, client, server};
use crate::message::{
    ack, client_close, client_data, empty_ack, id, ping, raw, server_close, server_data, syn,
};

/// The request of the documented samples, 27 bytes.
pub const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: x\r\n\r\n";
/// The answer, 44 bytes.
pub const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

/// The specification's three sample conversations in its order, to the byte:
/// the last message of (c) is the `51` that it labels Close.
pub fn specification(destination: &[u8]) -> Vec<Sent> {
    let (a, b, c) = (id(0x12_3456), id(0x23_4567), id(0x11_1111));
    let (b_server, c_server) = (id(0x98_7654), id(0xff_ffff));
    let (head, body) = ANSWER.split_at(38);
    vec![
        client(0, syn(a, destination)),
        server(2_000, server_close(a)),
        client(100_000, syn(b, destination)),
        server(103_000, ack(b, b_server)),
        server(204_000, server_data(b, b"220 ready\r\n")),
        client(300_000, client_close(b_server)),
        client(400_000, syn(c, destination)),
        server(404_000, ack(c, c_server)),
        client(505_000, client_data(c_server, REQUEST)),
        server(606_000, server_data(c, head)),
        server(707_000, server_data(c, body)),
        server(808_000, empty_ack(c)),
    ]
}

/// The fourteen messages of the documented example: the sample conversations,
/// interleaved, with an orphan, a ping and a type that does not exist.
pub fn documented(destination: &[u8]) -> Vec<Sent> {
    let (c1, c2, c3) = (id(0x11_1111), id(0x12_3456), id(0x23_4567));
    let (s1, s3) = (id(0xff_ffff), id(0x98_7654));
    vec![
        client(0, syn(c1, destination)),
        server(4_000, ack(c1, s1)),
        client(5_000, client_data(s1, REQUEST)),
        server(105_000, server_data(c1, ANSWER)),
        client(150_000, syn(c2, destination)),
        server(151_000, server_close(c2)),
        server(206_000, server_close(c1)),
        client(300_000, syn(c3, destination)),
        server(303_000, ack(c3, s3)),
        server(404_000, server_data(c3, b"220 ready\r\n")),
        client(900_000, client_close(s3)),
        client(1_000_000, client_data(id(0x0b_ad1d), b"stray\n")),
        client(1_100_000, ping()),
        server(1_200_000, raw(0x53, c3, b"??")),
    ]
}

/// One short conversation: SYN, ACK, request, answer, close by the server.
pub fn short(destination: &[u8]) -> Vec<Sent> {
    let (c, s) = (id(0x0a_0b0c), id(0x0d_0e0f));
    vec![
        client(0, syn(c, destination)),
        server(2_000, ack(c, s)),
        client(4_000, client_data(s, b"ping?\n")),
        server(6_000, server_data(c, b"pong!\n")),
        server(8_000, server_close(c)),
    ]
}
