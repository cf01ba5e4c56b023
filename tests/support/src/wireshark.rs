//! `tshark`, as it is where nobody has configured it.

use std::process::Command;

/// A folder that does not exist.
const NOWHERE: &str = "/nonexistent";

/// `tshark` without the preferences, profiles and plugins of whoever runs the tests: with
/// our own dissector installed it would show fields that the tests do not expect.
pub fn tshark() -> Command {
    let mut command = Command::new("tshark");
    command
        .env("HOME", NOWHERE)
        .env("XDG_CONFIG_HOME", NOWHERE)
        .env("XDG_DATA_HOME", NOWHERE)
        .env("WIRESHARK_CONFIG_DIR", NOWHERE)
        .env_remove("WIRESHARK_PLUGIN_DIR")
        .env_remove("WIRESHARK_DATA_DIR");
    command
}
