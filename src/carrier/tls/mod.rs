//! TLS around messages: what stands before the first message inside it, and, for whoever has
//! the secrets of a connection, what is inside.

mod decrypt;
pub mod hello;
mod key_log;
mod keys;

pub use self::decrypt::{Beginning, DecryptError, Decryptor};
pub use self::key_log::{ClientRandom, End, KeyLog, KeyLogError, KeyLogProblem};
