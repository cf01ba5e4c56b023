//! Counts the instructions of an attack.

use std::env;
use std::fs;
use std::process::Command;

/// In a process that carries out an attack: its size.
const SIZE: &str = "MINISTREAM_ATTACK_SIZE";

/// How much more than four times the work of a quarter may be: a sort or a tree adds a logarithm,
/// and a table that grows moves what it has. A part that grows with the square of the size may so be a tenth of
/// all at the smaller size, which is why that is some hundreds.
const TOLERANCE: f64 = 1.3;

/// A test that an attack costs work in proportion to its size: `attack` is called with `unit`
/// and with four times as much, in processes of their own.
///
/// What is done once, and the same with size 0, does not count.
macro_rules! linear {
    ($(#[$attribute:meta])* $name:ident, $unit:expr, $attack:expr) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            ministream_fixtures::needs!("valgrind");
            let path = concat!(module_path!(), "::", stringify!($name));
            $crate::count::assert_linear(path, $unit, $attack);
        }
    };
}
pub(crate) use linear;

pub(crate) fn assert_linear(path: &str, unit: usize, attack: impl FnOnce(usize)) {
    if let Ok(size) = env::var(SIZE) {
        return attack(size.parse().expect("a number"));
    }
    let (_, test) = path.split_once("::").expect("the crate and the test");
    let [nothing, one, four] = [0, unit, 4 * unit].map(|size| instructions(test, size));
    let (one, four) = (one - nothing, four - nothing);
    let ratio = four as f64 / one as f64;
    println!(
        "{test}: {} instructions for each of {unit}, {ratio:.2} times for 4 times as many",
        one / unit as u64
    );
    assert!(one > 100 * unit as u64, "{test}: nothing was done");
    assert!(
        ratio < 4.0 * TOLERANCE,
        "{test}: {unit} take {one} instructions, four times as many take {ratio:.1} times that"
    );
}

/// Those that this test takes for an attack of a size.
fn instructions(test: &str, size: usize) -> u64 {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let log = directory.path().join("counted");
    let status = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ])
        .arg(format!("--log-file={}", log.display()))
        .arg(env::current_exe().expect("it runs"))
        .args(["--exact", test, "--test-threads=1", "--quiet"])
        .env(SIZE, size.to_string())
        .output()
        .expect("it starts");
    let words = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success(), "{test}, size {size}: {words}");
    let log = fs::read_to_string(log).expect("it has counted");
    let count = log.lines().find_map(|line| line.split_once("refs:"));
    let (_, count) = count.unwrap_or_else(|| panic!("no count in {log}"));
    let digits: String = count.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}
