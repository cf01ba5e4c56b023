//! Chance that nobody can foresee.

use std::io;

use rand::TryRng;
use rand::rngs::SysRng;

/// A seed from the system.
///
/// # Errors
/// The system has no randomness to give.
pub(crate) fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SysRng
        .try_fill_bytes(&mut seed)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(seed)
}
