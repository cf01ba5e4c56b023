//! Values that stand in one message only.

/// The end of SendMessageExpires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Options of the delivery.
    pub flags: u16,
    /// When the message is of no use any more, in milliseconds since the Unix
    /// epoch; the lower 48 bits are sent.
    pub at_ms: u64,
}

/// Gateways of tunnels as they stand in RequestLeaseSet: each the hash of a
/// router, 32 bytes, and a tunnel id, 4 bytes; 0 to 255 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterHops<'a>(&'a [[u8; HOP_BYTES]]);

impl<'a> RouterHops<'a> {
    /// Takes bytes for hops; `None` unless they are whole ones, at most 255.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        match bytes.as_chunks() {
            (hops, []) if hops.len() <= 255 => Some(Self(hops)),
            _ => None,
        }
    }

    /// Their bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_flattened()
    }

    /// Hash and tunnel id of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ([u8; 32], u32)> + use<'a> {
        self.0.iter().map(|hop| {
            let [router @ .., a, b, c, d] = *hop;
            (router, u32::from_be_bytes([a, b, c, d]))
        })
    }
}

pub(super) const HOP_BYTES: usize = 32 + 4;
