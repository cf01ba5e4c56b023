//! A partition as it is written: files of row groups, which get their names when all are whole.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;
use tempfile::TempPath;

use super::column::Column;
use super::encode::{Encoders, RowGroup};
use super::schema::TableKind;
use super::table::{Table, empty_columns};

/// Bounds of the parts in memory and in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Rows of a row group.
    pub(super) rows: usize,
    /// Bytes of a row group before compression, beyond which no row is added. As many
    /// again are being encoded.
    pub(super) bytes: usize,
    /// Row groups of a file, of which the writer keeps the places until it ends the file.
    pub(super) row_groups: usize,
}

impl Bounds {
    /// Row groups of the size that readers like, of which a million conversations
    /// make one file or two.
    pub(super) const USUAL: Self = Self {
        rows: 128 << 10,
        bytes: 16 << 20,
        row_groups: 64,
    };
}

/// The rows of a table, on their way into the files of its partition.
#[derive(Debug)]
pub(super) struct Parts {
    directory: PathBuf,
    schema: TypePtr,
    properties: WriterPropertiesPtr,
    bounds: Bounds,
    encoders: Encoders,
    table: Table,
    /// The rows before those, until they are in the file.
    pending: Option<RowGroup>,
    /// The file that row groups are written to; there is one from the start, since a
    /// partition without rows has columns too.
    part: Part,
    /// Files that are whole.
    done: Vec<TempPath>,
}

/// A file that is not whole yet. It is removed when it is dropped.
#[derive(Debug)]
struct Part {
    writer: SerializedFileWriter<File>,
    path: TempPath,
    row_groups: usize,
}

impl Parts {
    /// Makes the directory, and in it a first file.
    pub(super) fn new(
        kind: TableKind,
        directory: PathBuf,
        properties: WriterPropertiesPtr,
        encoders: Encoders,
        bounds: Bounds,
    ) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let schema = kind.schema();
        Ok(Self {
            table: Table::new(&schema),
            part: Part::new(&directory, &schema, &properties)?,
            directory,
            schema,
            properties,
            encoders,
            pending: None,
            bounds,
            done: Vec::new(),
        })
    }

    /// Adds the row that `put` puts.
    pub(super) fn add(&mut self, put: impl FnOnce(&mut Table)) -> io::Result<()> {
        put(&mut self.table);
        self.table.end_row();
        if self.table.rows() >= self.bounds.rows || self.table.bytes() >= self.bounds.bytes {
            self.encode_row_group()?;
        }
        Ok(())
    }

    /// Has the rows encoded, when those before them are written.
    fn encode_row_group(&mut self) -> io::Result<()> {
        let empty = match self.pending.take() {
            Some(before) => self.write_row_group(before)?,
            None => empty_columns(&self.schema),
        };
        let columns = self.table.replace_columns(empty);
        self.pending = Some(self.encoders.start(columns, &self.properties));
        Ok(())
    }

    /// Writes a row group; returns its columns for other rows.
    fn write_row_group(&mut self, group: RowGroup) -> io::Result<Vec<Column>> {
        if self.part.row_groups >= self.bounds.row_groups {
            let next = Part::new(&self.directory, &self.schema, &self.properties)?;
            let part = std::mem::replace(&mut self.part, next);
            self.done.push(part.end()?);
        }
        self.part.row_groups += 1;
        let written = group.write(&mut self.part.writer);
        written.map_err(|error| at(&self.part.path, error))
    }

    /// Ends the last file.
    pub(super) fn end(mut self) -> io::Result<WholeParts> {
        if self.table.rows() > 0 {
            self.encode_row_group()?;
        }
        if let Some(last) = self.pending.take() {
            self.write_row_group(last)?;
        }
        self.done.push(self.part.end()?);
        Ok(WholeParts {
            directory: self.directory,
            files: self.done,
        })
    }
}

impl Part {
    fn new(
        directory: &Path,
        schema: &TypePtr,
        properties: &WriterPropertiesPtr,
    ) -> io::Result<Self> {
        // Readers of a data set pass over names with a line at their beginning. Its permissions are
        // by the umask, as of every other output.
        let (file, path) = tempfile::Builder::new()
            .prefix("_part-")
            .suffix(".partial")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)?
            .into_parts();
        let writer = SerializedFileWriter::new(file, schema.clone(), properties.clone())
            .map_err(|error| at(&path, error))?;
        Ok(Self {
            writer,
            path,
            row_groups: 0,
        })
    }

    fn end(mut self) -> io::Result<TempPath> {
        match self.writer.finish() {
            Ok(_) => Ok(self.path),
            Err(error) => Err(at(&self.path, error)),
        }
    }
}

/// The files of a partition, whole, under names that readers pass over.
#[derive(Debug)]
pub(super) struct WholeParts {
    directory: PathBuf,
    files: Vec<TempPath>,
}

impl WholeParts {
    /// Puts the files in the place of those that are there.
    pub(super) fn publish(self) -> io::Result<()> {
        for path in part_files(&self.directory)? {
            fs::remove_file(&path).map_err(|error| at(&path, error.into()))?;
        }
        for (number, file) in self.files.into_iter().enumerate() {
            let path = self.directory.join(format!("part-{number:05}.parquet"));
            file.persist(&path)
                .map_err(|failed| at(&path, failed.error.into()))?;
        }
        Ok(())
    }
}

/// The files that readers find in a partition; none where there is no partition.
pub(super) fn part_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("parquet")) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The error, with its file.
fn at(path: &Path, error: ParquetError) -> io::Error {
    let (kind, text) = match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => (error.kind(), error.to_string()),
            Err(error) => (io::ErrorKind::Other, error.to_string()),
        },
        error => (io::ErrorKind::Other, error.to_string()),
    };
    io::Error::new(kind, format!("{}: {text}", path.display()))
}
