//! Bytes that may be sent to an address that may be a forgery.

use super::config::AddressProof;
use crate::wire::HEADER_BYTES;

/// Bytes that may go back to an unproven address for each that came from it, as in QUIC (RFC 9000,
/// 8.1).
const AMPLIFICATION: usize = 3;

/// Bytes that may go to the address from which a SYN came. Without a limit once it is proven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance(Option<usize>);

impl Allowance {
    /// Any number.
    pub(crate) const UNLIMITED: Self = Self(None);

    /// For the sender of a SYN of `message_bytes`, header included.
    pub(crate) const fn of_syn(proof: AddressProof, message_bytes: usize) -> Self {
        match proof {
            AddressProof::NotNeeded => Self::UNLIMITED,
            AddressProof::Required => Self(Some(AMPLIFICATION * message_bytes)),
        }
    }

    /// More came from there, header included.
    pub(crate) fn grow(&mut self, message_bytes: usize) {
        if let Some(left) = &mut self.0 {
            *left = left.saturating_add(AMPLIFICATION * message_bytes);
        }
    }

    /// A message went there, header included.
    pub(crate) fn spend(&mut self, message_bytes: usize) {
        if let Some(left) = &mut self.0 {
            *left = left.saturating_sub(message_bytes);
        }
    }

    /// The peer at the address received our bytes: it has answered.
    pub(crate) const fn lift(&mut self) {
        self.0 = None;
    }

    pub(crate) const fn is_limited(self) -> bool {
        self.0.is_some()
    }

    /// Whether a message may go there, header included, so that there is still room for our close.
    pub(crate) fn admits(self, message_bytes: usize) -> bool {
        self.0
            .is_none_or(|left| message_bytes.saturating_add(HEADER_BYTES) <= left)
    }

    /// Whether a message may go there, header included, behind which nothing more has to.
    pub(crate) fn admits_last(self, message_bytes: usize) -> bool {
        self.0.is_none_or(|left| message_bytes <= left)
    }

    /// Payload bytes that one more message may carry, so that there is still room for our close.
    pub(crate) fn payload_bytes(self) -> usize {
        self.0
            // One header is the message's own, the other that of the close.
            .map_or(usize::MAX, |left| left.saturating_sub(2 * HEADER_BYTES))
    }
}
