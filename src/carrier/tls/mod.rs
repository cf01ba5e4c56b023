//! TLS around messages: what stands before the first message inside it, and, for whoever has
//! the secrets of a connection, what is inside.

mod decrypt;
pub mod hello;
mod key_log;
mod keys;

/// What is spoken inside of `tls://`, as clients and servers agree on it (ALPN, RFC 7301).
pub const PROTOCOL: &[u8] = b"ministreaming/1";

pub use self::decrypt::{Beginning, DecryptError, Decryptor, offers_ministreaming};
pub use self::key_log::{ClientRandom, End, KeyLog, KeyLogError, KeyLogProblem};
