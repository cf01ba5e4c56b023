//! The layers of `docs/architecture.md`, held against the `crate::` paths of the sources; what
//! documents name; what the package holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every module of the library, with the modules that it may name.
///
/// A module names only modules above it in this list, so the list itself rules out a circle.
const LAYERS: &[(&str, &[&str])] = &[
    ("allocation", &[]),
    ("time", &[]),
    ("units", &[]),
    ("wire", &[]),
    ("buffer_pool", &[]),
    ("index", &[]),
    ("number_set", &[]),
    ("capture", &["time", "buffer_pool"]),
    ("net", &["time", "index", "capture"]),
    ("carrier", &["wire"]),
    ("private_file", &[]),
    ("new_file", &[]),
    ("random_seed", &[]),
    ("end_request", &[]),
    ("keys", &["wire", "private_file"]),
    ("conversation", &["time", "wire", "index", "net", "carrier"]),
    (
        "dissect",
        &[
            "time",
            "wire",
            "buffer_pool",
            "capture",
            "net",
            "carrier",
            "conversation",
        ],
    ),
    ("conversations", &["capture", "conversation", "dissect"]),
    ("text", &["time", "wire", "conversation"]),
    (
        "columns",
        &["wire", "capture", "carrier", "conversation", "text"],
    ),
    ("ndjson", &["wire", "conversation", "columns"]),
    (
        "field",
        &["time", "wire", "net", "conversation", "text", "columns"],
    ),
    (
        "select",
        &[
            "time",
            "units",
            "wire",
            "conversation",
            "dissect",
            "number_set",
            "text",
            "columns",
            "field",
        ],
    ),
    (
        "record",
        &[
            "time",
            "wire",
            "capture",
            "net",
            "carrier",
            "conversation",
            "ndjson",
            "dissect",
            "number_set",
            "text",
            "columns",
            "field",
            "select",
        ],
    ),
    (
        "export",
        &[
            "new_file",
            "time",
            "wire",
            "capture",
            "net",
            "carrier",
            "conversation",
            "dissect",
            "number_set",
            "text",
            "columns",
            "field",
            "select",
            "record",
        ],
    ),
    ("endpoint", &["wire"]),
    ("fault", &["allocation", "wire", "units"]),
    ("session", &["wire", "carrier", "keys"]),
    (
        "replay",
        &[
            "allocation",
            "time",
            "units",
            "wire",
            "conversation",
            "ndjson",
            "dissect",
            "endpoint",
            "text",
            "columns",
        ],
    ),
    (
        "serialize",
        &[
            "time",
            "wire",
            "carrier",
            "conversation",
            "ndjson",
            "columns",
            "field",
            "record",
            "replay",
        ],
    ),
    (
        "proxy",
        &[
            "allocation",
            "time",
            "units",
            "wire",
            "net",
            "carrier",
            "conversation",
            "dissect",
            "endpoint",
            "fault",
            "replay",
            "text",
            "field",
            "select",
        ],
    ),
    (
        "report",
        &[
            "buffer_pool",
            "time",
            "units",
            "number_set",
            "wire",
            "capture",
            "net",
            "carrier",
            "conversation",
            "dissect",
            "fault",
            "replay",
            "proxy",
            "text",
            "field",
            "select",
            "record",
        ],
    ),
    (
        "runtime",
        &[
            "allocation",
            "random_seed",
            "private_file",
            "new_file",
            "end_request",
            "time",
            "units",
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
            "proxy",
            "field",
        ],
    ),
    ("tui", &["wire", "conversation", "text", "report"]),
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

/// The layers that code names, each with its line, from 1: `crate::wire::FrameType` names `wire`,
/// and `use crate::{net, wire}` both.
fn named_layers(code: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, begin) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + begin.len()..];
        let paths = match rest.starts_with('{').then(|| group(rest)) {
            Some(group) => leaves(group).into_iter().map(|(_, path)| path).collect(),
            None => vec![rest.to_owned()],
        };
        for path in paths {
            let end = path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let first = &path[..end.unwrap_or(path.len())];
            let layer = LAYERS.iter().find(|(module, _)| *module == first);
            found.extend(layer.map(|(module, _)| (line, *module)));
        }
    }
    found
}

