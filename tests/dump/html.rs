//! `--html`, as far as no browser is needed; `tests/browser` goes on from here.

use crate::run::{SAMPLES, run};

#[test]
fn the_report_takes_the_place_of_the_tables() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.html");
    let path = path.to_str().unwrap();
    let written = run(["--html", path, SAMPLES]);
    assert_eq!((written.code, &*written.stdout), (Some(0), ""));
    assert_eq!(written.stderr, format!("ministream-dump: wrote {path}\n"));
    let report = std::fs::read_to_string(path).unwrap();
    assert_eq!(report.matches("<h1>spec-samples.pcap</h1>").count(), 1);

    let both = run(["--html", path, "-z", "types", "-T", "text", SAMPLES]);
    let alone = run(["-z", "types", "-T", "text", SAMPLES]);
    assert_eq!(both.stdout, alone.stdout);
    assert_eq!(both.stdout.matches(" SYN ").count(), 3 + 1, "{both:?}");
}

#[test]
fn a_symbolic_link_to_a_file_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (precious, link) = (
        directory.path().join("precious"),
        directory.path().join("link"),
    );
    std::fs::write(&precious, "mine").unwrap();
    std::os::unix::fs::symlink(&precious, &link).unwrap();
    let streams = directory.path().join("streams");
    run(["--export", streams.to_str().unwrap(), SAMPLES]);
    let stream = streams.join("c1.c2s.bin");
    std::fs::remove_file(&stream).unwrap();
    std::os::unix::fs::symlink(&precious, &stream).unwrap();
    for arguments in [
        &["--html", link.to_str().unwrap()][..],
        &["-w", link.to_str().unwrap()],
        &["--export", streams.to_str().unwrap(), "--force"],
    ] {
        let reason = run([arguments, &[SAMPLES]].concat()).reason();
        let (error, _help) = reason.split_once("\n    help: ").unwrap();
        let path = if arguments[0] == "--export" {
            stream.clone()
        } else {
            link.clone()
        };
        assert_eq!(
            error,
            format!(
                "cannot write {}: a symbolic link to a file, which would be overwritten",
                path.display()
            )
        );
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "mine");
    }
}

#[test]
fn the_report_shows_what_is_selected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.html");
    let path = path.to_str().unwrap();
    let written = run(["--html", path, "--conv", "c2", "--payload", "none", SAMPLES]);
    assert_eq!(written.code, Some(0), "{written:?}");
    let report = std::fs::read_to_string(path).unwrap();
    let ladders: Vec<&str> = report
        .split("<template id=\"ladder-")
        .skip(1)
        .map(|rest| &rest[..2])
        .collect();
    assert_eq!(ladders, ["c2"]);
    let payloads = report.matches("\"payload_base64\":").count();
    let empty = report.matches("\"payload_base64\":\"\"").count();
    assert_eq!((payloads, empty), (2, 2));
}

#[test]
fn a_file_that_cannot_be_made_is_told_before_anything_is_read() {
    let refused = run(["--html", "no/such/directory/report.html", SAMPLES]).refused(2);
    assert_eq!(
        refused,
        "ministream-dump: error: cannot write no/such/directory/report.html: \
         no such file or directory\n    \
         help: name a file in a directory that you may write to\n"
    );
}
