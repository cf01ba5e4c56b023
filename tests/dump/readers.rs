//! Programs that read what `--parquet` writes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where `.ci/install readers` puts it, for `needs!`.
pub(crate) const PYTHON: &str = "target/venv/bin/python3";

/// Python with DuckDB and DataFusion.
pub(crate) fn python(script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join(PYTHON));
    command.arg(root.join("tests/analysis").join(script));
    command
}

/// The answer to a question about the data sets in `directory`: names and rows, with tabs.
pub(crate) fn answer(engine: &str, directory: &Path, sql: &str) -> String {
    let mut command = python("query.py");
    command.arg(engine).arg(directory);
    output_of(command, sql)
}

/// What a command that goes well writes when `input` is its input.
pub(crate) fn output_of(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{input}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}
