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