/// The braces that a text begins with, and what they hold.
fn group(text: &str) -> &str {
    let mut depth = 0_usize;
    let end = text.find(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &text[..end.map_or(text.len(), |end| end + 1)]
}

#[test]
fn layers_are_named_by_paths_and_by_groups() {
    let code = "use crate::{\n    net::{self, flow::Flow},\n    wire as bytes,\n};\n\
                fn f(_: crate::time::Timestamp) {}\n";
    assert_eq!(
        named_layers(code),
        [(1, "net"), (1, "net"), (1, "wire"), (5, "time")]
    );
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
fn modules_name_the_layers_that_they_may_and_no_others() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut files = Vec::new();
    rust_files(&sources, &mut files);
    let (mut imports, mut wrong) = (0, Vec::new());
    let mut used = BTreeSet::new();
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
        let (module, lower) = allowed
            .get_key_value(module)
            .unwrap_or_else(|| panic!("src/{module} is not in the list of layers"));
        let code = code_of(&fs::read_to_string(path).expect("UTF-8"));
        for (line, named) in named_layers(&code) {
            imports += 1;
            used.insert((*module, named));
            if named != *module && !lower.contains(&named) && !lower.contains(&"*") {
                wrong.push(format!(
                    "src/{}:{line}: {module} names {named}",
                    within.display()
                ));
            }
        }
    }
    assert!(
        imports > 100,
        "only {imports} imports were found; is the reading wrong?"
    );
    for (module, lower) in LAYERS {
        for named in lower.iter().filter(|named| **named != "*") {
            if !used.contains(&(*module, *named)) {
                wrong.push(format!("{module} may name {named}, and does not"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A file's module path: `["cli", "dump"]` of `cli/dump.rs`, `["cli"]` of `cli/mod.rs`.
fn module_of(within: &Path) -> Vec<String> {
    let mut parts: Vec<String> = within
        .with_extension("")
        .iter()
        .map(|part| part.to_str().expect("an ASCII name").to_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The leaves of a `use` tree, each with the name that it has here: `a::b` and `a::c` of
/// `a::{b, c}`, and `d` with `a::b` of `a::b as d`.
fn leaves(tree: &str) -> Vec<(String, String)> {
    let (mut prefixes, mut word, mut found) = (vec![String::new()], String::new(), Vec::new());
    for c in tree.chars().chain([',']) {
        let prefix = prefixes.last().cloned().unwrap_or_default();
        match c {
            '{' => prefixes.push(prefix + std::mem::take(&mut word).trim()),
            ',' | '}' => {
                let word = std::mem::take(&mut word);
                let (path, alias) = word.split_once(" as ").unwrap_or((&word, ""));
                let path = prefix.clone() + path.trim();
                if !word.trim().is_empty() {
                    let last = path.rsplit("::").next().unwrap_or_default();
                    let name = if alias.is_empty() { last } else { alias.trim() };
                    found.push((name.to_owned(), path));
                }
                if c == '}' {
                    prefixes.pop();
                }
            }
            c => word.push(c),
        }
    }
    found
}

/// A file's module path, and behind it the names of an item.
type Names = Vec<String>;

/// What a file says of other files.
#[derive(Default)]
struct FileNames {
    /// What `use` makes known here, by its name: absolute paths.
    imports: BTreeMap<String, Names>,
    /// The paths that it names beside those that it only hands on with `pub use`.
    named: Vec<Names>,
}

/// The code of a file, without comments and the tests at its end.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = code.unwrap_or_default().lines();
    let lines = lines.map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Cuts the modules that stand within a file out of its code: their `super` is the file itself.
fn without_inner_modules(code: &str) -> String {
    let (mut kept, mut end) = (String::new(), None);
    for line in code.lines() {
        let indented = line.len() - line.trim_start().len();
        if end.is_none() && line.contains("mod ") && line.ends_with('{') {
            end = Some(line[..indented].to_owned() + "}");
        }
        if end.is_none() {
            kept += line;
            kept.push('\n');
        } else if end.as_deref() == Some(line) {
            end = None;
        }
    }
    kept
}

/// A path as it stands in a file, from the root; `None` if it leads out of the crate or is a name
/// that says nothing of a file.
fn absolute(module: &[String], path: &str, files: &BTreeSet<Names>) -> Option<Names> {
    let mut segments = path.split("::").map(str::trim).peekable();
    let first = segments.next()?;
    let mut names = match first {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => {
            let mut names = module[..module.len().checked_sub(1)?].to_vec();
            while segments.next_if(|segment| *segment == "super").is_some() {
                names.pop();
            }
            names
        }
        part => {
            let names = [module, &[part.to_owned()]].concat();
            if !files.contains(&names) {
                return None;
            }
            names
        }
    };
    names.extend(segments.map(str::to_owned));
    Some(names)
}

fn file_names(module: &[String], text: &str, files: &BTreeSet<Names>) -> FileNames {
    // Of a file whose tests are in another one, only what stands above `mod tests;`: behind it the
    // files of some modules hand on names that their own fields have, too, and two are in a circle.
    let code = code_of(text);
    let code = code.split("#[cfg(test)]\nmod tests;").next();
    let code = without_inner_modules(code.unwrap_or_default());
    let mut found = FileNames::default();
    let (mut handed_on, mut body) = (Vec::new(), String::new());
    for statement in code.split_inclusive(';') {
        let Some((before, tree)) = statement.rsplit_once("use ") else {
            body += statement;
            continue;
        };
        let last_line = before.lines().last().unwrap_or_default().trim();
        let is_use = last_line.is_empty() || last_line.starts_with("pub");
        if !is_use || !statement.ends_with(';') {
            body += statement;
            continue;
        }
        body += before.strip_suffix(last_line).unwrap_or(before);
        let tree = tree.trim_end_matches(';');
        let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, path) in leaves(&tree) {
            let Some(path) = absolute(module, &path, files) else {
                continue;
            };
            if last_line.starts_with("pub") {
                handed_on.push((name.clone(), path.clone()));
            } else {
                found.named.push(path.clone());
            }
            found.imports.insert(name, path);
        }
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<&str> = body.split(|c| !is_word(c)).collect();
    for (name, path) in handed_on {
        if words.contains(name.as_str()) {
            found.named.push(path);
        }
    }
    let in_place = body.split(|c| !is_word(c) && c != ':');
    found.named.extend(
        in_place
            .filter(|path| path.contains("::"))
            .filter_map(|path| absolute(module, path.trim_matches(':'), files)),
    );
    found
}

/// The file in which that stands which a path leads to, through whatever `use` lies between;
/// `None` for a module as such, which depends on nothing.
fn file_of(path: &[String], all: &BTreeMap<Names, FileNames>) -> Option<Names> {
    let mut path = path.to_vec();
    // No chain of re-exports is as long; a glob that imports itself would never end.
    for _ in 0..20 {
        let end = (0..=path.len())
            .rev()
            .find(|end| all.contains_key(&path[..*end]))?;
        let (file, rest) = path.split_at(end);
        let name = rest.first()?;
        match all[file].imports.get(name) {
            Some(target) if target[..] != path[..=end] => {
                path = [target, &rest[1..]].concat();
            }
            _ => return Some(file.to_vec()),
        }
    }
    None
}

/// The other files that each file's code depends on.
fn dependencies(texts: &BTreeMap<Names, String>) -> BTreeMap<Names, BTreeSet<Names>> {
    let files: BTreeSet<Names> = texts.keys().cloned().collect();
    let all: BTreeMap<Names, FileNames> = texts
        .iter()
        .map(|(module, text)| (module.clone(), file_names(module, text, &files)))
        .collect();
    let edges = all.iter().map(|(module, names)| {
        let files = names.named.iter().filter_map(|path| file_of(path, &all));
        (
            module.clone(),
            files.filter(|file| file != module).collect(),
        )
    });
    edges.collect()
}

/// A way along `edges` from `start` back to it.
fn circle(
    start: &Vec<String>,
    edges: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
) -> Option<Vec<String>> {
    let mut came_from = BTreeMap::from([(start.clone(), start.clone())]);
    let mut queue = VecDeque::from([start.clone()]);
    while let Some(at) = queue.pop_front() {
        for next in &edges[&at] {
            if next == start {
                let mut way = vec![at.join("/")];
                let mut at = &at;
                while at != start {
                    at = &came_from[at];
                    way.push(at.join("/"));
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next.clone(), at.clone());
                queue.push_back(next.clone());
            }
        }
    }
    None
}

#[test]
fn circles_are_found_through_parents_and_through_what_they_hand_on() {
    let file = |path: &str, text: &str| {
        let names = path.split('/').filter(|name| !name.is_empty());
        (names.map(str::to_owned).collect::<Names>(), text.to_owned())
    };
    let edges_of = |texts: &[(&str, &str)]| {
        let texts = texts.iter().map(|(path, text)| file(path, text));
        let edges = dependencies(&texts.collect());
        let edges = edges.into_iter().flat_map(|(from, to)| {
            to.into_iter()
                .map(move |to| format!("{} → {}", from.join("/"), to.join("/")))
        });
        edges.collect::<Vec<_>>()
    };
    // A child that uses what stands in its parent, which uses the child.
    let parent = "mod child;\nuse child::Part;\npub struct Whole(Part);\n";
    let child = "use super::Whole;\npub struct Part;\n";
    assert_eq!(
        edges_of(&[("a", parent), ("a/child", child)]),
        ["a → a/child", "a/child → a"]
    );
    // What a parent only hands on is its child's, and no business of its own.
    let parent = "pub use self::{one::One, two::Two as Second};\n";
    let (one, two) = ("use super::Second;\npub struct One;\n", "pub struct Two;\n");
    assert_eq!(
        edges_of(&[("a", parent), ("a/one", one), ("a/two", two)]),
        ["a/one → a/two"]
    );
    let two = "pub struct Two(crate::a::One);\n";
    assert_eq!(
        edges_of(&[("a", parent), ("a/one", one), ("a/two", two)]),
        ["a/one → a/two", "a/two → a/one"]
    );
    // The `super` of a module within a file is that file.
    let within = "mod inner {\n    use super::Outer;\n}\npub struct Outer;\n";
    assert_eq!(
        edges_of(&[("a", "pub struct Outer;\n"), ("a/b", within)]),
        [""; 0]
    );
}

#[test]
fn files_do_not_name_one_another_in_a_circle() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    rust_files(&sources, &mut paths);
    let mut texts = BTreeMap::new();
    for path in &paths {
        let within = path.strip_prefix(&sources).expect("a file below src");
        if !is_test_module(within) {
            let text = fs::read_to_string(path).expect("UTF-8");
            texts.insert(module_of(within), text);
        }
    }
    let edges = dependencies(&texts);
    assert!(edges.values().map(BTreeSet::len).sum::<usize>() > 500);
    let circles: Vec<String> = edges
        .keys()
        .filter_map(|start| Some(circle(start, &edges)?.join(" → ")))
        .collect();
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn every_bound_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/architecture.md")).expect("UTF-8");
    let (_, bounds) = text.split_once("\n## Bounds\n").expect("it has them");
    let (bounds, _) = bounds.split_once("\n## ").expect("more follows");
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    let mut tests = String::new();
    for path in files {
        tests += &fs::read_to_string(path).expect("UTF-8");
    }
    let mut count = 0;
    let rows = bounds.lines().filter(|line| line.starts_with("| "));
    for row in rows.skip(1) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [bound, _, _, named] = cells[..] else {
            panic!("not four cells: {row}");
        };
        assert!(named.contains('`'), "{bound}: no test");
        for name in named.split('`').skip(1).step_by(2) {
            assert!(
                tests.contains(&format!("fn {name}()")),
                "{bound}: there is no test {name}"
            );
            count += 1;
        }
    }
    assert!(count > 20, "only {count} tests are named");
}

/// What the sources read of this directory by a path that stands in them.
fn paths_that_are_read(root: &Path) -> BTreeSet<PathBuf> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        rust_files(&root.join(folder), &mut files);
    }
    // A package of its own, which reads nothing of this one.
    files.retain(|path| !path.starts_with(root.join("tests").join("support")));
    let mut read = BTreeSet::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let pieces: Vec<&str> = text.split('"').collect();
        for pair in pieces.windows(2) {
            let [before, literal] = pair else { continue };
            let is_path = literal
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let from = if before.ends_with("include_str!(") || before.ends_with("include_bytes!(") {
                path.parent().expect("a file is in a folder")
            } else if literal.contains('/') {
                root
            } else {
                continue;
            };
            let literal = literal.trim_matches('/');
            if let Ok(named) = from.join(literal).canonicalize()
                && let Ok(within) = named.strip_prefix(root)
                && is_path
                && !within.as_os_str().is_empty()
                && !within.starts_with("target")
            {
                read.insert(within.to_owned());
            }
        }
    }
    read
}

/// Without it the tests of the packed crate fail, which `release/packed` would tell late.
#[test]
fn the_package_holds_what_its_tests_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if root.join("Cargo.toml.orig").exists() {
        // This is the package: it holds nothing that is not in it.
        return;
    }
    let listed = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(root)
        .output()
        .expect("cargo runs this test");
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let packed: BTreeSet<&Path> = listed.lines().map(Path::new).collect();
    let read = paths_that_are_read(&root.canonicalize().expect("the package is there"));
    assert!(read.len() > 30 && packed.len() > 500, "{read:?}");
    let lacking: Vec<&PathBuf> = read
        .iter()
        .filter(|path| !packed.iter().any(|file| file.starts_with(path)))
        .collect();
    assert!(
        lacking.is_empty(),
        "tests read {lacking:?}, which `exclude` in Cargo.toml or a package of its own keeps away"
    );
}

/// Programs of Debian's essential packages; `kill` is in none, and done without.
const EVERYWHERE: &[&str] = &[
    "bash", "chown", "kill", "mkfifo", "setpriv", "sh", "timeout", "unshare",
];

#[test]
fn every_program_that_tests_start_is_in_the_table_of_packages() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    // A package of its own, which the packed crate lacks.
    let Ok(table) = fs::read_to_string(tests.join("support").join("programs.txt")) else {
        return;
    };
    let listed: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut files = Vec::new();
    rust_files(&tests, &mut files);
    let mut count = 0;
    for path in files {
        let text = fs::read_to_string(&path).expect("UTF-8");
        for rest in text.split("Command::new(\"").skip(1) {
            let program = rest.split('"').next().unwrap_or_default();
            assert!(
                listed.contains(program) || EVERYWHERE.contains(&program),
                "{}: {program} is not in tests/support/programs.txt; a test of it begins with \
                 needs!(\"{program}\")",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count > 15, "only {count} programs were found");
}
