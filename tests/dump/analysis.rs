//! `docs/analysis.md` answers each question three times, with the same answer.
//!
//! `MINISTREAM_BLESS=1 cargo test --features parquet --test dump analysis` writes the answers anew.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::readers::{answer, output_of};

const PAGE: &str = "docs/analysis.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A block of the page: its language, and what is in it.
#[derive(Debug)]
struct Block<'a> {
    language: &'a str,
    text: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let inside = page.split("\n```").skip(1).step_by(2);
    inside
        .map(|block| {
            let (language, text) = block.split_once('\n').unwrap_or((block, ""));
            Block { language, text }
        })
        .collect()
}

/// Runs a command of the page where a reader would.
fn shell(directory: &Path, script: &str) -> String {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_ministream-dump"));
    let path = format!(
        "{}:/usr/bin:/bin",
        program.parent().unwrap().to_str().unwrap()
    );
    let mut command = Command::new("bash");
    command
        .args(["-euc", script])
        .current_dir(directory)
        .env("PATH", path);
    output_of(command, "")
}

/// Lines of values with tabs between them, each below a line end, with spaces instead.
fn aligned(lines: &str) -> String {
    let rows: Vec<Vec<&str>> = lines
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().enumerate();
        let padded = cells.map(|(column, cell)| format!("{cell:<0$}", width(column)));
        text += "\n";
        text += padded.collect::<Vec<_>>().join("  ").trim_end();
    }
    text
}

#[test]
fn jq_duckdb_and_datafusion_give_the_answers_of_the_page() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    symlink(root().join("captures"), directory.path().join("captures")).unwrap();
    let blocks = blocks(&page);
    let [_, prepare, tables, questions @ ..] = &blocks[..] else {
        panic!("{blocks:?}");
    };
    assert_eq!((prepare.language, tables.language), ("sh", "sql"));
    shell(directory.path(), prepare.text);

    let mut expected = page.clone();
    assert_eq!(questions.len(), 3 * 4);
    for question in questions.chunks(4) {
        let [jq, duckdb, datafusion, shown] = question else {
            panic!("{question:?}");
        };
        let languages = [jq, duckdb, datafusion, shown].map(|block| block.language);
        assert_eq!(languages, ["sh", "sql", "sql", "text"]);
        let by_duckdb = answer("duckdb", directory.path(), duckdb.text);
        assert_eq!(shell(directory.path(), jq.text), by_duckdb, "{}", jq.text);
        let with_tables = format!("{}\n{}", tables.text, datafusion.text);
        let by_datafusion = answer("datafusion", directory.path(), &with_tables);
        assert_eq!(by_datafusion, by_duckdb, "{}", datafusion.text);

        assert!(by_duckdb.lines().count() > 3, "{by_duckdb}");
        let place = |answer: &str| format!("{}\n```\n\n```text{answer}\n```", datafusion.text);
        let old = match shown.text {
            "" => place(""),
            text => place(&format!("\n{text}")),
        };
        assert!(expected.contains(&old), "{old}");
        expected = expected.replace(&old, &place(&aligned(&by_duckdb)));
    }
    if env::var_os("MINISTREAM_BLESS").is_some() {
        fs::write(root().join(PAGE), &expected).unwrap();
    }
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    assert!(page == expected, "{PAGE} is out of date:\n{expected}");
}
