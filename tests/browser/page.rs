//! Reports to be opened.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A report in a directory of its own.
pub(crate) struct Page {
    directory: TempDir,
}

impl Page {
    /// The report of a capture.
    pub(crate) fn of(capture: &Path) -> Self {
        let page = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
            .arg(capture)
            .arg("--lenient")
            .arg("--html")
            .arg(page.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {output:?}", capture.display());
        assert!(output.stdout.is_empty(), "{output:?}");
        page
    }

    /// The report of a shipped capture.
    pub(crate) fn of_shipped(name: &str) -> Self {
        Self::of(&captures().join(name))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("report.html")
    }
}

/// The directory of the shipped captures.
pub(crate) fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}
