//! Where the log goes, and in which form.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::args::{LogArgs, LogFormat};
use super::error::ReplayError;

/// The variable that says what is logged, as in `debug,ministream::runtime=trace`.
const VARIABLE: &str = "MINISTREAM_LOG";

/// Begins to log. The variable goes before `-v`.
pub(super) fn begin(args: &LogArgs, verbose: u8) -> Result<(), ReplayError> {
    let filter = match std::env::var(VARIABLE) {
        Ok(filter) => EnvFilter::builder().parse(filter)?,
        Err(_) => EnvFilter::new(match verbose {
            0 => "warn",
            1 => "info",
            2 => "debug",
            _ => "trace",
        }),
    };
    let (writer, ansi) = match &args.log_file {
        None => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|source| ReplayError::Write {
                    path: path.clone(),
                    source,
                })?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(ansi);
    match args.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
