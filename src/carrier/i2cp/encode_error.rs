//! Reasons why a message cannot be sent.

/// The longest body that is accepted; i2pd closes the connection on a longer one.
pub const MAX_BODY_BYTES: usize = 65_535;

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A string has one byte for its length.
    #[error("a string is at most 255 bytes, not {0}")]
    StringTooLong(usize),
    /// Routers do not take longer bodies.
    #[error("the body of a message is at most {MAX_BODY_BYTES} bytes, not {0}")]
    BodyTooLong(usize),
}
