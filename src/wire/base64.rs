//! The base64 of ids, destinations and hashes.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

/// Base64 as I2P writes it: standard with `-` for `+` and `~` for `/`, padded.
pub(super) static I2P_BASE64: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~");
    specification.padding = Some('=');
    specification
        .encoding()
        .expect("64 distinct symbols and a padding are an encoding")
});
