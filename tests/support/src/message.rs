//! Ministreaming messages: 1 type, 3 id, payload.

/// A connection id as on the wire.
pub type Id = [u8; 3];

/// The id with these lowest 24 bits: `id(0x0bad1d)`.
pub const fn id(number: u32) -> Id {
    let [_, a, b, c] = number.to_be_bytes();
    [a, b, c]
}

/// Any message of four bytes or more.
pub fn raw(message_type: u8, id: Id, payload: &[u8]) -> Vec<u8> {
    [&[message_type][..], &id, payload].concat()
}

/// `A1`: the client announces its id and its destination.
pub fn syn(client: Id, destination: &[u8]) -> Vec<u8> {
    raw(0xa1, client, destination)
}

/// `51`: the server accepts and announces its id.
pub fn ack(client: Id, server: Id) -> Vec<u8> {
    raw(0x51, client, &server)
}

/// `51` without payload, which the specification's sample (c) labels Close.
pub fn empty_ack(client: Id) -> Vec<u8> {
    raw(0x51, client, &[])
}

/// `A0`: bytes for the server.
pub fn client_data(server: Id, bytes: &[u8]) -> Vec<u8> {
    raw(0xa0, server, bytes)
}

/// `50`: bytes for the client.
pub fn server_data(client: Id, bytes: &[u8]) -> Vec<u8> {
    raw(0x50, client, bytes)
}

/// `A2`: the client closes.
pub fn client_close(server: Id) -> Vec<u8> {
    raw(0xa2, server, &[])
}

/// `52`: the server closes, or refuses.
pub fn server_close(client: Id) -> Vec<u8> {
    raw(0x52, client, &[])
}

/// `52` with the 3-byte payload of the reference's refusal: an id that is good for nothing.
pub fn refusal(client: Id, useless: Id) -> Vec<u8> {
    raw(0x52, client, &useless)
}

/// The single byte `ff`.
pub fn ping() -> Vec<u8> {
    vec![0xff]
}

/// `ff` with an id and a body.
pub fn chaff(id: Id, body: &[u8]) -> Vec<u8> {
    raw(0xff, id, body)
}
