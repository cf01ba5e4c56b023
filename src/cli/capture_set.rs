//! The captures that the arguments name: files, directories and patterns.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::capture::{CaptureError, CaptureFile, Content, EmptyInput, EmptyRest};

/// The captures that were named, and the files left out.
#[derive(Debug, Default)]
pub(crate) struct CaptureSet {
    /// Files in the order of naming; those of a directory or a pattern by name.
    pub(crate) files: Vec<PathBuf>,
    /// Notes on files that were left out.
    pub(crate) left_out: Vec<String>,
}

impl CaptureSet {
    /// Takes files as they are, and looks for captures in directories (but not in those
    /// within them) and behind patterns with `*`, `?` or `[`.
    ///
    /// # Errors
    /// [`CaptureError::Open`] where nothing is found.
    pub(crate) fn find(names: &[PathBuf]) -> Result<Self, CaptureError> {
        let mut set = Self::default();
        for name in names {
            if name.is_dir() {
                let found = files_in(name).map_err(|source| cannot_open(name, source))?;
                set.add_captures(name, found, "no capture in this directory")?;
            } else if is_pattern(name) {
                let found = matches(name).map_err(|source| cannot_open(name, source))?;
                set.add_captures(name, found, "no capture matches")?;
            } else {
                set.files.push(name.clone());
            }
        }
        Ok(set)
    }

    /// Adds those of `found` that are captures, or of which only reading shows whether they are.
    fn add_captures(
        &mut self,
        name: &Path,
        mut found: Vec<PathBuf>,
        nothing: &'static str,
    ) -> Result<(), CaptureError> {
        found.sort();
        let (captures, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|path| {
            !matches!(
                CaptureFile::open(path),
                Err(CaptureError::NotACapture { content, .. }) if content != Content::Empty
            )
        });
        if captures.is_empty() {
            return Err(cannot_open(
                name,
                io::Error::new(io::ErrorKind::NotFound, nothing),
            ));
        }
        self.files.extend(captures);
        match &others[..] {
            [] => {}
            [one] => self
                .left_out
                .push(format!("{} is skipped: it is not a capture", one.display())),
            [first, ..] => self.left_out.push(format!(
                "{} and {} others are skipped: they are not captures",
                first.display(),
                others.len() - 1
            )),
        }
        Ok(())
    }
}

/// The note on an input of a set in which there is no packet.
pub(crate) fn describe_empty(empty: &EmptyInput) -> String {
    let path = empty.path.display();
    match empty.rest {
        EmptyRest::Nothing => format!("{path} is empty; the other captures are read"),
        EmptyRest::Header => format!("{path} has no packets; the other captures are read"),
    }
}

fn cannot_open(path: &Path, source: io::Error) -> CaptureError {
    CaptureError::Open {
        path: path.to_owned(),
        source,
    }
}

fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// A name of an existing file is no pattern, whatever is in it.
fn is_pattern(name: &Path) -> bool {
    !name.exists()
        && name
            .to_str()
            .is_some_and(|name| name.contains(['*', '?', '[']))
}

fn matches(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let text = pattern.to_str().unwrap_or_default();
    let paths =
        glob::glob(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(io::Error::from)?;
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}
