//! Says in one sentence what is missing when libpcap is.
//!
//! The `pcap` crate leaves that to the linker, whose message nobody can read.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBPCAP_LIBDIR");
    if env::var_os("CARGO_FEATURE_LIVE").is_some() && is_libpcap_missing() {
        println!(
            "cargo::error=libpcap was not found: install it (Debian, Ubuntu, Alpine: libpcap-dev; \
             Fedora: libpcap-devel), or build without live capture: \
             cargo build --no-default-features --features dump,tui"
        );
    }
}

/// Whether linking against libpcap is sure to fail. Where that cannot be tried
/// as the real linker will do it, the answer is no.
fn is_libpcap_missing() -> bool {
    let is_elsewhere = ["LIBPCAP_LIBDIR", "DOCS_RS"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    let is_native = env::var_os("HOST") == env::var_os("TARGET");
    let has_own_flags = env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| !flags.is_empty());
    if is_elsewhere || !is_native || has_own_flags || env::var_os("CARGO_CFG_WINDOWS").is_some() {
        return false;
    }
    !pkg_config_knows() && links(&[]) && !links(&["-lpcap"])
}

fn pkg_config_knows() -> bool {
    Command::new("pkg-config")
        .args(["--exists", "libpcap"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether `cc`, which rustc links with, links an empty program with these libraries.
fn links(libraries: &[&str]) -> bool {
    let Some(directory) = env::var_os("OUT_DIR") else {
        return false;
    };
    let source = Path::new(&directory).join("probe.c");
    if fs::write(&source, "int main(void) { return 0; }\n").is_err() {
        return false;
    }
    Command::new("cc")
        .arg(&source)
        .args(libraries)
        .arg("-o")
        .arg(Path::new(&directory).join("probe"))
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
