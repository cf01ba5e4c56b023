//! The synthetic captures are what their recipes make, to the byte, and
//! `captures/README.md` has a row for every file.
//!
//! `MINISTREAM_BLESS=1 cargo test --all-features --test captures` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::path::Path;

use ministream_fixtures::shipped::{self, Shipped};

use crate::shelf;

#[test]
fn every_synthetic_capture_is_what_its_recipe_makes() {
    for capture in shipped::all() {
        let path = shelf::directory().join(capture.name);
        if blessing() && content(&path).as_ref() != Some(&capture.bytes) {
            fs::write(&path, compressed(&capture)).unwrap();
        }
        let kept = content(&path).unwrap_or_else(|| panic!("{} is missing", path.display()));
        assert!(
            kept == capture.bytes,
            "{} is not what {} makes; MINISTREAM_BLESS=1 writes it anew",
            capture.name,
            capture.recipe
        );
    }
}

#[test]
fn the_readme_lists_every_file_and_no_other() {
    let path = shelf::directory().join("README.md");
    let expected = readme();
    if blessing() {
        fs::write(&path, &expected).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert_eq!(kept, expected, "MINISTREAM_BLESS=1 writes it anew");

    let listed: BTreeSet<String> = kept
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, shelf::names().into_iter().collect());
}

#[test]
fn no_two_captures_share_a_name() {
    let names: Vec<_> = shipped::all().iter().map(|capture| capture.name).collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

fn blessing() -> bool {
    std::env::var_os("MINISTREAM_BLESS").is_some()
}

/// What a capture file holds, decompressed: compressors may change their mind.
fn content(path: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    match path.extension()?.to_str()? {
        "gz" => {
            let mut content = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..])
                .read_to_end(&mut content)
                .unwrap();
            Some(content)
        }
        "zst" => Some(zstd::decode_all(&bytes[..]).unwrap()),
        _ => Some(bytes),
    }
}

fn compressed(capture: &Shipped) -> Vec<u8> {
    match capture.name.rsplit('.').next() {
        Some("gz") => {
            let level = flate2::Compression::best();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(&capture.bytes).unwrap();
            encoder.finish().unwrap()
        }
        Some("zst") => zstd::encode_all(&capture.bytes[..], 19).unwrap(),
        _ => capture.bytes.clone(),
    }
}

fn readme() -> String {
    let mut text = include_str!("readme_head.md").to_owned();
    for capture in shipped::all() {
        let Shipped {
            name,
            shows,
            recipe,
            ..
        } = capture;
        writeln!(text, "| `{name}` | {shows} | `{recipe}` |").unwrap();
    }
    text
}
