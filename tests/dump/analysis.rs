//! `docs/analysis.md` answers each question several times, with the same answer; what Spark
//! answers, `analysis/spark.rs` compares.
//!
//! `MINISTREAM_BLESS=1 cargo test --all-features --test dump analysis` writes the answers anew.

mod spark;

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use ministream_fixtures::needs;

use crate::readers::{PYTHON, answer, output_of, python};

pub(crate) const PAGE: &str = "docs/analysis.md";

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A block of the page: its language, and what is in it.
#[derive(Debug)]
struct Block<'a> {
    language: &'a str,
    text: &'a str,
}

/// The page: what comes before its questions, and these.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// Writes the records and the data set.
    prepare: &'a str,
    datafusion_tables: &'a str,
    pub(crate) spark_tables: &'a str,
    pub(crate) questions: Vec<Question<'a>>,
}

/// A question in all languages, and the answer.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    jq: &'a str,
    duckdb: &'a str,
    datafusion: &'a str,
    pub(crate) spark: &'a str,
    pub(crate) shown: &'a str,
}

impl<'a> Page<'a> {
    pub(crate) fn read(page: &'a str) -> Self {
        let blocks = blocks(page);
        let [_, prepare, datafusion_tables, spark_tables, questions @ ..] = &blocks[..] else {
            panic!("{blocks:?}");
        };
        let languages = [prepare, datafusion_tables, spark_tables].map(|block| block.language);
        assert_eq!(languages, ["sh", "sql", "sql"]);
        let questions = questions.split_inclusive(|block| block.language == "text");
        Self {
            prepare: prepare.text,
            datafusion_tables: datafusion_tables.text,
            spark_tables: spark_tables.text,
            questions: questions
                .filter(|blocks| blocks[0].text.starts_with("jq "))
                .map(Question::read)
                .collect(),
        }
    }
}

impl<'a> Question<'a> {
    fn read(blocks: &[Block<'a>]) -> Self {
        let languages: Vec<&str> = blocks.iter().map(|block| block.language).collect();
        // Spark has a statement of its own, or takes that of DataFusion.
        let [jq, duckdb, datafusion, spark @ .., shown] = blocks else {
            panic!("{blocks:?}");
        };
        assert_eq!(languages[..3], ["sh", "sql", "sql"]);
        assert!(spark.len() <= 1, "{blocks:?}");
        Self {
            jq: jq.text,
            duckdb: duckdb.text,
            datafusion: datafusion.text,
            spark: spark.first().unwrap_or(datafusion).text,
            shown: shown.text,
        }
    }
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
pub(crate) fn aligned(lines: &str) -> String {
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
    needs!("jq", PYTHON);
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    symlink(root().join("captures"), directory.path().join("captures")).unwrap();
    let read = Page::read(&page);
    shell(directory.path(), read.prepare);

    let mut expected = page.clone();
    assert_eq!(read.questions.len(), 3);
    for question in &read.questions {
        let by_duckdb = answer("duckdb", directory.path(), question.duckdb);
        assert_eq!(
            shell(directory.path(), question.jq),
            by_duckdb,
            "{}",
            question.jq
        );
        let with_tables = format!("{}\n{}", read.datafusion_tables, question.datafusion);
        let by_datafusion = answer("datafusion", directory.path(), &with_tables);
        assert_eq!(by_datafusion, by_duckdb, "{}", question.datafusion);

        assert!(by_duckdb.lines().count() > 3, "{by_duckdb}");
        let place = |answer: &str| format!("{}\n```\n\n```text{answer}\n```", question.spark);
        let old = match question.shown {
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

#[test]
fn the_notebook_shows_what_its_cells_show() {
    needs!(PYTHON);
    let action = match env::var_os("MINISTREAM_BLESS") {
        Some(_) => "bless",
        None => "check",
    };
    let program = PathBuf::from(env!("CARGO_BIN_EXE_ministream-dump"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let work = tempfile::tempdir().unwrap();
    let mut notebook = python("notebook.py");
    notebook
        .args([action, "examples/notebook/captures.ipynb"])
        .current_dir(root())
        .env("PATH", path)
        .env("TMPDIR", work.path())
        .env("MPLCONFIGDIR", work.path());
    assert_eq!(output_of(notebook, ""), "3 pictures\n");
}
