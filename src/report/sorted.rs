//! An external sort: any number of small records in bounded memory.
//!
//! Records collect in a run. A full run is sorted and appended to an unlinked
//! temporary file; at the end the runs are merged, each through a small buffer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::temporary::TemporaryError;

/// Records in a run, the part in memory: 3 MiB of twelve words each.
const RUN_RECORDS: usize = 32_768;

/// Records that are read at once from a run.
const BLOCK_RECORDS: usize = 256;

/// Records of `WORDS` words each, sorted by their first word.
#[derive(Debug)]
pub(crate) struct Sorted<const WORDS: usize> {
    run: Vec<[u64; WORDS]>,
    run_records: usize,
    spilled: Option<Spilled>,
    len: u64,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    /// Records in each run, in the order in which they stand in the file.
    runs: Vec<usize>,
}

impl<const WORDS: usize> Sorted<WORDS> {
    /// No records yet.
    pub(crate) const fn new() -> Self {
        Self::with_runs_of(RUN_RECORDS)
    }

    const fn with_runs_of(run_records: usize) -> Self {
        Self {
            run: Vec::new(),
            run_records,
            spilled: None,
            len: 0,
        }
    }

    /// Number of records pushed.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Adds a record.
    ///
    /// # Errors
    /// A [`TemporaryError`]: the temporary file cannot be made or written.
    pub(crate) fn push(&mut self, record: [u64; WORDS]) -> io::Result<()> {
        if self.run.len() >= self.run_records {
            self.spill().map_err(TemporaryError::of)?;
        }
        self.run.push(record);
        self.len += 1;
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.run.is_empty() {
            return Ok(());
        }
        // Places are sorted, not records, which are long.
        let mut order: Vec<(u64, usize)> =
            self.run.iter().map(|record| record[0]).zip(0..).collect();
        order.sort_unstable();
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled {
                file: tempfile::tempfile()?,
                runs: Vec::new(),
            }),
        };
        spilled.file.seek(SeekFrom::End(0))?;
        let mut bytes = Vec::with_capacity(BLOCK_RECORDS * WORDS * 8);
        for block in order.chunks(BLOCK_RECORDS) {
            bytes.clear();
            for (_, place) in block {
                let record = self.run[*place].map(u64::to_le_bytes);
                bytes.extend_from_slice(record.as_flattened());
            }
            spilled.file.write_all(&bytes)?;
        }
        spilled.runs.push(self.run.len());
        self.run.clear();
        Ok(())
    }

    /// The records so far, in ascending order of their first word. More may be
    /// pushed afterwards.
    ///
    /// # Errors
    /// A [`TemporaryError`]: the temporary file cannot be written; each item may also be one, of
    /// reading it.
    pub(crate) fn sorted(&mut self) -> io::Result<impl Iterator<Item = io::Result<[u64; WORDS]>>> {
        if self.spilled.is_some() {
            self.spill().map_err(TemporaryError::of)?;
        }
        self.run.sort_unstable_by_key(|record| record[0]);
        let merge = self.spilled.as_mut().map(Merge::new).transpose();
        let mut merge = merge.map_err(TemporaryError::of)?;
        let mut in_memory = self.run.iter();
        Ok(std::iter::from_fn(move || match &mut merge {
            Some(merge) => merge.next().map_err(TemporaryError::of).transpose(),
            None => in_memory.next().copied().map(Ok),
        }))
    }
}

/// Runs in a file, merged.
struct Merge<'a, const WORDS: usize> {
    file: &'a mut File,
    runs: Vec<Run<WORDS>>,
    /// The first word of each run's next record, with the run.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

/// The rest of a run: a part in the file, and a block read from it.
struct Run<const WORDS: usize> {
    offset: u64,
    left_in_file: usize,
    block: std::vec::IntoIter<[u64; WORDS]>,
}

