//! The pages that people read, and what they paste from there.

use std::fs;
use std::path::Path;

/// The README and the pages of `docs`.
pub(crate) fn pages() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<String> = fs::read_dir(here.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    pages.sort();
    pages.insert(0, "README.md".to_owned());
    pages
}

/// The blocks of a page, without the lines that begin and end them.
pub(crate) fn blocks(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let fence = line.trim_end_matches(|c| c != '`');
        if fence.len() >= 3 && fence.chars().all(|c| c == '`') {
            let inside = lines.by_ref().take_while(|line| *line != fence);
            blocks.push(inside.collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}
