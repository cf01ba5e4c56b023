//! All that was kept for each target, and every shipped capture, without libFuzzer.

use std::fs;
use std::path::Path;

use ministream_fuzz::outputs::OUTPUTS;
use ministream_fuzz::{TARGETS, capture_file, shipped_captures};

#[test]
fn every_kept_input_of_every_target_holds() {
    for (name, target) in TARGETS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(name);
        let mut count = 0;
        for entry in fs::read_dir(&directory).expect("each target has seeds") {
            let path = entry.expect("a directory can be listed").path();
            let input = fs::read(&path).expect("an input can be read");
            let result = std::panic::catch_unwind(|| target(&input));
            assert!(result.is_ok(), "{} no longer holds", path.display());
            count += 1;
        }
        assert!(count >= 10, "only {count} inputs for {name}");
    }
}

#[test]
fn every_target_is_searched_each_night() {
    let workflow = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows/fuzz.yml");
    let workflow = fs::read_to_string(workflow).expect("the workflow can be read");
    let listed: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.strip_prefix("          - "))
        .collect();
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, names);
}

#[test]
fn every_shipped_capture_holds_in_every_output() {
    let captures = shipped_captures();
    assert!(captures.len() > 100, "only {} captures", captures.len());
    for capture in captures {
        // The large ones show nothing that the small ones do not, and take long.
        if capture.len() > 300_000 {
            continue;
        }
        for output in 0..OUTPUTS {
            let mut input = vec![output];
            input.extend_from_slice(&capture);
            capture_file::run(&input);
        }
    }
}