impl<'a, const WORDS: usize> Merge<'a, WORDS> {
    fn new(spilled: &'a mut Spilled) -> io::Result<Self> {
        let mut merge = Self {
            file: &mut spilled.file,
            runs: Vec::with_capacity(spilled.runs.len()),
            next: BinaryHeap::with_capacity(spilled.runs.len()),
        };
        let mut offset = 0;
        for &records in &spilled.runs {
            merge.runs.push(Run {
                offset,
                left_in_file: records,
                block: Vec::new().into_iter(),
            });
            offset += (records * WORDS * 8) as u64;
            merge.offer(merge.runs.len() - 1)?;
        }
        Ok(merge)
    }

    fn next(&mut self) -> io::Result<Option<[u64; WORDS]>> {
        let Some(Reverse((_, run))) = self.next.pop() else {
            return Ok(None);
        };
        let record = self.runs[run].block.next();
        self.offer(run)?;
        Ok(record)
    }

    /// Puts the next record of a run up for choice, reading on where needed.
    fn offer(&mut self, run: usize) -> io::Result<()> {
        if self.runs[run].block.as_slice().is_empty() {
            self.runs[run].read_block(self.file)?;
        }
        if let Some(record) = self.runs[run].block.as_slice().first() {
            self.next.push(Reverse((record[0], run)));
        }
        Ok(())
    }
}

impl<const WORDS: usize> Run<WORDS> {
    fn read_block(&mut self, file: &mut File) -> io::Result<()> {
        let records = self.left_in_file.min(BLOCK_RECORDS);
        let mut bytes = vec![0; records * WORDS * 8];
        file.seek(SeekFrom::Start(self.offset))?;
        file.read_exact(&mut bytes)?;
        let (words, _) = bytes.as_chunks::<8>();
        let block: Vec<[u64; WORDS]> = words
            .chunks_exact(WORDS)
            .map(|record| std::array::from_fn(|word| u64::from_le_bytes(record[word])))
            .collect();
        self.block = block.into_iter();
        self.left_in_file -= records;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(run_records: usize, keys: &[u64]) -> Vec<[u64; 2]> {
        let mut records = Sorted::with_runs_of(run_records);
        for &key in keys {
            records.push([key, !key]).unwrap();
        }
        assert_eq!(records.len(), keys.len() as u64);
        records.sorted().unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn runs_of_every_size_give_the_same_order() {
        let keys: Vec<u64> = (0..50).map(|n| n * 37 % 50).collect();
        let expected: Vec<[u64; 2]> = (0..50).map(|key| [key, !key]).collect();
        for run_records in 1..=51 {
            assert_eq!(sorted(run_records, &keys), expected, "{run_records}");
        }
        assert_eq!(sorted(1, &[]), [[0; 2]; 0]);
    }

    #[test]
    fn runs_longer_than_a_block_are_read_to_their_end() {
        let keys: Vec<u64> = (0..5 * BLOCK_RECORDS as u64 + 7).rev().collect();
        let mut expected = keys.clone();
        expected.reverse();
        let got: Vec<u64> = sorted(2 * BLOCK_RECORDS + 1, &keys)
            .into_iter()
            .map(|[key, _]| key)
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn records_may_be_read_while_more_come() {
        for run_records in [1, 3, 100] {
            let mut records = Sorted::with_runs_of(run_records);
            for key in 0..20_u64 {
                records.push([19 - key, 0]).unwrap();
                let keys: Vec<u64> = records.sorted().unwrap().map(|r| r.unwrap()[0]).collect();
                let expected: Vec<u64> = (19 - key..20).collect();
                assert_eq!(keys, expected);
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_doubled(
            keys in prop::collection::vec(0_u64..30, 0..200),
            run_records in 1_usize..40,
        ) {
            let mut expected = keys.clone();
            expected.sort_unstable();
            let got: Vec<u64> = sorted(run_records, &keys).into_iter().map(|[key, _]| key).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
