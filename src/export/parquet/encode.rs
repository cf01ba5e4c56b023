//! Threads that encode and compress the columns of row groups.
//!
//! Their output is the same, byte for byte, however many there are: a column is encoded by one
//! thread, and row groups are put together in the order of the schema.

use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;

use super::column::Column;
use super::pages::Chunk;

/// More threads than that would wait: one column has a third of the work.
const MOST_THREADS: usize = 4;

/// Threads that wait for columns, and end when this is dropped.
#[derive(Clone, Debug)]
pub(super) struct Encoders {
    tasks: Sender<Task>,
}

#[derive(Debug)]
struct Task {
    place: usize,
    column: Column,
    properties: WriterPropertiesPtr,
    done: Sender<Encoded>,
}

/// An encoded column, and its place in the file.
#[derive(Debug)]
struct Encoded {
    place: usize,
    column: Column,
    chunk: Result<Chunk, ParquetError>,
}

/// A row group on its way.
#[derive(Debug)]
pub(super) struct RowGroup {
    columns: usize,
    done: Receiver<Encoded>,
}

impl Encoders {
    /// As many threads as are of use, of those that there may be.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(super) fn new(threads: NonZeroUsize) -> io::Result<Self> {
        let (tasks, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads.get().min(MOST_THREADS) {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new()
                .name("encoder".to_owned())
                .spawn(move || while run_next(&waiting).is_some() {})?;
        }
        Ok(Self { tasks })
    }

    /// Begins to encode the columns of a row group.
    pub(super) fn start(&self, columns: Vec<Column>, properties: &WriterPropertiesPtr) -> RowGroup {
        let (sender, done) = channel();
        let count = columns.len();
        let mut columns: Vec<(usize, Column)> = columns.into_iter().enumerate().collect();
        // The columns that take longest first, so that no thread is left alone with one.
        columns.sort_by_key(|(_, column)| std::cmp::Reverse(column.size_bytes()));
        for (place, column) in columns {
            let task = Task {
                place,
                column,
                properties: Arc::clone(properties),
                done: sender.clone(),
            };
            if self.tasks.send(task).is_err() {
                // All threads are gone, which `RowGroup::write` finds out.
                break;
            }
        }
        RowGroup {
            columns: count,
            done,
        }
    }
}

/// Encodes the next column; none if there will be no more.
fn run_next(waiting: &Mutex<Receiver<Task>>) -> Option<()> {
    let next = waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv();
    let Task {
        place,
        mut column,
        properties,
        done,
    } = next.ok()?;
    let chunk = column.write(properties);
    let encoded = Encoded {
        place,
        column,
        chunk,
    };
    // Nobody waits for a file that was given up meanwhile.
    done.send(encoded).ok();
    Some(())
}

impl RowGroup {
    /// Waits for the columns and writes them; returns them without their cells.
    pub(super) fn write<W: io::Write + Send>(
        self,
        writer: &mut SerializedFileWriter<W>,
    ) -> Result<Vec<Column>, ParquetError> {
        let mut encoded: Vec<Encoded> = self.done.iter().take(self.columns).collect();
        if encoded.len() < self.columns {
            let text = "a thread that encodes columns has ended";
            return Err(ParquetError::General(text.to_owned()));
        }
        encoded.sort_by_key(|column| column.place);
        let mut group = writer.next_row_group()?;
        let mut columns = Vec::with_capacity(self.columns);
        for Encoded {
            mut column, chunk, ..
        } in encoded
        {
            let Chunk { pages, closed } = chunk?;
            group.append_column(&pages, closed)?;
            drop(pages);
            column.clear();
            columns.push(column);
        }
        group.close()?;
        Ok(columns)
    }
}
