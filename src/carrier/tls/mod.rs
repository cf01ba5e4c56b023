//! TLS around messages: the bytes before the first message inside it, and, with the secrets of a
//! connection, its plaintext.

mod decrypt;
pub mod hello;
mod key_log;
mod keys;

/// The protocol inside `tls://`, as clients and servers agree on it (ALPN, RFC 7301).
pub const PROTOCOL: &[u8] = b"ministreaming/1";

pub use self::decrypt::{Beginning, DecryptError, Decryptor};
pub use self::key_log::{ClientRandom, KeyLog, KeyLogError, KeyLogProblem, TlsRole};

/// Whether the beginning of a TLS connection offers [`PROTOCOL`]. Where the hello is so long that it
/// comes in pieces, which key shares of post-quantum ciphers can make it, the name may be in another one than `bytes`.
pub fn offers_ministreaming(bytes: &[u8]) -> bool {
    // A list of names, each behind its length in one byte (RFC 7301, section 3.1).
    let is_offer =
        |window: &[u8]| usize::from(window[0]) == PROTOCOL.len() && &window[1..] == PROTOCOL;
    matches!(Beginning::of(bytes), Beginning::Hello(_))
        && bytes.windows(1 + PROTOCOL.len()).any(is_offer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a client's first message, and what follows its random.
    fn hello(rest: &[u8]) -> Vec<u8> {
        let head = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        [&head[..], &[0x5a; 32], rest].concat()
    }

    #[test]
    fn the_protocol_is_offered_by_its_whole_name_behind_its_length_in_a_hello_only() {
        let offer = hello(b"\x00\x10\x00\x12\x00\x10\x0fministreaming/1\x02h2");
        for end in 0..=offer.len() {
            let has_name = end >= offer.len() - b"\x02h2".len();
            assert_eq!(offers_ministreaming(&offer[..end]), has_name, "{end}");
        }
        for name in [
            &b"\x0fministreaming/2"[..],
            b"\x10ministreaming/1",
            b"ministreaming/1",
            b"\x02h2",
        ] {
            assert!(!offers_ministreaming(&hello(name)), "{name:?}");
        }
        let mut other = offer;
        other[0] = 23;
        assert!(!offers_ministreaming(&other), "in a record of data");
    }
}
