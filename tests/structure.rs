//! The layers of `docs/architecture.md`, held against the `crate::` paths of the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module of the library, with the modules that it may name.
///
/// A module names only modules above it in this list, so the list itself rules out a circle.
const LAYERS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("units", &[]),
    ("wire", &[]),
    ("circulation", &[]),
    ("index", &[]),
    ("capture", &["time", "circulation"]),
    ("net", &["time", "index", "capture"]),
    ("carrier", &["wire"]),
    ("keys", &["wire"]),
    ("conversation", &["time", "wire", "index", "net", "carrier"]),
    (
        "dissect",
        &[
            "time",
            "wire",
            "circulation",
            "capture",
            "net",
            "carrier",
            "conversation",
        ],
    ),
    ("endpoint", &["wire"]),
    ("fault", &["wire", "units"]),
    ("session", &["wire", "carrier", "keys"]),
    (
        "replay",
        &[
            "time",
            "units",
            "wire",
            "capture",
            "conversation",
            "dissect",
            "endpoint",
        ],
    ),
    (
        "report",
        &[
            "time",
            "units",
            "wire",
            "capture",
            "net",
            "carrier",
            "conversation",
            "dissect",
            "replay",
        ],
    ),
    (
        "proxy",
        &[
            "time",
            "wire",
            "net",
            "carrier",
            "conversation",
            "dissect",
            "fault",
            "replay",
            "report",
        ],
    ),
    (
        "runtime",
        &[
            "time",
            "wire",
            "capture",
            "net",
            "carrier",
            "keys",
            "conversation",
            "dissect",
            "endpoint",
            "fault",
            "session",
            "replay",
            "report",
            "proxy",
        ],
    ),
    ("tui", &["wire", "conversation", "report"]),
    ("cli", &["*"]),
];

/// `#[cfg(test)]` modules may use any layer: a test may print what it checks.
fn is_test_module(path: &Path) -> bool {
    path.components().any(|part| {
        matches!(
            part.as_os_str().to_str(),
            Some("tests" | "tests.rs" | "testing.rs")
        )
    })
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are readable") {
        let path = entry.expect("a folder entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a line of code names: `crate::wire::FrameType` names `wire`.
fn named_modules(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("crate::").skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        LAYERS
            .iter()
            .map(|(module, _)| *module)
            .find(|module| *module == &rest[..end])
    })
}

#[test]
fn the_list_of_layers_runs_from_bottom_to_top() {
    for (at, (module, lower)) in LAYERS.iter().enumerate() {
        for named in lower.iter().filter(|named| **named != "*") {
            assert!(
                LAYERS[..at].iter().any(|(below, _)| below == named),
                "{module} may name {named}, which is not below it"
            );
        }
    }
}

#[test]
fn no_module_imports_upward() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut files = Vec::new();
    rust_files(&sources, &mut files);
    let (mut imports, mut wrong) = (0, Vec::new());
    for path in &files {
        let within = path.strip_prefix(&sources).expect("a file below src");
        let first = within.components().next().expect("a name").as_os_str();
        let module = first
            .to_str()
            .expect("an ASCII name")
            .trim_end_matches(".rs");
        if matches!(module, "lib" | "bin") || is_test_module(within) {
            continue;
        }
        let lower = allowed
            .get(module)
            .unwrap_or_else(|| panic!("src/{module} is not in the list of layers"));
        let text = fs::read_to_string(path).expect("UTF-8");
        for (number, line) in text.lines().enumerate() {
            for named in named_modules(line) {
                imports += 1;
                if named != module && !lower.contains(&named) && !lower.contains(&"*") {
                    wrong.push(format!(
                        "src/{}:{}: {module} names {named}",
                        within.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(
        imports > 100,
        "only {imports} imports were found; is the reading wrong?"
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_test_that_security_md_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let promises = fs::read_to_string(root.join("SECURITY.md")).expect("UTF-8");
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    let mut tests = String::new();
    for path in files {
        tests += &fs::read_to_string(path).expect("UTF-8");
    }
    let mut count = 0;
    let rows = promises
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    for (bound, row) in rows.filter(|(bound, _)| *bound != "bound") {
        for name in row.split('`').skip(1).step_by(2) {
            assert!(
                tests.contains(&format!("fn {name}()")),
                "{bound}: there is no test {name}"
            );
            count += 1;
        }
    }
    assert!(count > 20, "only {count} tests are named");
}
