//! In place of Parquet data sets, where the program was built without them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::args::DumpArgs;
use super::error::DumpError;
use super::targets::Occupied;
use crate::field::PayloadDetail;
use crate::record::printer::Printer;
use crate::select::redact::Secrets;

/// There is no way to have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DataSetTarget {}

pub(super) fn target(
    args: &DumpArgs,
    _occupied: Occupied,
) -> Result<Option<DataSetTarget>, DumpError> {
    if args.parquet.is_some() {
        return Err(DumpError::Usage {
            wrong: "this program was built without Parquet (feature `parquet`)",
            help: "cargo install --path . --features parquet; -T ndjson has the same records",
        });
    }
    Ok(None)
}

impl DataSetTarget {
    pub(super) fn open(
        &self,
        _payload: PayloadDetail,
        _redacted: Secrets,
        _threads: NonZeroUsize,
    ) -> Result<Box<dyn Printer>, DumpError> {
        match *self {}
    }

    pub(super) fn files(&self) -> PathBuf {
        match *self {}
    }
}
