//! The manual pages in `docs/man` and the completions in `docs/completions` are those that the
//! programs print.
//!
//! `MINISTREAM_BLESS=1 cargo test --all-features --test dump shipped` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every page of `clap_mangen` begins with.
const PAGE_BEGINS: &str = ".ie \\n(.g";

/// A shell, and the name of the file from which it loads what completes a program.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "{}.bash"),
    ("zsh", "_{}"),
    ("fish", "{}.fish"),
    ("powershell", "_{}.ps1"),
    ("elvish", "{}.elv"),
];

/// A program, its name, and how it is asked for completions and manual pages.
struct Program {
    path: &'static str,
    name: &'static str,
    completions: fn(&str) -> Vec<String>,
    man: &'static [&'static str],
}

const PROGRAMS: [Program; 2] = [
    Program {
        path: env!("CARGO_BIN_EXE_ministream-dump"),
        name: "ministream-dump",
        completions: |shell| vec!["--generate".to_owned(), format!("completions-{shell}")],
        man: &["--generate", "man"],
    },
    Program {
        path: env!("CARGO_BIN_EXE_ministream-replay"),
        name: "ministream-replay",
        completions: |shell| vec!["completions".to_owned(), shell.to_owned()],
        man: &["man"],
    },
];

impl Program {
    fn prints<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> String {
        let output = Command::new(self.path).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}: {output:?}", self.name);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Its manual page and those of its subcommands, by the names of their files.
    fn pages(&self) -> BTreeMap<String, String> {
        let pages = self.prints(self.man);
        pages
            .split(PAGE_BEGINS)
            .skip(1)
            .map(|page| {
                let title = page.lines().find_map(|line| line.strip_prefix(".TH "));
                let name = title.and_then(|title| title.split(' ').next()).unwrap();
                (format!("{name}.1"), format!("{PAGE_BEGINS}{page}"))
            })
            .collect()
    }

    fn completions(&self) -> BTreeMap<String, String> {
        SHELLS
            .iter()
            .map(|(shell, file)| {
                let script = self.prints(&(self.completions)(shell));
                (file.replace("{}", self.name), script)
            })
            .collect()
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name)
}

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect()
}

/// Compares a folder with what it is to hold, or fills it.
#[track_caller]
fn check(folder: &Path, wanted: &BTreeMap<String, String>) {
    let found = files(folder);
    if env::var_os("MINISTREAM_BLESS").is_some() {
        fs::create_dir_all(folder).unwrap();
        for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
            fs::remove_file(folder.join(name)).unwrap();
        }
        for (name, text) in wanted {
            fs::write(folder.join(name), text).unwrap();
        }
        return;
    }
    let names = found.keys().chain(wanted.keys());
    let stale: BTreeSet<&String> = names
        .filter(|name| found.get(*name) != wanted.get(*name))
        .collect();
    assert!(
        stale.is_empty(),
        "{stale:?} in {} are not what the programs print; \
         MINISTREAM_BLESS=1 cargo test --all-features --test dump shipped writes them anew",
        folder.display()
    );
}

#[test]
fn the_manual_pages_are_current() {
    let pages: BTreeMap<_, _> = PROGRAMS.iter().flat_map(Program::pages).collect();
    assert!(
        pages.contains_key("ministream-dump.1") && pages.contains_key("ministream-replay-mock.1")
    );
    check(&folder("man"), &pages);
}

#[test]
fn the_completions_are_current() {
    check(
        &folder("completions"),
        &PROGRAMS.iter().flat_map(Program::completions).collect(),
    );
}

#[test]
fn neither_the_terminal_nor_the_environment_changes_them() {
    for program in &PROGRAMS {
        for arguments in [
            program.man.iter().map(ToString::to_string).collect(),
            (program.completions)("zsh"),
        ] {
            let narrow = Command::new(program.path)
                .args(&arguments)
                .env_clear()
                .env("COLUMNS", "40")
                .env("LANG", "C")
                .output()
                .unwrap();
            let narrow = String::from_utf8(narrow.stdout).unwrap();
            assert_eq!(narrow, program.prints(&arguments), "{arguments:?}");
        }
    }
}

#[test]
fn the_manual_explains_every_option_and_has_examples() {
    for program in PROGRAMS {
        for (name, page) in program.pages() {
            for entry in page.split(".TP\n").skip(1) {
                let mut lines = entry.lines();
                let option = lines.next().unwrap();
                let about = lines.next().unwrap_or_default();
                assert!(!about.is_empty() && about != ".br", "{name}: {option}");
            }
        }
        let page = &program.pages()[&format!("{}.1", program.name)];
        let examples = page.split(".SH \"EXAMPLES\"\n").nth(1).unwrap();
        assert!(examples.starts_with(&format!(".nf\n\\&{} ", program.name.replace('-', "\\-"))));
        assert!(page.contains(".SH \"EXIT STATUS\"\n.nf\n\\&0 fine"));
    }
}

#[test]
fn the_examples_of_live_captures_watch_the_tunnel_of_the_readme() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| fs::read_to_string(here.join(name)).unwrap();
    let readme = text("README.md");
    let carrier = readme.split("server --carrier ").nth(1).unwrap();
    let (protocol, address) = carrier.split_once("://").unwrap();
    let port = address.split([':', ' ']).nth(1).unwrap();
    let watched = format!("-i lo -f '{protocol} port {port}'");
    let help = PROGRAMS[0].prints(&["-h"]);
    for text in [readme.clone(), help, text("docs/tour.md")] {
        assert!(text.contains(&watched), "{watched} is not in\n{text}");
    }
}
