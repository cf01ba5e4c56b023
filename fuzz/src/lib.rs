//! What must hold of `ministream` whatever comes in.
//!
//! Each module has one function, `run`, that takes any bytes, does something with them, and
//! panics when what must hold does not. libFuzzer looks for such bytes (`cargo fuzz run NAME`);
//! `cargo test -p ministream-fuzz` runs the bytes that were kept, in `corpus/`, and every
//! shipped capture.
#![forbid(unsafe_code)]

use arbitrary::{Result, Unstructured};

pub mod capture_file;
pub mod conform;
pub mod connections;
pub mod decoders;
pub mod endpoint;
pub mod i2cp_messages;
pub mod inject;
pub mod outputs;
pub mod packets;
pub mod proxy;
pub mod replay;
pub mod replay_peers;
pub mod replay_reports;
// The tests of the programs check what they write in the same way.
#[path = "../../tests/dump/schema.rs"]
mod schema;
pub mod session;
pub mod texts;
pub mod tls;
pub mod written_files;

/// A target: takes any bytes, panics when what must hold does not.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 14] = [
    ("capture_file", capture_file::run),
    ("conform", conform::run),
    ("connections", connections::run),
    ("decoders", decoders::run),
    ("endpoint", endpoint::run),
    ("i2cp_messages", i2cp_messages::run),
    ("inject", inject::run),
    ("packets", packets::run),
    ("proxy", proxy::run),
    ("replay", replay::run),
    ("replay_peers", replay_peers::run),
    ("session", session::run),
    ("texts", texts::run),
    ("tls", tls::run),
];

/// Runs a check on structured input made of `data`. Where the bytes are not enough for the
/// check to go on, it has nothing more to say.
pub(crate) fn given(data: &[u8], check: impl FnOnce(&mut Unstructured<'_>) -> Result<()>) {
    match check(&mut Unstructured::new(data)) {
        Ok(()) | Err(_) => {}
    }
}

/// Runs a target on the files that are named on the command line.
///
/// # Errors
/// A file cannot be read.
pub fn run_files(target: Target) -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        target(&std::fs::read(path)?);
    }
    Ok(())
}

/// Every capture that is shipped, as bytes, in the order of their names.
///
/// # Panics
/// They cannot be read.
pub fn shipped_captures() -> Vec<Vec<u8>> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures");
    let mut paths = Vec::new();
    let mut directories = vec![directory];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("captures are shipped") {
            let path = entry.expect("a directory can be listed").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_none_or(|end| end != "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path| std::fs::read(path).expect("captures can be read");
    paths.into_iter().map(read).collect()
}
