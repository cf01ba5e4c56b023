//! Programs that tests run and that a machine may lack: `programs.txt` lists them.
//!
//! Where one is missing a test is skipped, says so, and is counted; with `CI` set it fails.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use crate::namespace;

const TABLE: &str = include_str!("../programs.txt");

/// Ends a test that needs one of these programs where it is missing.
///
/// Stands first in a test: before anything is started, and outside of a network namespace.
#[macro_export]
macro_rules! needs {
    ($($program:expr),+ $(,)?) => {
        $(
            if !$crate::program::is_there($program) {
                return;
            }
        )+
    };
}

/// Whether a program is on this machine. If not, the calling test counts as skipped.
///
/// # Panics
/// As [`needed`].
#[track_caller]
pub fn is_there(name: &str) -> bool {
    needed(name).is_some()
}

/// Where a program is, or `None` where the calling test has to be skipped.
///
/// # Panics
/// It is missing and `CI` is set, or `programs.txt` does not list it.
#[track_caller]
pub fn needed(name: &str) -> Option<PathBuf> {
    let (package, argument) = brought_by(name);
    let found = find(name);
    if found.is_none() {
        skip(&format!(
            "needs {name}: `.ci/install {argument}` brings it ({package})"
        ));
    }
    found
}

/// Where a program is.
pub fn find(name: &str) -> Option<PathBuf> {
    places(name).into_iter().find(|path| is_executable(path))
}

/// Counts the calling test as skipped and says why, past what libtest captures.
///
/// # Panics
/// `CI` is set: nothing is skipped there.
#[track_caller]
pub fn skip(why: &str) {
    let caller = Location::caller();
    let thread = thread::current();
    // Where tests run one by one, they run in the main thread.
    let test = match thread.name() {
        Some("main") | None => caller.to_string(),
        Some(test) => test.to_owned(),
    };
    assert!(
        env::var_os("CI").is_none(),
        "{test} {why}. CI is set: nothing is skipped"
    );
    let mut skipped = SKIPPED.lock().expect("nothing here panics");
    *skipped += 1;
    let count = if namespace::is_inside() {
        // The test program outside counts.
        "skipped".to_owned()
    } else {
        format!("skipped ({} so far)", *skipped)
    };
    // One piece, not to be torn by others that write; and not by `eprintln!`, which is captured.
    let line = format!("{count}: {test} {why}\n");
    io::stderr().write_all(line.as_bytes()).ok();
}

/// How many tests were skipped in this process.
pub(crate) fn skipped() -> usize {
    *SKIPPED.lock().expect("nothing here panics")
}

static SKIPPED: Mutex<usize> = Mutex::new(0);

/// The package that has a program, and the argument with which `.ci/install` brings it.
fn brought_by(name: &str) -> (&'static str, &'static str) {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut columns = line.split_whitespace();
            (columns.next()? == name).then_some((columns.next()?, columns.next()?))
        })
        .unwrap_or_else(|| panic!("{name} is not in tests/support/programs.txt"))
}

/// Where a program may be, in the order in which they are looked at.
fn places(name: &str) -> Vec<PathBuf> {
    if name.contains('/') {
        return vec![PathBuf::from(name)];
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    // Debian has servers where only root's PATH leads, and those of PostgreSQL nowhere in it.
    let beside = folders.iter().filter_map(|folder| folder.parent());
    let beside = beside.flat_map(|parent| {
        let versions = fs::read_dir(parent.join("lib/postgresql"));
        let postgres = versions.into_iter().flatten().flatten();
        let postgres = postgres.map(|version| version.path().join("bin"));
        postgres.chain([parent.join("sbin")]).collect::<Vec<_>>()
    });
    let beside: Vec<PathBuf> = beside.collect();
    let all = folders.iter().chain(&beside);
    all.map(|folder| folder.join(name)).collect()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_a_program_a_package_and_an_argument_of_install() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines.filter(|line| !line.is_empty()) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let [name, package, argument] = columns[..] else {
                panic!("{line}");
            };
            assert!(["--core", "packages", "readers"].contains(&argument));
            assert_eq!(
                brought_by(name),
                (package, argument),
                "{name} is there twice"
            );
            count += 1;
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn a_program_is_found_in_path_and_where_only_root_looks() {
        assert!(find("sh").is_some(), "{:?}", places("sh"));
        assert_eq!(find("there is no such program"), None);
        let path = env::var_os("PATH").unwrap();
        let first = env::split_paths(&path).next().unwrap();
        let beside = first.parent().unwrap().join("sbin/nginx");
        assert!(places("nginx").contains(&beside), "{:?}", places("nginx"));
        assert!(!is_executable(Path::new("/etc/passwd")));
        assert!(!is_executable(Path::new("/usr")));
    }
}
