//! Where the shipped captures stand.

use std::fs;
use std::path::{Path, PathBuf};

/// `captures/`.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// Every capture by its path below `captures/`, sorted: `real/c-http.pcapng`.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = ["", "real/"]
        .iter()
        .flat_map(|prefix| {
            let entries = fs::read_dir(directory().join(prefix)).unwrap();
            entries.map(move |entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                format!("{prefix}{name}")
            })
        })
        .filter(|name| name.contains(".pcap"))
        .collect();
    names.sort();
    names
}

/// The bytes of a capture.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = directory().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The captures that are not compressed.
pub(crate) fn uncompressed() -> Vec<String> {
    let mut names = names();
    names.retain(|name| name.ends_with(".pcap") || name.ends_with(".pcapng"));
    names
}
