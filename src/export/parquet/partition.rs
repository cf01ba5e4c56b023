//! The names of partitions: the name of a capture, as a name of a directory.

use std::ffi::OsStr;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::text::write::{put, put_display, put_hex};

/// Bytes of a name; with `capture=` before it a file system takes 255.
const MAX_BYTES: usize = 200;

/// Bytes of the hash at the end of a name that was cut.
const HASH_BYTES: usize = 8;

/// The name of the partition for a dissection of `captures`: the name of the first file without its
/// directories, and the number of further ones; `stdin` for `-`.
///
/// Everything but ASCII letters, digits, `.`, `_` and `-` is written as `%` and two hex digits
/// for each byte, which readers of such data sets undo. A name that would be too long for a
/// file system is cut, and ends in a part of its hash.
pub fn partition_name(captures: &[PathBuf]) -> String {
    let Some(first) = captures.first() else {
        return "none".to_owned();
    };
    let name = match first.file_name() {
        Some(name) if name == "-" => OsStr::new("stdin"),
        Some(name) => name,
        None => first.as_os_str(),
    };
    let mut out = bounded(escaped(name.as_encoded_bytes()));
    if captures.len() > 1 {
        put(&mut out, "-and-");
        put_display(&mut out, captures.len() - 1);
        put(&mut out, "-more");
    }
    String::from_utf8(out).expect("what is not ASCII was escaped")
}

fn escaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for &byte in name {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            out.push(byte);
        } else {
            out.push(b'%');
            put_hex(&mut out, &[byte]);
        }
    }
    out
}

/// A name that is not too long.
fn bounded(mut name: Vec<u8>) -> Vec<u8> {
    if name.len() <= MAX_BYTES {
        return name;
    }
    let hash = Sha256::digest(&name);
    let mut end = MAX_BYTES - 1 - 2 * HASH_BYTES;
    // Not inside of an escape.
    if let Some(escape) = name[end - 2..end].iter().position(|&byte| byte == b'%') {
        end = end - 2 + escape;
    }
    name.truncate(end);
    name.push(b'-');
    put_hex(&mut name, &hash[..HASH_BYTES]);
    name
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn name_of(captures: &[&str]) -> String {
        let captures: Vec<PathBuf> = captures.iter().map(PathBuf::from).collect();
        partition_name(&captures)
    }

    #[test]
    fn a_partition_has_the_name_of_the_file() {
        assert_eq!(name_of(&["captures/real/a-b_c.pcap.gz"]), "a-b_c.pcap.gz");
        assert_eq!(name_of(&["-"]), "stdin");
        assert_eq!(name_of(&["/dev/stdin"]), "stdin");
        assert_eq!(
            name_of(&["a.pcap", "b.pcap", "c.pcap"]),
            "a.pcap-and-2-more"
        );
    }

    #[test]
    fn what_a_path_or_a_reader_could_misread_is_escaped() {
        assert_eq!(name_of(&["a b=c%20.pcap"]), "a%20b%3dc%2520.pcap");
        assert_eq!(name_of(&["é\n'\"*?\\"]), "%c3%a9%0a%27%22%2a%3f%5c");
        let not_utf8 = PathBuf::from(OsString::from_vec(vec![b'x', 0xff]));
        assert_eq!(partition_name(&[not_utf8]), "x%ff");
        assert_eq!(name_of(&[".."]), "..");
    }

    #[test]
    fn names_of_every_length_fit_into_a_file_system_and_differ() {
        let mut names = std::collections::BTreeSet::new();
        for letter in ["x", "é", "x ", "  x"] {
            for length in 1..=250 {
                let name = name_of(&[&letter.repeat(length)]);
                assert!(name.len() <= MAX_BYTES, "{}", name.len());
                // An escape that was cut would leave a % without its digits.
                for (place, _) in name.match_indices('%') {
                    let digits = &name.as_bytes()[place + 1..place + 3];
                    assert!(digits.iter().all(u8::is_ascii_hexdigit), "{name}");
                }
                assert!(names.insert(name), "{letter:?} {length}");
            }
        }
    }
}
