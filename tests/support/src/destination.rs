//! I2P destinations: what a SYN carries.

use crate::Random;

/// 387 bytes with a null certificate whose hash is, in I2P's base64, `9kQ…zA=`:
/// the destination that the documentation shows.
pub fn sample_destination() -> Vec<u8> {
    /// Found by search: with it the hash begins and ends as documented.
    const NONCE: u64 = 197_630_947;
    let mut bytes: Vec<u8> = (0..376_u32)
        .map(|index| index.wrapping_mul(0x9e37_79b1).to_be_bytes()[0])
        .collect();
    bytes.extend(NONCE.to_be_bytes());
    bytes.extend([0, 0, 0]);
    bytes
}

/// 387 bytes with a null certificate (DSA), as the reference implementation makes them.
pub fn seeded_destination(seed: u64) -> Vec<u8> {
    let mut bytes = Random::new(seed).bytes(384);
    bytes.extend([0, 0, 0]);
    bytes
}

/// 391 bytes with a key certificate: Ed25519 for signing (type 7), ElGamal for encryption (0).
pub fn key_destination(seed: u64) -> Vec<u8> {
    let mut bytes = Random::new(seed).bytes(384);
    bytes.extend([5, 0, 4, 0, 7, 0, 0]);
    bytes
}
