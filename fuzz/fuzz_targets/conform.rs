//! `cargo fuzz run conform`; without cargo-fuzz, a program that takes files of input.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ministream_fuzz::conform::run(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    ministream_fuzz::run_files(ministream_fuzz::conform::run)
}
