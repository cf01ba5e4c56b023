//! A recording in several files.

use crate::process::{code, run, stderr, stdout};

#[test]
fn a_set_of_captures_is_played_as_one_in_whatever_order_it_is_named() {
    let plan = |files: &[&str]| {
        let output = run(&[
            &["replay", "--dry-run"],
            files,
            &["--carrier", "udp://127.0.0.1:9"],
        ]
        .concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    let sorted = [
        "captures/set-1.pcap",
        "captures/set-2.pcap",
        "captures/set-3.pcap",
    ];
    let turned = [
        "captures/set-3.pcap",
        "captures/set-1.pcap",
        "captures/set-2.pcap",
    ];
    let apart = [
        "captures/set-from-server.pcap",
        "captures/set-from-client.pcap",
    ];
    assert_eq!(plan(&turned), plan(&sorted));
    assert_eq!(plan(&apart).lines().count(), plan(&sorted).lines().count());
}
