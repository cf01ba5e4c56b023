//! The target of `--parquet`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::args::DumpArgs;
use super::error::DumpError;
use super::targets::Occupied;
use crate::export::parquet::{DataSet, occupied_partition, partition_name};
use crate::field::PayloadDetail;
use crate::record::printer::Printer;
use crate::select::redact::Secrets;

/// A partition of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataSetTarget {
    root: PathBuf,
    partition: String,
    occupied: Occupied,
}

/// The target that the arguments ask for.
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
pub(super) fn target(
    args: &DumpArgs,
    occupied: Occupied,
) -> Result<Option<DataSetTarget>, DumpError> {
    let captures: Vec<PathBuf> = match &args.interface {
        Some(interface) => vec![interface.into()],
        None => args.read.iter().chain(&args.files).cloned().collect(),
    };
    Ok(args.parquet.clone().map(|root| DataSetTarget {
        root,
        partition: partition_name(&captures),
        occupied,
    }))
}

impl DataSetTarget {
    /// The writer for it; its directories are there from now on.
    pub(super) fn open(
        &self,
        payload: PayloadDetail,
        redacted: Secrets,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Printer>, DumpError> {
        let failed = |error| DumpError::DataSet {
            path: self.root.clone(),
            error,
        };
        if self.occupied == Occupied::IsRefused {
            let occupied = occupied_partition(&self.root, &self.partition).map_err(failed)?;
            if let Some(path) = occupied {
                return Err(DumpError::PartitionExists { path });
            }
        }
        let set = DataSet::new(&self.root, &self.partition, payload, redacted, threads)
            .map_err(failed)?;
        Ok(Box::new(Some(set)))
    }

    /// The files of the partition, as a pattern.
    pub(super) fn files(&self) -> PathBuf {
        self.root
            .join("*")
            .join(format!("capture={}", self.partition))
    }
}
